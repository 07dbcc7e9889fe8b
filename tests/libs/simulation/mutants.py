"""Change one kernel and run it, and what calls it, as plain Python; everything else stays compiled.

To compile a changed book thread takes most of a minute; this takes none. A kernel that is called by compiled ones
cannot be exchanged, so all its callers, up to what the simulator calls, are run by the interpreter too.
"""

from __future__ import annotations

import ctypes
import inspect
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from libs import memory
from libs.engine import directory
from libs.simulation.receiver import Cores


@dataclass(frozen=True)
class Mutation:
    """One change of the source of one kernel."""

    name: str
    module: str
    function: str
    old: str
    new: str


def _store(array: np.ndarray, index: int, value: int) -> None:
    array[index] = value


def _exchange(array: np.ndarray, index: int, value: int) -> int:
    before = int(array[index])
    array[index] = value
    return before


@lru_cache(4096)
def _memory(address: int, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer((ctypes.c_char * size).from_address(address), dtype).reshape(shape)


def _view(dtype: type, dimensions: int) -> Callable[[np.ndarray, int], np.ndarray]:
    """Return what libs.memory's views of a directory are without numba."""

    def view(d: np.ndarray, k: int) -> np.ndarray:
        address, *shape = d[k, : 1 + dimensions].tolist()
        return _memory(address, tuple(shape), dtype)

    return view


INTRINSICS = {
    memory.words1: _view(np.int64, 1),
    memory.words2: _view(np.int64, 2),
    memory.words2_row: lambda d, k, row: _view(np.int64, 2)(d, k)[row],
    memory.words3: _view(np.int64, 3),
    memory.floats1: _view(np.float64, 1),
    memory.floats2: _view(np.float64, 2),
    memory.bytes1: _view(np.uint8, 1),
    memory.bytes2: _view(np.uint8, 2),
    memory.load_acquire: lambda array, index: array[index],
    memory.store_release: _store,
    memory.exchange: _exchange,
    memory.fence: lambda: None,
    memory.load_i64: lambda buf, at: int.from_bytes(buf[at : at + 8].tobytes(), "little", signed=True),
    memory.load_u16: lambda buf, at: int.from_bytes(buf[at : at + 2].tobytes(), "little"),
    memory.load_u32: lambda buf, at: int.from_bytes(buf[at : at + 4].tobytes(), "little"),
}
"""What single-threaded Python does in their place."""


def _is_kernel(value: Any) -> bool:
    return hasattr(value, "py_func")


def _modules() -> list[ModuleType]:
    return [module for name, module in sorted(sys.modules.items()) if name.startswith("libs.") and module is not None]


def _kernels() -> set[Any]:
    return {value for module in _modules() for value in vars(module).values() if _is_kernel(value)}


def _called(kernel: Any) -> set[Any]:
    """Return the kernels that a kernel's source names, directly or through a module."""
    scope, names = kernel.py_func.__globals__, kernel.py_func.__code__.co_names
    found = {scope[name] for name in names if _is_kernel(scope.get(name))}
    for name in names:
        if isinstance(scope.get(name), ModuleType):
            found |= {v for n in names if _is_kernel(v := vars(scope[name]).get(n))}
    return found


def _callers(target: Any) -> set[Any]:
    calls = {kernel: _called(kernel) for kernel in _kernels()}
    found = {target}
    while True:
        more = {kernel for kernel, called in calls.items() if called & found} - found
        if not more:
            return found
        found |= more


def _scopes(interpreted: set[Any]) -> dict[str, dict[str, Any]]:
    """Return globals for interpreted kernels, a copy of each module's, in which they find one another."""
    modules = {module.__name__: module for module in _modules()}
    scopes = {name: dict(vars(module)) for name, module in modules.items()}
    plain: dict[Any, Any] = {}
    for kernel in interpreted:
        source = kernel.py_func
        plain[kernel] = FunctionType(source.__code__, scopes[source.__module__], source.__name__, source.__defaults__)
    spaces = {name: SimpleNamespace() for name in scopes}
    for scope in scopes.values():
        for name, value in list(scope.items()):
            if isinstance(value, ModuleType) and value.__name__ in spaces:
                scope[name] = spaces[value.__name__]
            elif _is_kernel(value) and value in plain:
                scope[name] = plain[value]
            elif value.__class__.__name__ == "_Intrinsic" and value in INTRINSICS:
                scope[name] = INTRINSICS[value]
    for name, scope in scopes.items():
        spaces[name].__dict__.update(scope)
    return scopes


def _source(kernel: Any) -> str:
    lines = textwrap.dedent(inspect.getsource(kernel.py_func)).splitlines(keepends=True)
    start = next(k for k, line in enumerate(lines) if line.startswith("def "))
    return "".join(lines[start:])


def cores_of(mutation: Mutation, cores: Any = None) -> Any:
    """Return cores with a changed kernel in them.

    Parameters
    ----------
    cores : dataclass of kernels
        What is driven; the simulator's unless said.

    Raises
    ------
    ValueError
        When the text to change does not stand in the kernel exactly once, or no core calls the kernel.
    """
    target = vars(sys.modules[mutation.module])[mutation.function]
    source = _source(target)
    if source.count(mutation.old) != 1:
        raise ValueError(
            f"{mutation.name}: {mutation.old!r} stands {source.count(mutation.old)} times in {mutation.function}"
        )
    # Kernels without reference counts hand no arrays to Python: views are made here.
    interpreted = _callers(target) | {k for k in _kernels() if k.py_func.__module__ == directory.__name__}
    scopes = _scopes(interpreted)
    code = compile(source.replace(mutation.old, mutation.new), f"<{mutation.name}>", "exec")
    changed: dict[str, Any] = {}
    exec("from __future__ import annotations\n", changed)
    exec(code, changed)
    new = FunctionType(changed[mutation.function].__code__, scopes[mutation.module], mutation.function)
    _exchange_everywhere(scopes, target, new)
    cores = cores or Cores()
    swapped = {}
    for field in fields(cores):
        kernel = getattr(cores, field.name)
        if kernel in interpreted:
            swapped[field.name] = scopes[kernel.py_func.__module__][kernel.py_func.__name__]
    if not swapped:
        raise ValueError(f"{mutation.name}: no core calls {mutation.function}")
    return replace(cores, **swapped)


def _exchange_everywhere(scopes: dict[str, dict[str, Any]], target: Any, new: Any) -> None:
    old = scopes[target.py_func.__module__][target.py_func.__name__]
    for scope in scopes.values():
        for name, value in list(scope.items()):
            if value is old:
                scope[name] = new
            elif isinstance(value, SimpleNamespace):
                for inner, each in list(vars(value).items()):
                    if each is old:
                        setattr(value, inner, new)

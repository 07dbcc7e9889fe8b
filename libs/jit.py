"""The one door to numba.

Only this module touches numba's decorators. Every kernel is compiled without the GIL and cached on disk. An index of a
kernel is taken as it is: ``a[-1]`` lies outside the array (and is found under NUMBA_BOUNDSCHECK=1). numba's own
cache does not notice an edit in *another* module (a changed layout constant silently keeps its old value), so the cache
directory of each kernel is keyed by a digest of its module's source and of every ``libs`` or ``services`` module that
it imports, directly or not; the CPU is part of the key too. A directory that cannot be written falls back to a private
temporary one.

Environment
-----------
CROSSBOOK_CACHE_DIR
    Where compiled kernels are kept; default ``$XDG_CACHE_HOME/crossbook`` or ``~/.cache/crossbook``.
NUMBA_CPU_NAME
    numba's own: ``generic`` while an image is built, so that its kernels run on any host.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import config as _numba_config
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import Signature
from numba.cpython import numbers
from numba.extending import intrinsic as _intrinsic
from numba.np import arrayobj
from numba.np.arrayobj import populate_array
from numba.np.math import numbers as np_numbers

__all__ = [
    "Signature",
    "cache_root",
    "cgutils",
    "external",
    "intrinsic",
    "kernel",
    "populate_array",
    "source_digest",
    "types",
]

_array_indexing: Any = arrayobj
_config: Any = _numba_config
_numbers: Any = numbers
_np_numbers: Any = np_numbers
_njit: Any = numba.njit

F = TypeVar("F", bound=Callable[..., Any])

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("libs", "services")


_OURS = tuple(f"_ZN{len(name)}{name}" for name in (*PACKAGES, "tests"))
_wrapping_index = _array_indexing.fix_integer_index


def _plain_index(context: Any, builder: Any, kind: Any, index: Any, size: Any) -> Any:
    """Lower an integer index of our kernels as it is: a negative one is a mistake, not the end of the array.

    numba selects between ``index`` and ``index + size`` at every access, which costs the books half their time and
    keeps LLVM from vectorising. Code that is not ours (numba's own array functions) keeps it.
    """
    if kind.signed and builder.function.name.startswith(_OURS):
        return context.cast(builder, index, kind, types.intp)
    return _wrapping_index(context, builder, kind, index, size)


_array_indexing.fix_integer_index = _plain_index


def _wrapping(kind: Any) -> list[str]:
    """Lower sums and products so that they wrap past int64, as numpy's do.

    numba tells LLVM that a signed one never overflows, for the sake of the indices above. What overflows all the same,
    a hash or an absurd price, would then be undefined: LLVM was seen to drop half of a hash.
    """
    return []


_numbers._int_arith_flags = _np_numbers._int_arith_flags = _wrapping


def _writable(path: Path) -> bool:
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True


@lru_cache(maxsize=1)
def cache_root() -> Path:
    """Return the directory of compiled kernels for this CPU, creating it.

    Returns
    -------
    Path
        ``CROSSBOOK_CACHE_DIR`` or the user's cache directory when it can be written, else a temporary directory.
    """
    given = os.environ.get("CROSSBOOK_CACHE_DIR")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "crossbook"
    cpu = os.environ.get("NUMBA_CPU_NAME") or _host_cpu()
    if _config.BOUNDSCHECK:
        cpu += "-checked"
    for base in ([Path(given)] if given else []) + [home]:
        if _writable(base / cpu):
            return base / cpu
    return Path(tempfile.mkdtemp(prefix="crossbook-kernels-"))


def _host_cpu() -> str:
    from llvmlite import binding

    features = binding.get_host_cpu_features().flatten()
    return f"{binding.get_host_cpu_name()}-{hashlib.sha256(features.encode()).hexdigest()[:8]}"


@cache
def _file_of(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


_IMPORT = re.compile(rb"^[ \t]*import[ \t]+(.+)$", re.MULTILINE)
_FROM = re.compile(rb"^[ \t]*from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|.+)$", re.MULTILINE)
_NAME = re.compile(rb"[\w.]+")


@cache
def _imports(path: Path) -> frozenset[str]:
    """Return what of the project a file imports; a comment may add to it. Parsing would take ten times as long."""
    source = path.read_bytes()
    found = {name for line in _IMPORT.findall(source) for name in _NAME.findall(line)}
    for module, names in _FROM.findall(source):
        found.add(module)
        found.update(module + b"." + name for name in _NAME.findall(names))
    return frozenset(name.decode() for name in found if name.split(b".")[0].decode() in PACKAGES)


@cache
def source_digest(module: str) -> str:
    """Return a digest of a module's source and of all project modules that it imports.

    Parameters
    ----------
    module : str
        Dotted name, as in ``libs.book.kernels``.
    """
    seen: dict[str, bytes] = {}
    todo = [module]
    while todo:
        name = todo.pop()
        path = _file_of(name)
        if path is None or str(path) in seen:
            continue
        seen[str(path)] = path.read_bytes()
        todo.extend(_imports(path))
    total = hashlib.sha256(numba.__version__.encode())
    for name in sorted(seen):
        total.update(name.removeprefix(str(ROOT)).encode())
        total.update(hashlib.sha256(seen[name]).digest())
    return total.hexdigest()[:16]


def kernel(function: F | None = None, *, inline: bool = False, allocates: bool = False) -> Any:
    """Compile a function to native code that runs without the GIL, cached on disk.

    Division by zero gives inf or nan as in numpy; indices are checked under NUMBA_BOUNDSCHECK=1 only. ``inline`` asks
    LLVM to inline the body into its callers.

    Parameters
    ----------
    function : callable
        Of arrays, NamedTuples of arrays, and scalars. It must not raise.
    inline : bool
        For small functions on the hot path.
    allocates : bool
        Whether the function makes or returns arrays. Others do without the reference counts that numba would keep for
        every array that is passed on: calls that LLVM cannot remove. A kernel's caller keeps its arrays alive.
    """
    if function is None:
        return lambda f: kernel(f, inline=inline, allocates=allocates)
    name = function.__module__
    if name == "__main__" and (spec := getattr(sys.modules[name], "__spec__", None)) is not None:
        name = spec.name
    cached = name.split(".")[0] in PACKAGES
    if cached:
        _config.CACHE_DIR = str(cache_root() / source_digest(name))
    # Said in either case: left out, it would be what the kernel that calls this one has.
    options: dict[str, Any] = {"_nrt": allocates} | ({"forceinline": True} if inline else {})
    compiled = _njit(nogil=True, cache=cached, error_model="numpy", boundscheck=bool(_config.BOUNDSCHECK), **options)(
        function
    )
    if cached:
        _save_under_lock(compiled)
    return _without_literals(compiled)


def _save_under_lock(compiled: Any) -> None:
    """Let one process at a time write a kernel's cache.

    numba reads the index of a kernel's types, adds to it and writes it back: two processes that compile the same kernel
    for different types at the same time would leave one's code under the other's types.
    """
    cache_file = compiled._cache._cache_file
    save = cache_file.save

    def save_alone(key: Any, data: Any) -> None:
        with (cache_root() / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            save(key, data)

    cache_file.save = save_alone


def _without_literals(compiled: Any) -> Any:
    """Keep numba from compiling a kernel once more for each constant that a caller passes: a third of all its time."""
    template = compiled.get_call_template

    def of_plain_types(arguments: Any, keywords: Any) -> Any:
        plain = {name: types.unliteral(kind) for name, kind in keywords.items()}
        return template(tuple(types.unliteral(kind) for kind in arguments), plain)

    compiled.get_call_template = of_plain_types
    return compiled


def intrinsic(function: Callable[..., Any]) -> Any:
    """Make an LLVM-level function; see :mod:`libs.memory`."""
    return _intrinsic(function)


def external(name: str, signature: Signature) -> Any:
    """Return a C library function that a kernel may call; resolved by symbol, so callers stay cacheable."""
    return types.ExternalFunction(name, signature)

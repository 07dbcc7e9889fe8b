"""Compile the C references on the spot and call them through ctypes."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from libs.errors import MissingError
from libs.jit import cache_root

FOLDER = Path(__file__).parent / "reference"
FLAGS = ("-O3", "-march=native", "-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC", "-pthread")


@functools.cache
def compiler() -> tuple[str, str]:
    """Return the path of the C compiler (``CC``, else ``cc``) and the first line of its ``--version``.

    Raises
    ------
    MissingError
        When there is none.
    """
    name = os.environ.get("CC", "cc")
    path = shutil.which(name)
    if path is None:
        raise MissingError(f"bench: no C compiler: expected {name} on PATH for the references (apt-get install gcc)")
    answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return path, answer.stdout.partition("\n")[0]


def build(name: str, constants: Mapping[str, int] | None = None) -> ctypes.CDLL:
    """Compile ``reference/<name>.c`` unless its very source was compiled before, and load it.

    Parameters
    ----------
    constants : mapping
        Handed over as -DNAME=value: layouts of the Python side, so that the two cannot drift apart.

    Raises
    ------
    MissingError
        When there is no C compiler, or it refuses the source.
    """
    path, version = compiler()
    flags = [*FLAGS, *(f"-D{key}={int(value)}" for key, value in sorted((constants or {}).items()))]
    source = FOLDER / f"{name}.c"
    key = hashlib.sha256("\0".join([path, version, *flags]).encode() + source.read_bytes()).hexdigest()[:16]
    folder = cache_root() / "references"
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / f"{name}-{key}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            made = Path(scratch) / "made.so"
            answer = subprocess.run(
                [path, *flags, "-o", str(made), str(source)], capture_output=True, text=True, check=False
            )
            if answer.returncode != 0:
                raise MissingError(f"bench: {path} refuses {source.name}: {answer.stderr.strip()}")
            made.replace(library)
    return ctypes.CDLL(str(library))


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    """Return the address of a C-contiguous array."""
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)


def function(library: ctypes.CDLL, name: str, *arguments: Any, result: Any = ctypes.c_int64) -> Any:
    """Return a typed C function."""
    found = getattr(library, name)
    found.argtypes, found.restype = arguments, result
    return found


def words_of(module: Any, prefix: str) -> dict[str, int]:
    """Return a module's integer constants under ``prefix`` + name."""
    return {f"{prefix}{name}": value for name, value in vars(module).items() if name.isupper() and type(value) is int}

"""Named numpy arrays in one anonymous shared memory (memfd).

Nothing has a name in the file system, so nothing is left behind, whatever ends the processes; /dev/shm's size does
not limit it; pages that nobody touches cost nothing. A second process gets the file descriptor by inheritance and the
layout as JSON.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

ALIGNMENT = 64

Spec = Mapping[str, tuple[Any, tuple[int, ...]]]


class Arena:
    """Arrays by name over one shared memory.

    Attributes
    ----------
    fd : int
        The memory; pass it on with ``pass_fds``.
    spec_json : str
        Names, dtypes and shapes, for :meth:`attach`.
    """

    def __init__(self, fd: int, spec_json: str) -> None:
        self.fd, self.spec_json = fd, spec_json
        layout, size = _layout(json.loads(spec_json))
        self._memory = mmap.mmap(fd, size)
        self._arrays = {
            name: np.frombuffer(self._memory, dtype, int(np.prod(shape)), offset).reshape(shape)
            for name, (dtype, shape, offset) in layout.items()
        }

    @classmethod
    def create(cls, spec: Spec, label: str = "crossbook") -> Arena:
        """Return zeroed arrays.

        Parameters
        ----------
        spec : mapping
            Name → (dtype, shape).
        label : str
            Shown in /proc for people.
        """
        plain = {name: [_describe(np.dtype(dtype)), list(shape)] for name, (dtype, shape) in spec.items()}
        spec_json = json.dumps(plain)
        _, size = _layout(plain)
        fd = os.memfd_create(label, os.MFD_CLOEXEC)
        os.ftruncate(fd, size)
        return cls(fd, spec_json)

    @classmethod
    def attach(cls, fd: int, spec_json: str) -> Arena:
        """Return the arrays of another process's arena."""
        return cls(fd, spec_json)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    @property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """All arrays by name."""
        return self._arrays


def _describe(dtype: np.dtype) -> Any:
    return dtype.str if dtype.names is None else dtype.descr


def _dtype(described: Any) -> np.dtype:
    if isinstance(described, str):
        return np.dtype(described)
    return np.dtype([tuple(tuple(x) if isinstance(x, list) else x for x in field) for field in described])


def _layout(plain: Mapping[str, Any]) -> tuple[dict[str, tuple[np.dtype, tuple[int, ...], int]], int]:
    found = {}
    offset = 0
    for name, (described, shape) in plain.items():
        dtype = _dtype(described)
        found[name] = (dtype, tuple(shape), offset)
        size = dtype.itemsize * int(np.prod(shape))
        offset += (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
    return found, max(offset, mmap.PAGESIZE)

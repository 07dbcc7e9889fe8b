"""Seeded mutations of datagrams, and a buffer that ends where memory ends."""

from __future__ import annotations

import ctypes
import mmap

import numpy as np

from libs.jit import kernel
from libs.memory import load_i64, store_i64
from libs.sending.rng import below

ROOM = 4096
"""Bytes of the buffer; a mutated datagram is never longer."""

_EXTREMES = np.array([0, 1, -1, 127, 255, 256, 32_767, 65_535, 1 << 31, 1 << 32, 1 << 62, (1 << 63) - 1, -(1 << 63)])
_KINDS = 9


def guarded_buffer() -> np.ndarray:
    """Return uint8[ROOM] that ends at a page which may not be touched: a read past the end ends the process."""
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, ROOM + page)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    if ctypes.CDLL(None, use_errno=True).mprotect(ctypes.c_void_p(address + ROOM), page, 0) != 0:
        raise OSError(ctypes.get_errno(), "mprotect")
    return np.frombuffer(memory, np.uint8, ROOM)


@kernel
def _mutate_once(work: np.ndarray, length: int, corpus: np.ndarray, other: int, other_end: int, rng: np.ndarray) -> int:
    kind = below(rng, _KINDS)
    if length == 0:
        return length
    at = below(rng, length)
    if kind == 0:
        work[at] ^= 1 << below(rng, 8)
    elif kind == 1:
        work[at] = below(rng, 256)
    elif kind == 2:
        return at
    elif kind == 3:
        more = min(below(rng, 40), ROOM - length)
        for k in range(more):
            work[length + k] = below(rng, 256)
        return length + more
    elif kind == 4 and at + 2 <= length:
        value = _EXTREMES[below(rng, len(_EXTREMES))]
        work[at], work[at + 1] = value & 0xFF, value >> 8 & 0xFF
    elif kind == 5 and at + 8 <= length:
        store_i64(work, at, _EXTREMES[below(rng, len(_EXTREMES))])
    elif kind == 6:
        take = min(below(rng, other_end - other + 1), ROOM - at)
        for k in range(take):
            work[at + k] = corpus[other + k]
        return max(length, at + take) if below(rng, 2) == 0 else at + take
    elif kind == 7:
        for k in range(at, min(length, at + below(rng, 16))):
            work[k] = 0
    elif kind == 8 and length <= ROOM // 2:
        for k in range(length):
            work[length + k] = work[k]
        return 2 * length
    return length


@kernel
def mutated(
    corpus: np.ndarray, starts: np.ndarray, work: np.ndarray, out: np.ndarray, expected: np.ndarray, rng: np.ndarray
) -> int:
    """Write a mutated datagram to the end of ``out``; return its length.

    Parameters
    ----------
    corpus : uint8[:]
    starts : int64[n + 1]
        Datagram i is ``corpus[starts[i]:starts[i + 1]]``.
    work : uint8[ROOM]
    out : uint8[ROOM]
        Of :func:`guarded_buffer`.
    expected : int64[channels]
        The next sequence of each channel; most datagrams are given one near it, so that they come far.
    rng : uint64[1]
    """
    n = len(starts) - 1
    i, j = below(rng, n), below(rng, n)
    length = starts[i + 1] - starts[i]
    for k in range(length):
        work[k] = corpus[starts[i] + k]
    for _ in range(below(rng, 4)):
        length = _mutate_once(work, length, corpus, starts[j], starts[j + 1], rng)
    if length >= 24 and below(rng, 10) < 8 and work[20] < len(expected) and work[21] != 2:
        store_i64(work, 4, max(1, expected[work[20]] + (below(rng, 8) - 3 if below(rng, 4) == 0 else 0)))
        store_i64(work, 12, max(load_i64(work, 12), 1 << 50))
    for k in range(length):
        out[ROOM - length + k] = work[k]
    return length

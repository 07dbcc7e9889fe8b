"""Have memory backed by pages before it is used: a first touch costs microseconds, and a burst touches thousands."""

from __future__ import annotations

import ctypes
import mmap

import numpy as np

_MADV_POPULATE_WRITE = 23
_libc = ctypes.CDLL(None, use_errno=True)
_libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def populate(*arrays: np.ndarray) -> bool:
    """Back arrays with pages, without changing what is in them and without holding the interpreter's lock.

    Parameters
    ----------
    arrays : numpy.ndarray
        Contiguous and writable.

    Returns
    -------
    bool
        Whether all are backed; False on a kernel before 5.14, or without memory: the pages then come as they are used.
    """
    done = True
    for array in arrays:
        begin = array.ctypes.data // mmap.PAGESIZE * mmap.PAGESIZE
        length = array.ctypes.data + array.nbytes - begin
        done &= length == 0 or _libc.madvise(begin, length, _MADV_POPULATE_WRITE) == 0
    return done

"""C library calls for kernels. Addresses are integers (:func:`libs.memory.address_of`)."""

from __future__ import annotations

import numpy as np

from libs.jit import external, kernel, types
from libs.memory import address_of, load_i32_at

CLOCK_REALTIME = 0
CLOCK_MONOTONIC = 1

_i32, _ptr, _u32, _u64 = types.int32, types.intp, types.uint32, types.uint64

recvmmsg = external("recvmmsg", _i32(_i32, _ptr, _u32, _i32, _ptr))
sendmmsg = external("sendmmsg", _i32(_i32, _ptr, _u32, _i32))
clock_gettime = external("clock_gettime", _i32(_i32, _ptr))
poll = external("poll", _i32(_ptr, _u64, _i32))
ppoll = external("ppoll", _i32(_ptr, _u64, _ptr, _ptr))
c_read = external("read", types.intp(_i32, _ptr, _u64))
c_write = external("write", types.intp(_i32, _ptr, _u64))
clock_nanosleep = external("clock_nanosleep", _i32(_i32, _i32, _ptr, _ptr))
_errno_location = external("__errno_location", _ptr())


@kernel
def errno() -> int:
    """Return this thread's errno."""
    return load_i32_at(_errno_location())


@kernel
def now_ns(scratch: np.ndarray, clock: int) -> int:
    """Return a clock in nanoseconds.

    Parameters
    ----------
    scratch : int64[2]
        Two words of the calling thread's own, for the timespec.
    clock : int
        CLOCK_REALTIME or CLOCK_MONOTONIC.
    """
    clock_gettime(clock, address_of(scratch, 0))
    return scratch[0] * 1_000_000_000 + scratch[1]

"""Wait for a socket, from inside a kernel."""

from __future__ import annotations

import numpy as np

from libs.jit import kernel
from libs.libc import ppoll
from libs.memory import address_of

POLLIN = 1
MAX_SOCKETS = 4


@kernel
def wait_readable(fds: np.ndarray, n: int, timeout_us: int, scratch: np.ndarray) -> int:
    """Sleep until one of the sockets can be read or the time is over.

    Parameters
    ----------
    fds : int32[:]
        The first ``n``, at most MAX_SOCKETS, are looked at.
    timeout_us : int
    scratch : int64[16]
        The calling thread's own; words 8 to 15 are used.

    Returns
    -------
    int
        How many can be read.
    """
    n = min(n, MAX_SOCKETS)
    for i in range(n):
        scratch[8 + i] = np.int64(fds[i]) | POLLIN << 32
    scratch[14] = timeout_us // 1_000_000
    scratch[15] = timeout_us % 1_000_000 * 1000
    return ppoll(address_of(scratch, 8), n, address_of(scratch, 14), 0)

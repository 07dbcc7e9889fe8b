"""Ask the scheduler for short turns: a thread that wakes up to little work then runs before those with long ones.

Linux 6.12 and later let any thread choose its slice (sched_setattr(2), ``sched_runtime`` of a SCHED_OTHER thread); the
default is around 3 ms, and with more threads than cores it is what a woken thread waits. Older kernels ignore it.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from pathlib import Path

SHORTEST_NS = 100_000
"""The kernel grants no shorter one."""

_NUMBERS = {"x86_64": 314, "aarch64": 274}
_libc = ctypes.CDLL(None, use_errno=True)


CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Of the control group, as a container sees it: microseconds that may be used, or ``max``, and of how many."""


def cores(quota: Path = CPU_QUOTA) -> int:
    """Return how many cores this process may keep busy: those it may run on, or fewer where a quota stands."""
    allowed = len(os.sched_getaffinity(0))
    try:
        used, period = quota.read_text().split()
        return max(1, min(allowed, int(used) // int(period)))
    except (OSError, ValueError):
        return allowed


PR_SET_NAME = 15


def name_thread(name: str) -> None:
    """Give the calling thread a name that Linux shows (15 bytes of it): in top, and by the CPU time it used."""
    _libc.prctl(PR_SET_NAME, name.encode()[:15], 0, 0, 0)


class _Attributes(ctypes.Structure):
    """struct sched_attr."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
        ("util_min", ctypes.c_uint32),
        ("util_max", ctypes.c_uint32),
    )


def _call(number: int, thread: int, attributes: _Attributes, *rest: int) -> bool:
    words = [ctypes.c_long(word) for word in rest]
    return int(_libc.syscall(number, ctypes.c_long(thread), ctypes.byref(attributes), *words)) == 0


def short_turns(thread: int = 0, slice_ns: int = SHORTEST_NS) -> bool:
    """Ask for turns of so many nanoseconds.

    Parameters
    ----------
    thread : int
        Native id; 0: the calling thread. Threads and processes that it starts from then on inherit it.
    slice_ns : int
        The kernel clamps it to 0.1 to 100 ms.

    Returns
    -------
    bool
        Whether it is so: False on other systems, on an older kernel, and for a thread of another scheduling class.
    """
    number = _NUMBERS.get(platform.machine())
    if number is None or not sys.platform.startswith("linux"):
        return False
    found = _Attributes()
    if not _call(number + 1, thread, found, ctypes.sizeof(found), 0) or found.policy != 0:
        return False
    wanted = _Attributes(size=ctypes.sizeof(_Attributes), nice=found.nice, runtime=slice_ns)
    return _call(number, thread, wanted, 0) and slice_of(thread) == slice_ns


def slice_of(thread: int = 0) -> int:
    """Return a thread's slice in nanoseconds; 0 where the kernel does not tell."""
    found = _Attributes()
    number = _NUMBERS.get(platform.machine())
    if number is None or not _call(number + 1, thread, found, ctypes.sizeof(found), 0):
        return 0
    return int(found.runtime)

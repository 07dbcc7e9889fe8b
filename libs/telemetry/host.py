"""What Linux says of a process's threads, of the CPU time that a hypervisor took, and of the clock."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
MOST_THREADS = 32
OTHERS = "others"
"""Name under which the CPU time of threads beyond :data:`MOST_THREADS` names is summed."""

STATUS_UNSYNCHRONISED = 0x40
_libc = ctypes.CDLL(None, use_errno=True)


class Clock(NamedTuple):
    """What adjtimex(2) says of the wall clock."""

    synchronised: bool
    max_error_s: float


class _Timex(ctypes.Structure):
    """The head of struct timex, and room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("max_error", ctypes.c_long),
        ("estimated_error", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def clock() -> Clock | None:
    """Return the state of the wall clock; None where the kernel does not tell. Nothing is changed (modes 0)."""
    found = _Timex()
    if int(_libc.adjtimex(ctypes.byref(found))) < 0:
        return None
    return Clock(not found.status & STATUS_UNSYNCHRONISED, found.max_error / 1e6)


def thread_seconds(pid: int, proc: Path = PROC) -> dict[str, float]:
    """Return CPU seconds of a process's threads, summed by their names; of a process that is gone, none.

    Threads that ended are not in it, so a sum may go back; the names of services' own threads never end early.
    """
    found: dict[str, float] = {}
    try:
        tasks = sorted((proc / str(pid) / "task").iterdir())
    except OSError:
        return {}
    for task in tasks:
        try:
            text = (task / "stat").read_text()
        except OSError:
            continue
        name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
        known = name if name in found or len(found) < MOST_THREADS else OTHERS
        found[known] = found.get(known, 0.0) + (int(rest[11]) + int(rest[12])) / TICKS
    return found


def steal_seconds(proc: Path = PROC) -> float:
    """Return the seconds, over all cores since boot, in which the hypervisor ran somebody else."""
    words = (proc / "stat").read_text().split("\n", 1)[0].split()
    return int(words[8]) / TICKS if len(words) > 8 else 0.0

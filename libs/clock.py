"""Wall clock and monotonic clock, from Python; kernels use :mod:`libs.libc`."""

from __future__ import annotations

import time


def wall_ns() -> int:
    """Return nanoseconds since the Unix epoch (CLOCK_REALTIME, the clock of SO_TIMESTAMPNS)."""
    return time.time_ns()


def wall_us() -> int:
    """Return microseconds since the Unix epoch."""
    return time.time_ns() // 1000


def monotonic_ns() -> int:
    """Return nanoseconds of CLOCK_MONOTONIC."""
    return time.monotonic_ns()

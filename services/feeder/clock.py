"""Feed time: the wall clock as it was at the session's start, and monotonic time since, so that nobody can step it."""

from __future__ import annotations

from libs.clock import monotonic_ns, wall_ns


class FeedClock:
    """Turns CLOCK_MONOTONIC into microseconds since the Unix epoch."""

    def __init__(self) -> None:
        mono = monotonic_ns()
        self._offset_ns = wall_ns() - mono

    def us(self, mono_ns: int) -> int:
        """Return a moment in microseconds since the epoch."""
        return (mono_ns + self._offset_ns) // 1000

"""How many orders left in the last second."""

from __future__ import annotations

from collections import deque

SECOND_NS = 1_000_000_000


class OrderRate:
    """A sliding window of one second over send times.

    Parameters
    ----------
    limit : int
        Times kept; more are never asked for.
    """

    def __init__(self, limit: int) -> None:
        self._times: deque[int] = deque(maxlen=limit)

    def note(self, now_ns: int) -> None:
        """Note that an order leaves."""
        self._times.append(now_ns)

    def last_second(self, now_ns: int) -> int:
        """Return the orders that left after ``now_ns`` minus one second."""
        while self._times and self._times[0] <= now_ns - SECOND_NS:
            self._times.popleft()
        return len(self._times)

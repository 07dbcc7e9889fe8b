"""Limits of the venues: so many of something in so much time, and how long to stay away after a failure."""

from __future__ import annotations

import random

from libs.recovery.backoff import Backoff

SECOND_NS = 1_000_000_000


class Bucket:
    """A token bucket.

    Parameters
    ----------
    capacity : float
        Tokens at the most, and at the beginning.
    per_s : float
        Tokens that come back each second.
    """

    def __init__(self, capacity: float, per_s: float) -> None:
        self.capacity, self.per_s = capacity, per_s
        self._level, self._at_ns = capacity, -1

    def wait_ns(self, tokens: float, now_ns: int) -> int:
        """Return how long to wait until so many are there; 0 takes them. More than fit wait until it is full."""
        if self._at_ns >= 0:
            self._level = min(self.capacity, self._level + (now_ns - self._at_ns) * self.per_s / SECOND_NS)
        self._at_ns = now_ns
        wanted = min(tokens, self.capacity)
        if self._level >= wanted:
            self._level -= tokens
            return 0
        return int((wanted - self._level) / self.per_s * SECOND_NS) + 1


class FullJitter:
    """Exponential backoff of which a random share is waited, so that many who failed together come back apart.

    "Full jitter" of M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.

    Parameters
    ----------
    first_s, longest_s : float
        The bounds of the first and of every later wait.
    rng : random.Random
    """

    def __init__(self, first_s: float, longest_s: float, rng: random.Random) -> None:
        self._backoff = Backoff(int(first_s * SECOND_NS), int(longest_s * SECOND_NS))
        self._rng = rng

    @property
    def failures(self) -> int:
        """How many in a row."""
        return self._backoff.failures

    def next_s(self) -> float:
        """Count a failure; return the seconds to wait."""
        self._backoff.until_ns = 0
        self._backoff.fail(0)
        return self._rng.uniform(0.0, self._backoff.until_ns / SECOND_NS)

    def succeed(self) -> None:
        """Start over."""
        self._backoff.succeed()

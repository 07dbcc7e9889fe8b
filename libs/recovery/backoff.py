"""How long to leave somebody alone who failed."""

from __future__ import annotations


class Backoff:
    """A wait that doubles with each failure in a row.

    Parameters
    ----------
    first_ns, longest_ns : int

    Attributes
    ----------
    until_ns : int
        Before this time nothing is to be tried.
    failures : int
        In a row.
    """

    def __init__(self, first_ns: int, longest_ns: int) -> None:
        self.first_ns, self.longest_ns = first_ns, longest_ns
        self.until_ns = self.failures = 0

    def fail(self, now_ns: int) -> None:
        """Wait twice as long as last time; failures during a wait are of the same kind and do not count."""
        if now_ns < self.until_ns:
            return
        wait_ns = min(self.first_ns << min(self.failures, 32), self.longest_ns)
        self.until_ns = now_ns + wait_ns
        self.failures += 1

    def succeed(self) -> None:
        """Start over."""
        self.until_ns = self.failures = 0

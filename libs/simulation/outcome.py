"""What one schedule came to."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Outcome:
    """Result of one seeded schedule.

    Attributes
    ----------
    seed : int
        Replays it.
    messages : int
        Messages that the sender numbered.
    unaccounted : int
        Messages that the ledger could not place, at its worst.
    wrong_valid_books : int
        Books, or rows published of them, that said valid and were not the sender's.
    unhealed : int
        Books still flagged a bounded time after the faults stopped.
    failures : list of str
        What did not hold, one line each; empty: everything did.
    """

    seed: int
    messages: int = 0
    unaccounted: int = 0
    wrong_valid_books: int = 0
    unhealed: int = 0
    failures: list[str] = field(default_factory=list)

"""Faults on demand: so many of a kind from now on, or each with its odds by a seed."""

from __future__ import annotations

import random
from collections import Counter

KINDS = {
    "drop": "a book message that is never sent",
    "duplicate": "a book message that is sent twice",
    "reorder": "a book message that lets the next one pass",
    "checksum": "a book message whose checksum is wrong",
    "garbage": "a text that is not JSON before a message",
    "disconnect": "a connection that ends within a message",
    "stale_snapshot": "a REST snapshot from before everything that is buffered",
    "too_many": "a REST answer 429 with Retry-After",
    "banned": "a REST answer 418 with Retry-After",
    "reset": "the venue's own reset: maintenance, or a restarted service",
    "delist": "a symbol that is no longer traded",
    "gap_in_resync": "a book message dropped right after the next snapshot",
    "slow": "a connection whose messages come late, for a second",
    "half_open": "a connection that is open and says nothing any more, not even to pings",
}


class Faults:
    """What is to go wrong.

    Parameters
    ----------
    seed : str
    odds : dict
        Of each kind, a message.

    Attributes
    ----------
    done : Counter of str
        What did go wrong.
    """

    def __init__(self, seed: str, odds: dict[str, float] | None = None) -> None:
        self.rng = random.Random(seed)
        self.odds = dict(odds or {})
        self.armed: Counter[str] = Counter()
        self.done: Counter[str] = Counter()

    def arm(self, kind: str, count: int = 1) -> None:
        """Let the next so many occasions go wrong.

        Raises
        ------
        KeyError
            When there is no such fault.
        """
        if kind not in KINDS:
            raise KeyError(f"no fault {kind!r}; known: {', '.join(KINDS)}")
        self.armed[kind] += count

    def strikes(self, kind: str) -> bool:
        """Return whether this occasion goes wrong."""
        if self.armed[kind] > 0:
            self.armed[kind] -= 1
        elif not (odds := self.odds.get(kind, 0.0)) or self.rng.random() >= odds:
            return False
        self.done[kind] += 1
        return True

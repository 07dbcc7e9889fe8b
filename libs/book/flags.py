"""Flags of a book, one bit each, as they travel through every stream and to the OMS (markets.md, *Book*)."""

from __future__ import annotations

NO_SNAPSHOT = 1 << 0
SUSPECT = 1 << 1
GAP = 1 << 2
BAD = 1 << 3
DIVERGED = 1 << 4
VENUE_DOWN = 1 << 5
HALTED = 1 << 6
DELISTED = 1 << 7
MUTE = 1 << 8
STALE = 1 << 9
CROSSED = 1 << 10
ONE_SIDED = 1 << 11
TRUNCATED = 1 << 12
TRADES_MISSED = 1 << 13

NAMES = (
    "no_snapshot",
    "suspect",
    "gap",
    "bad",
    "diverged",
    "venue_down",
    "halted",
    "delisted",
    "mute",
    "stale",
    "crossed",
    "one_sided",
    "truncated",
    "trades_missed",
)

INVALID = NO_SNAPSHOT | SUSPECT | GAP | BAD | DIVERGED | VENUE_DOWN | DELISTED
"""A book with any of these is not valid."""


def names(flags: int) -> list[str]:
    """Return the names of the flags that are set, in their fixed order."""
    return [name for bit, name in enumerate(NAMES) if flags >> bit & 1]

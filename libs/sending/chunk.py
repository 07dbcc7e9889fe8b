"""Normalised events between a source and the composer: plain integers, no object per event."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BOOK, TRADE, STATUS = 0, 1, 4
"""Kinds; a REFRESH or an Instrument is the composer's own."""

(
    SRC,
    KIND,
    ID,
    FLAGS,
    PRICE_EXP,
    SIZE_EXP,
    CUT,
    BIDS,
    ASKS,
    EXCHANGE_US,
    FEED_US,
    AT,
    TRADE_ID,
    PRICE,
    SIZE,
    WEIGHT,
) = range(16)
"""Columns of ``events``. SRC: source time, in the source's own units. ID: row of the listing. FLAGS: 1 snapshot (book),
HFTP's trade flags (trade), the code (status). AT: first word of the levels. WEIGHT: room for a generator."""

WIDTH = 16


class Chunk(NamedTuple):
    """A run of events in order of source time.

    Parameters
    ----------
    events : int64[n, WIDTH]
        One row each.
    levels : int64[m]
        Price and size of each level, in the order of the events.
    used : int64[2]
        Events and level words in use.
    """

    events: np.ndarray
    levels: np.ndarray
    used: np.ndarray


def new_chunk(events: int = 2048, levels: int = 65_536) -> Chunk:
    """Return an empty chunk for so many events and levels."""
    return Chunk(np.zeros((events, WIDTH), np.int64), np.zeros(2 * levels, np.int64), np.zeros(2, np.int64))


def signed(number: int) -> int:
    """Return the int64 of the same bits as a u64, which is how a chunk keeps the number of a trade."""
    return number - 2**64 if number >= 2**63 else number

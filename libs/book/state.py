"""Memory of the books: one block of words a book, and its price levels, sorted with the best one last.

Zeroed memory is a set of books that nothing is known of, so pages are touched only where a book is used. Everything is
int64. ``Books`` offers named views into the words: what a message touches lies together, whatever the number of books.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from libs.book.flags import NO_SNAPSHOT

SLACK = 128
"""Places a side beyond ``depth``: room to slide, so that a full side need not move whole for each new best level."""

STAGES = 16
"""Spare books in which a REFRESH of a valid book is collected before it is compared."""

# Words of a book. The first two cache lines hold what every message touches.
VERSION = 0
FLAGS = 1
MODE = 2
PARTS = 3
TAINT = 4
COUNTS = 5  # bids, asks
FIRST = 7  # place of the worst bid, ask
KNOWN_SET = 9  # bids, asks: NOTHING_CUT, KNOWN_TO or NOTHING_KNOWN
KNOWN_END = 11  # bids, asks
PRICE_EXP = 13
SIZE_EXP = 14
HAS_UNIT = 15
TOPS = 16  # eight words, below
SEQUENCE = 24
EXCHANGE_TS_US = 25
FEED_TS_US = 26
VALID_SINCE_US = 27
SETTLED = 28
BROKEN = 29
LEVELS = 30
OPEN_LEVELS = 31
TICK_UNITS = 32  # tick and lot in the book's unit; 0: unknown or not expressible in it
LOT_UNITS = 33
TICK = 34
TICK_EXP = 35
LOT = 36
LOT_EXP = 37
MULTIPLIER = 38
MULTIPLIER_EXP = 39
INVERSE = 40
BORN = 41
CUT = 42
STAGE = 43  # 1 + place of the REFRESH being collected; 0: none
REFUSAL = 44
LIVES = 45
REFRESH_TOPS = 48  # eight words, below
COUNTERS = 56  # eight words, below
WORDS = 64

# Words of Books.tops and Books.refresh_tops.
BID_PRICE, BID_SIZE, ASK_PRICE, ASK_SIZE, TOP_PRICE_EXP, TOP_SIZE_EXP, TOP_FEED_TS_US, TOP_SIDES = range(8)
"""TOP_SIDES: 1 there is a bid, 2 there is an ask."""

# Words of Books.counters, all since the start.
EVENTS, CROSSED_EVENTS, REBASED, DROPPED_LEVELS, OFF_TICK, OFF_LOT, REFRESHES, DIVERGED_COUNT = range(8)
"""OFF_TICK, OFF_LOT: new levels whose price is no multiple of the tick, whose size is none of the lot."""

# Books.known_set.
NOTHING_CUT, KNOWN_TO, NOTHING_KNOWN = range(3)

# Words[MODE].
IDLE, DELTA, SNAPSHOT, HEAL, STAGED, REFUSING = range(6)


class Books(NamedTuple):
    """All books of a process; index ``b`` is the dense book id, ``side`` 0 the bids and 1 the asks.

    Only the owner (one thread) writes. Between the parts of an event the levels are half-way: who looks at a book then
    reads ``tops``, ``flags`` and the times, which are of the last completed event; another process reads through
    :func:`libs.book.reader.snapshot_levels`.

    Attributes
    ----------
    prices, sizes : int64[rows, 2, depth + SLACK]
        Mantissas. Level k from the best (k = 0) of a side is at ``first + counts - 1 - k``.
    words : int64[rows * WORDS]
        The block that the rest are views of, flat.
    stage_owner : int64[STAGES]
        1 + the book whose REFRESH a stage collects; 0: free.
    version : int64[rows]
        Odd while the levels are being changed.
    flags : int64[rows]
        libs.book.flags.
    parts : int64[rows]
        Messages of the open event so far (the ledger's *pending*).
    counts, first : int64[rows, 2]
    known_set, known_end : int64[rows, 2]
        KNOWN_TO: levels beyond the price ``known_end`` are not all known. NOTHING_KNOWN: none is.
    price_exp, size_exp, has_unit : int64[rows]
        The book's unit: value = mantissa × 10^exponent.
    tops, refresh_tops : int64[rows, 8]
        Best levels of the last completed event, in a unit of their own; those of the last REFRESH that differed.
    sequence, exchange_ts_us, feed_ts_us : int64[rows]
        Of the message that completed the last event.
    valid_since_us : int64[rows]
        Feed time of the event that made the book valid.
    lives : int64[rows]
        How often one did.
    settled, broken, levels : int64[rows]
        What the last apply_message did; see there.
    tick, tick_exp, lot, lot_exp, multiplier, multiplier_exp, inverse : int64[rows]
        As the Instrument gave them; tick and multiplier 0: no instrument yet.
    counters : int64[rows, 8]
    """

    prices: np.ndarray
    sizes: np.ndarray
    words: np.ndarray
    stage_owner: np.ndarray

    def __getattr__(self, name: str) -> np.ndarray:
        """Return a named view of the words. Kernels see the four fields only: each array more is dear to compile."""
        block = self.words.reshape(-1, WORDS)
        if name in _COLUMNS:
            return block[:, _COLUMNS[name]]
        if name in _PAIRS:
            return block[:, _PAIRS[name] : _PAIRS[name] + 2]
        if name in _EIGHTS:
            return block[:, _EIGHTS[name] : _EIGHTS[name] + 8]
        raise AttributeError(name)


_COLUMNS = {
    "version": VERSION,
    "flags": FLAGS,
    "parts": PARTS,
    "price_exp": PRICE_EXP,
    "size_exp": SIZE_EXP,
    "has_unit": HAS_UNIT,
    "sequence": SEQUENCE,
    "exchange_ts_us": EXCHANGE_TS_US,
    "feed_ts_us": FEED_TS_US,
    "valid_since_us": VALID_SINCE_US,
    "lives": LIVES,
    "settled": SETTLED,
    "broken": BROKEN,
    "levels": LEVELS,
    "tick": TICK,
    "tick_exp": TICK_EXP,
    "lot": LOT,
    "lot_exp": LOT_EXP,
    "multiplier": MULTIPLIER,
    "multiplier_exp": MULTIPLIER_EXP,
    "inverse": INVERSE,
}
_PAIRS = {"counts": COUNTS, "first": FIRST, "known_set": KNOWN_SET, "known_end": KNOWN_END}
_EIGHTS = {"tops": TOPS, "refresh_tops": REFRESH_TOPS, "counters": COUNTERS}


def spec(max_books: int, depth: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return name → (dtype, shape) of the arrays, for shared memory.

    Parameters
    ----------
    max_books : int
        Books, spare ones for REFRESH not counted.
    depth : int
        Levels kept a side.

    Raises
    ------
    ValueError
        When either is smaller than 1.
    """
    if max_books < 1 or depth < 1:
        raise ValueError(f"max_books and depth: expected at least 1, found {max_books} and {depth}")
    rows = max_books + STAGES
    return {
        "prices": ("<i8", (rows, 2, depth + SLACK)),
        "sizes": ("<i8", (rows, 2, depth + SLACK)),
        "words": ("<i8", (rows * WORDS,)),
        "stage_owner": ("<i8", (STAGES,)),
    }


def bind(arrays: Mapping[str, np.ndarray]) -> Books:
    """Return the books whose arrays :func:`spec` named; writes nothing, so a reader may bind too."""
    return Books(*(arrays[field] for field in Books._fields))


def prepare(books: Books) -> None:
    """Mark every book as one that waits for its snapshot; called once, by the owner of fresh memory."""
    books.flags[:] = NO_SNAPSHOT
    books.words.reshape(-1, WORDS)[:, BORN] = 1


def new(max_books: int, depth: int) -> Books:
    """Return books that wait for their snapshots, in this process's memory."""
    books = bind({name: np.zeros(shape, dtype) for name, (dtype, shape) in spec(max_books, depth).items()})
    prepare(books)
    return books

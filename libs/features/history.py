"""What windows and lags need of the past: circular histories of fixed capacity, one set a book.

A book has a head (words of fixed meaning) and four rings. Each ring begins small and doubles up to its capacity, so
that quiet books touch little memory; zeroed memory is a history of nothing. A full ring drops its oldest entry, and
what is dropped while still inside a window makes that window NaN and its row ``incomplete`` until it has left.

Flows (trades, order flow) are kept as running totals: a window is the difference of two of them, in integers. What
leaves a window becomes the *base*, the totals before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from libs.features.sums import LIMBS
from libs.jit import kernel

LEVELS = 5
"""Best levels a side whose flow is followed (ofi_l1 … ofi_l5)."""

WAP_RING, FLOW_RING, TRADE_RING, RETURN_RING = range(4)
FLOW_WORDS = 2 * LEVELS
TRADE_WORDS = 6  # buys, sells; volume bought, volume sold (a pair each, libs.features.pairs)
WIDTHS = (2, 1 + FLOW_WORDS, 2 + TRADE_WORDS, 2)
"""Words of an entry: time and WAP; time and totals; time, sequence and totals; time and squared return."""

CAPACITIES = {"wap": 4096, "flow": 4096, "trades": 4096, "returns": 16_384}
"""Entries of each ring, powers of two: changes of the WAP in 300 ms, of the best levels in 1 s, trades in 1 s, changes
of mid in 60 s."""

FIRST_SIZE = 64
WINDOW_US = 1_000_000
"""Of every window but the longer of the returns."""
NEVER = -(2**62)

MAX_BUCKETS, MAX_SPREAD = 64, 16
TABLE_WORDS = MAX_BUCKETS * (MAX_SPREAD + 1)
"""A fitted microprice table stands before the rings of its book."""

# Words of a head.
LIVES = 0  # as the book's when the history began
SINCE_US = 1
NOW_US = 2
TRADES_SINCE_US = 3
TRADES_PENDING = 4
TOP_UNKNOWN_US = 5
LEVELS_UNKNOWN_US = 6
PRIOR_PRICE_EXP = 7
PRIOR_SIZE_EXP = 8
PRIOR_COUNTS = 9  # bids, asks
FLOW_EXP, FLOW_HAS_EXP = 11, 12
TRADE_EXP, TRADE_HAS_EXP = 13, 14
CUT_ROWS, DROPPED, RESTARTS = 15, 16, 17
"""Counters: rows with a window that lacks something; entries dropped; totals begun anew because a unit became too
fine for them."""
RINGS = 18  # four words a ring, below
WAP_NEXT = 34  # a word a lag, as are the next two
WAP_TIME = 37
WAP_VALUE = 40  # float
LAST_WAP = 43  # float
RETURN_NEXT = 44  # the oldest return of the shorter window
RETURN_LOST_US = 45
PRIOR = 46  # price and size of each of the best LEVELS, bids then asks
TRADE_TOTALS = 66
TRADE_BASE = 72
FLOW_TOTALS = 78
FLOW_BASE = 88
SUMS = 98  # squared returns: 1 s, 60 s, since start
CHANGED = SUMS + 3 * LIMBS
SUM_VALUES = CHANGED + 3  # floats
BUCKETS, SPREADS, TABLE_TICK, TABLE_TICK_EXP = range(SUM_VALUES + 3, SUM_VALUES + 7)
UNKNOWN = TABLE_TICK_EXP + 1  # bits: a best level, one of the best LEVELS may not be true
FETCHED = UNKNOWN + 1  # of no meaning
HEAD_WORDS = 144
assert FETCHED < HEAD_WORDS

# Words of a ring's control: entries written and given up, places in use, time of the base.
R_HEAD, R_TAIL, R_SIZE, R_BASE_US = range(4)


class History(NamedTuple):
    """The histories of all books of a process; written by the thread that owns the books.

    Attributes
    ----------
    heads : int64[max_books, HEAD_WORDS]
    head_floats : float64[max_books, HEAD_WORDS]
        The same memory; a word is always used as one or the other.
    rings : int64[max_books, words]
        A book's microprice table, then its rings.
    ring_floats : float64[max_books, words]
        The same memory.
    layout : int64[8]
        Where each ring begins in a row, then its capacity.
    """

    heads: np.ndarray
    head_floats: np.ndarray
    rings: np.ndarray
    ring_floats: np.ndarray
    layout: np.ndarray


def spec(max_books: int, capacities: Mapping[str, int] | None = None) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return name → (dtype, shape) of the arrays, for shared memory.

    Parameters
    ----------
    capacities : mapping
        By the names of :data:`CAPACITIES`, which are the default.

    Raises
    ------
    ValueError
        When one is no power of two.
    """
    sizes = _capacities(capacities)
    return {
        "heads": ("<i8", (max_books, HEAD_WORDS)),
        "rings": ("<i8", (max_books, TABLE_WORDS + sum(w * n for w, n in zip(WIDTHS, sizes, strict=True)))),
        "layout": ("<i8", (8,)),
    }


def _capacities(given: Mapping[str, int] | None) -> list[int]:
    sizes = CAPACITIES | dict(given or {})
    for name, size in sizes.items():
        if name not in CAPACITIES or size < 2 or size & (size - 1):
            raise ValueError(f"history capacity {name!r}: expected a power of two for one of {list(CAPACITIES)}")
    return list(sizes.values())


def prepare(layout: np.ndarray, capacities: Mapping[str, int] | None = None) -> None:
    """Write where the rings are; called once, by the owner of fresh memory."""
    at = TABLE_WORDS
    for ring, (width, size) in enumerate(zip(WIDTHS, _capacities(capacities), strict=True)):
        layout[ring], layout[4 + ring] = at, size
        at += width * size


def bind(arrays: Mapping[str, np.ndarray]) -> History:
    """Return the histories whose arrays :func:`spec` named."""
    heads, rings = arrays["heads"], arrays["rings"]
    return History(heads, heads.view(np.float64), rings, rings.view(np.float64), arrays["layout"])


def new(max_books: int, capacities: Mapping[str, int] | None = None) -> History:
    """Return histories of nothing, in this process's memory."""
    history = bind({name: np.zeros(shape, dtype) for name, (dtype, shape) in spec(max_books, capacities).items()})
    prepare(history.layout, capacities)
    return history


@kernel(inline=True)
def control_of(ring: int) -> int:
    """Return where a ring's control begins in a head."""
    return RINGS + 4 * ring


@kernel(inline=True)
def entry(h: History, b: int, ring: int, width: int, index: int) -> int:
    """Return where entry ``index`` (counted since start) of a ring stands in the book's row."""
    return h.layout[ring] + (index & (h.heads[b, control_of(ring) + R_SIZE] - 1)) * width


@kernel
def has_room(h: History, b: int, ring: int, width: int) -> bool:
    """Return whether a ring takes another entry; one that is full doubles while it may."""
    control = control_of(ring)
    head = h.heads[b]
    size = head[control + R_SIZE]
    used = head[control + R_HEAD] - head[control + R_TAIL]
    if used < size:
        return True
    capacity = h.layout[4 + ring]
    if size == capacity:
        return False
    head[control + R_SIZE] = min(capacity, FIRST_SIZE) if size == 0 else 2 * size
    start = h.layout[ring]
    row = h.rings[b]
    for index in range(head[control + R_TAIL], head[control + R_HEAD]):
        old = start + (index & (size - 1)) * width
        to = entry(h, b, ring, width, index)
        if to != old:
            for k in range(width):
                row[to + k] = row[old + k]
    return True


@kernel(inline=True)
def empty_ring(h: History, b: int, ring: int) -> None:
    """Give up all entries of a ring."""
    control = control_of(ring)
    h.heads[b, control + R_TAIL] = h.heads[b, control + R_HEAD]


@kernel
def expire(h: History, b: int, ring: int, width: int, skip: int, base: int, n: int, upto_us: int) -> None:
    """Make the base the totals of the last entry at or before a time, and give up what came up to it.

    Parameters
    ----------
    skip, n : int
        Words of an entry before its totals, and of these.
    base : int
        Where the base stands in the head.
    """
    head = h.heads[b]
    control = control_of(ring)
    index = head[control + R_TAIL]
    while index < head[control + R_HEAD] and h.rings[b, entry(h, b, ring, width, index)] <= upto_us:
        index += 1
    if index > head[control + R_TAIL]:
        at = entry(h, b, ring, width, index - 1)
        head[control + R_BASE_US] = h.rings[b, at]
        for k in range(n):
            head[base + k] = h.rings[b, at + skip + k]
        head[control + R_TAIL] = index


@kernel
def drop_oldest(h: History, b: int, ring: int, width: int, skip: int, base: int, n: int) -> None:
    """Make room in a full ring of totals: its oldest entry becomes the base."""
    control = control_of(ring)
    oldest = h.heads[b, control + R_TAIL]
    at = entry(h, b, ring, width, oldest)
    h.heads[b, control + R_BASE_US] = h.rings[b, at]
    for k in range(n):
        h.heads[b, base + k] = h.rings[b, at + skip + k]
    h.heads[b, control + R_TAIL] = oldest + 1
    h.heads[b, DROPPED] += 1

"""The microprice of a book with a fitted table (Stoikov 2018); libs.features.microprice fits and reads one."""

from __future__ import annotations

import numpy as np

from libs.book.rebase import DIGITS, POW10
from libs.book.state import (
    ASK_PRICE,
    BID_PRICE,
    TICK,
    TICK_EXP,
    TICK_UNITS,
    TOP_PRICE_EXP,
    TOP_SIDES,
    TOPS,
    WORDS,
    Books,
)
from libs.features.definitions import INDEX
from libs.features.exact import scaled, sum_of
from libs.features.history import BUCKETS, MAX_SPREAD, SPREADS, TABLE_TICK, TABLE_TICK_EXP, History
from libs.features.pairs import difference, pair_of, sum_of_pairs
from libs.jit import kernel

MICROPRICE = INDEX["microprice"]
WAP_0MS = INDEX["wap_0ms"]
SMALL = 2**56
BOTH_SIDES = 3
NOT_FITTED = 8
"""The microprice is the WAP: no table was fitted, or one of another tick."""


@kernel
def bucket_of(bid_size: int, ask_size: int, n: int) -> int:
    """Return min(n − 1, ⌊n × bid_size / (bid_size + ask_size)⌋) in integers; n is at most 64, a size is above 0."""
    if bid_size < SMALL and ask_size < SMALL:
        return min(n - 1, n * bid_size // (bid_size + ask_size))
    part = pair_of(0)
    for _ in range(n):
        part = sum_of_pairs(part, pair_of(bid_size))
    whole = sum_of_pairs(pair_of(bid_size), pair_of(ask_size))
    found = 0
    while found < n - 1:
        part = difference(part, whole)
        if part[0] < 0:
            break
        found += 1
    return found


@kernel
def _same(mantissa: int, exponent: int, other: int, other_exponent: int) -> bool:
    """Return whether two decimals above 0 are equal; the second has no zeros at its end."""
    up = exponent - other_exponent
    if up <= 0:
        return -up <= DIGITS and mantissa % POW10[-up] == 0 and mantissa // POW10[-up] == other
    return up <= DIGITS and other % POW10[up] == 0 and other // POW10[up] == mantissa


@kernel
def fill_microprice(h: History, books: Books, b: int, row: np.ndarray) -> int:
    """Fill the microprice of a book with two sides: NaN while it is crossed; return NOT_FITTED when no table gave it.

    Without a table, or when the instrument's tick is not the table's, it is the WAP.
    """
    head = h.heads[b]
    words = books.words
    base = b * WORDS
    if words[base + TOPS + TOP_SIDES] != BOTH_SIDES:
        return 0
    tick = words[base + TICK_UNITS]
    n = head[BUCKETS]
    if (
        n == 0
        or tick == 0
        or not _same(words[base + TICK], words[base + TICK_EXP], head[TABLE_TICK], head[TABLE_TICK_EXP])
    ):
        row[MICROPRICE] = row[WAP_0MS]
        return NOT_FITTED
    top = words[base + TOPS : base + TOPS + 8]
    bid, ask = top[BID_PRICE], top[ASK_PRICE]
    if ask < bid:
        return 0
    i = bucket_of(top[BID_PRICE + 1], top[ASK_PRICE + 1], n)
    s = min(head[SPREADS], (ask - bid) // tick)
    adjustment = float(tick) * h.ring_floats[b, i * (MAX_SPREAD + 1) + s]
    row[MICROPRICE] = scaled(0.5 * sum_of(bid, ask) + adjustment, top[TOP_PRICE_EXP])
    return 0

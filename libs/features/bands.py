"""Which levels lie within x basis points of mid, by integers (markets.md, *Features*)."""

from __future__ import annotations

import numpy as np

from libs.book.state import COUNTS, FIRST, KNOWN_END, KNOWN_SET, KNOWN_TO, NOTHING_CUT
from libs.jit import kernel

MASK_32 = 2**32 - 1
MAX = 2**63 - 1
HALF_SUM_BPS = 20_000
"""(b + a) × 10,000 bps over 2: prices are compared as HALF_SUM_BPS × p with (b + a) × (10,000 ± x)."""


@kernel
def band_edge(bid: int, ask: int, parts: int) -> tuple[int, int]:
    """Return quotient and remainder of (bid + ask) × parts over HALF_SUM_BPS; a quotient beyond int64 becomes (MAX, 1).

    Parameters
    ----------
    parts : int
        10,000 − x for bids, 10,000 + x for asks; 0 to 20,000.
    """
    high = ((bid >> 32) + (ask >> 32)) * parts
    low = ((bid & MASK_32) + (ask & MASK_32)) * parts
    rest = (high % HALF_SUM_BPS << 32) + low
    part = rest // HALF_SUM_BPS
    top = high // HALF_SUM_BPS + (part >> 32)
    if top > MAX >> 32:
        return MAX, 1
    return (top << 32) + (part & MASK_32), rest % HALF_SUM_BPS


@kernel
def _count_from(row: np.ndarray, first: int, end: int, sign: int, edge: int) -> int:
    """Return how many of a side's best levels are at ``edge`` or better."""
    low = first
    high = end
    while low < high:
        middle = (low + high) >> 1
        if sign * row[middle] >= sign * edge:
            high = middle
        else:
            low = middle + 1
    return end - low


@kernel
def levels_in_band(
    row: np.ndarray, words: np.ndarray, base: int, side: int, bid: int, ask: int, bps: int
) -> tuple[int, bool]:
    """Return how many levels of a side lie within ``bps`` of mid, and whether the band ends inside what is known.

    Parameters
    ----------
    row : int64[:]
        The side's prices.
    words, base : int64[:], int
        The books' words, and where this book's begin.
    bid, ask : int
        Best prices, in the book's unit.
    bps : int
        0 to 10,000.
    """
    first = words[base + FIRST + side]
    end = first + words[base + COUNTS + side]
    if side == 0:
        quotient, remainder = band_edge(bid, ask, 10_000 - bps)
        edge = quotient + (1 if remainder > 0 else 0)
    else:
        quotient, remainder = band_edge(bid, ask, 10_000 + bps)
        edge = quotient
    n = _count_from(row, first, end, 1 - 2 * side, edge)
    known = words[base + KNOWN_SET + side]
    if known != KNOWN_TO:
        return n, known == NOTHING_CUT
    last = words[base + KNOWN_END + side]
    if side == 0:
        return n, quotient >= last
    return n, quotient < last or (quotient == last and remainder == 0)

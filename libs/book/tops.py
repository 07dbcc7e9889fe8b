"""Read the best levels of a book, from the thread that owns it."""

from __future__ import annotations

import numpy as np

from libs.book.state import (
    COUNTS,
    FIRST,
    KNOWN_END,
    KNOWN_SET,
    KNOWN_TO,
    NOTHING_CUT,
    NOTHING_KNOWN,
    TOP_SIDES,
    TOPS,
    WORDS,
    Books,
)
from libs.jit import kernel


@kernel(inline=True)
def has_top(books: Books, b: int, side: int) -> bool:
    """Return whether the side had a level after the last completed event."""
    return books.words[b * WORDS + TOPS + TOP_SIDES] >> side & 1 == 1


@kernel
def _copy_side(
    prices: np.ndarray,
    sizes: np.ndarray,
    words: np.ndarray,
    base: int,
    side: int,
    n: int,
    out_prices: np.ndarray,
    out_sizes: np.ndarray,
) -> int:
    count = min(n, words[base + COUNTS + side])
    best = words[base + FIRST + side] + words[base + COUNTS + side] - 1
    for k in range(count):
        out_prices[k] = prices[best - k]
        out_sizes[k] = sizes[best - k]
    for k in range(count, n):
        out_prices[k] = 0
        out_sizes[k] = 0
    return count


@kernel(inline=True)
def copy_top(
    books: Books,
    b: int,
    n: int,
    bid_prices: np.ndarray,
    bid_sizes: np.ndarray,
    ask_prices: np.ndarray,
    ask_sizes: np.ndarray,
) -> tuple[int, int]:
    """Copy the ``n`` best levels a side, best first, and zeros after them; not while an event is open (odd version).

    Parameters
    ----------
    bid_prices, bid_sizes, ask_prices, ask_sizes : int64[>= n]
        Filled with mantissas in the book's unit.

    Returns
    -------
    tuple of int
        Bids and asks copied.
    """
    base = b * WORDS
    bids = _copy_side(books.prices[b, 0], books.sizes[b, 0], books.words, base, 0, n, bid_prices, bid_sizes)
    asks = _copy_side(books.prices[b, 1], books.sizes[b, 1], books.words, base, 1, n, ask_prices, ask_sizes)
    return bids, asks


@kernel(inline=True)
def within_known(books: Books, b: int, side: int, n: int) -> bool:
    """Return whether the ``n`` best levels of a side are all known: none lies beyond the side's known end.

    Without a known end the side is whole, however few levels it has.
    """
    words = books.words
    base = b * WORDS
    known = words[base + KNOWN_SET + side]
    if known == NOTHING_CUT:
        return True
    count = words[base + COUNTS + side]
    if known == NOTHING_KNOWN or count < n:
        return False
    sign = 1 - 2 * side
    price = books.prices[b, side, words[base + FIRST + side] + count - n]
    return known != KNOWN_TO or sign * price >= sign * words[base + KNOWN_END + side]

"""One side of a book: sorted levels that slide in their row, the best one last."""

from __future__ import annotations

import numpy as np

from libs.book.state import (
    COUNTERS,
    COUNTS,
    DROPPED_LEVELS,
    FIRST,
    KNOWN_END,
    KNOWN_SET,
    KNOWN_TO,
    LOT_UNITS,
    NOTHING_CUT,
    OFF_LOT,
    OFF_TICK,
    SLACK,
    TICK_UNITS,
)
from libs.jit import kernel

SCAN = 8
"""Levels looked at one by one from the best before a binary search: most changes are near the top."""


@kernel(inline=True)
def pull_in(words: np.ndarray, base: int, side: int, sign: int, price: int) -> None:
    """Move a side's known end inwards to a price, if it is further in; ``sign`` is 1 for bids and -1 for asks."""
    known = words[base + KNOWN_SET + side]
    if known == NOTHING_CUT or (known == KNOWN_TO and sign * price > sign * words[base + KNOWN_END + side]):
        words[base + KNOWN_SET + side] = KNOWN_TO
        words[base + KNOWN_END + side] = price


@kernel(inline=True)
def find(prices: np.ndarray, first: int, end: int, sign: int, price: int) -> int:
    """Return the place of the last level that is not better than a price, ``first - 1`` when all are better."""
    place = end - 1
    stop = max(first, end - SCAN)
    key = sign * price
    while place >= stop and sign * prices[place] > key:
        place -= 1
    if place >= stop or stop == first:
        return place
    low = first
    while low < stop:
        middle = (low + stop) >> 1
        if sign * prices[middle] > key:
            stop = middle
        else:
            low = middle + 1
    return low - 1


@kernel
def _centre(prices: np.ndarray, sizes: np.ndarray, first: int, count: int) -> int:
    """Move a side to the middle of its row, so that there is room at both ends; return its new first place."""
    to = (len(prices) - count) >> 1
    if to < first:
        for k in range(count):
            prices[to + k] = prices[first + k]
            sizes[to + k] = sizes[first + k]
    else:
        for k in range(count - 1, -1, -1):
            prices[to + k] = prices[first + k]
            sizes[to + k] = sizes[first + k]
    return to


@kernel(inline=True)
def _remove(prices: np.ndarray, sizes: np.ndarray, first: int, end: int, place: int) -> int:
    """Close the gap from the nearer end; return the new first place."""
    if end - 1 - place <= place - first:
        for k in range(place, end - 1):
            prices[k] = prices[k + 1]
            sizes[k] = sizes[k + 1]
        return first
    for k in range(place, first, -1):
        prices[k] = prices[k - 1]
        sizes[k] = sizes[k - 1]
    return first + 1


@kernel(inline=True)
def _insert(prices: np.ndarray, sizes: np.ndarray, first: int, count: int, place: int, price: int, size: int) -> int:
    """Put a level after ``place``, moving the shorter part; return the new first place."""
    above = first + count - 1 - place
    below = place - first + 1
    if (first + count == len(prices)) if above <= below else (first == 0):
        moved = _centre(prices, sizes, first, count)
        place += moved - first
        first = moved
    if above <= below:
        for k in range(first + count - 1, place, -1):
            prices[k + 1] = prices[k]
            sizes[k + 1] = sizes[k]
        prices[place + 1] = price
        sizes[place + 1] = size
        return first
    for k in range(first, place + 1):
        prices[k - 1] = prices[k]
        sizes[k - 1] = sizes[k]
    prices[place] = price
    sizes[place] = size
    return first - 1


@kernel(inline=True)
def apply_side(
    prices: np.ndarray,
    sizes: np.ndarray,
    words: np.ndarray,
    base: int,
    side: int,
    sign: int,
    data: np.ndarray,
    at: int,
    n: int,
    scale: tuple[int, int, int, int, int, int],
) -> bool:
    """Apply absolute sizes to a side in the order given (size 0 removes; of a price given twice the last counts).

    Parameters
    ----------
    prices, sizes : int64[:]
        The side's row.
    words, base : int64[:], int
        Block of words, and where the book's begin.
    sign : int
        1 for bids, -1 for asks; a constant, so that two versions are compiled.
    data, at, n : int64[:], int, int
        ``n`` pairs price, size from word ``at``.
    scale : tuple
        From message to book: price factor, divisor and largest mantissa, then the size's.

    Returns
    -------
    bool
        False at a level that is negative or beyond int64 in the book's unit; what came before it is applied.
    """
    count = words[base + COUNTS + side]
    first = words[base + FIRST + side]
    depth = len(prices) - SLACK
    price_factor, price_divisor, price_limit, size_factor, size_divisor, size_limit = scale
    same_unit = price_factor == 1 and price_divisor == 1 and size_factor == 1 and size_divisor == 1
    fine = True
    for i in range(at, at + 2 * n, 2):
        price = data[i]
        size = data[i + 1]
        if price < 0 or size < 0 or price > price_limit or size > size_limit:
            fine = False
            break
        if not same_unit:
            price = price * price_factor // price_divisor
            size = size * size_factor // size_divisor
        end = first + count
        place = find(prices, first, end, sign, price)
        if place >= first and prices[place] == price:
            if size > 0:
                sizes[place] = size
            else:
                first = _remove(prices, sizes, first, end, place)
                count -= 1
        elif size > 0:
            if words[base + TICK_UNITS] > 0 and price % words[base + TICK_UNITS] != 0:
                words[base + COUNTERS + OFF_TICK] += 1
            if words[base + LOT_UNITS] > 0 and size % words[base + LOT_UNITS] != 0:
                words[base + COUNTERS + OFF_LOT] += 1
            if count == depth:
                words[base + COUNTERS + DROPPED_LEVELS] += 1
                if place >= first:
                    first = _insert(prices, sizes, first + 1, count - 1, place, price, size)
                pull_in(words, base, side, sign, prices[first])
            else:
                first = _insert(prices, sizes, first, count, place, price, size)
                count += 1
    words[base + COUNTS + side] = count
    words[base + FIRST + side] = first
    return fine

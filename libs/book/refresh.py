"""Compare a REFRESH with the book that it should equal, and adopt what the book did not know."""

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
    SLACK,
)
from libs.jit import kernel


@kernel(inline=True)
def _beyond(words: np.ndarray, base: int, side: int, sign: int, price: int) -> bool:
    """Return whether a price lies beyond a side's known end."""
    known = words[base + KNOWN_SET + side]
    return known == NOTHING_KNOWN or (known == KNOWN_TO and sign * price < sign * words[base + KNOWN_END + side])


@kernel
def _known_levels(prices: np.ndarray, words: np.ndarray, base: int, other: int, side: int, sign: int) -> int:
    """Return how many of a side's best levels lie within the known ends of two books; ``prices`` is the first's."""
    first = words[base + FIRST + side]
    place = first + words[base + COUNTS + side] - 1
    n = 0
    while place >= first and not (
        _beyond(words, base, side, sign, prices[place]) or _beyond(words, other, side, sign, prices[place])
    ):
        place -= 1
        n += 1
    return n


@kernel
def same_side(
    prices: np.ndarray, sizes: np.ndarray, words: np.ndarray, b: int, s: int, bases: tuple[int, int], side: int
) -> bool:
    """Return whether rows ``b`` and ``s`` hold the same levels within what both know; in one unit.

    Parameters
    ----------
    prices, sizes : int64[rows, 2, :]
    bases : tuple
        Where the words of ``b`` and ``s`` begin.
    """
    sign = 1 - 2 * side
    base, other = bases
    n = _known_levels(prices[b, side], words, base, other, side, sign)
    if n != _known_levels(prices[s, side], words, other, base, side, sign):
        return False
    mine = words[base + FIRST + side] + words[base + COUNTS + side] - 1
    theirs = words[other + FIRST + side] + words[other + COUNTS + side] - 1
    for k in range(n):
        if (
            prices[b, side, mine - k] != prices[s, side, theirs - k]
            or sizes[b, side, mine - k] != sizes[s, side, theirs - k]
        ):
            return False
    return True


@kernel
def _knows_more(words: np.ndarray, base: int, other: int, side: int, sign: int) -> bool:
    """Return whether the second book's known end lies further out than the first's."""
    known = words[base + KNOWN_SET + side]
    theirs = words[other + KNOWN_SET + side]
    if known == NOTHING_CUT or theirs == NOTHING_KNOWN:
        return False
    if known == NOTHING_KNOWN or theirs == NOTHING_CUT:
        return True
    return sign * words[other + KNOWN_END + side] < sign * words[base + KNOWN_END + side]


@kernel
def adopt_side(
    prices: np.ndarray, sizes: np.ndarray, words: np.ndarray, b: int, s: int, bases: tuple[int, int], side: int
) -> None:
    """Give ``b`` the levels of ``s`` beyond its known end, and the known end of ``s``.

    Both are the same within ``b``'s known end, so the side becomes all of ``s`` and, while there is room, what ``b``
    had beyond the known end of ``s``.
    """
    sign = 1 - 2 * side
    base, other = bases
    if not _knows_more(words, base, other, side, sign):
        return
    row, row_sizes = prices[b, side], sizes[b, side]
    first = words[base + FIRST + side]
    count = words[base + COUNTS + side]
    tail = 0
    while tail < count and _beyond(words, other, side, sign, row[first + tail]):
        tail += 1
    n = words[other + COUNTS + side]
    keep = min(tail, len(row) - SLACK - n)
    for k in range(keep):
        row[k] = row[first + tail - keep + k]
        row_sizes[k] = row_sizes[first + tail - keep + k]
    theirs = words[other + FIRST + side]
    for k in range(n):
        row[keep + k] = prices[s, side, theirs + k]
        row_sizes[keep + k] = sizes[s, side, theirs + k]
    words[base + FIRST + side] = 0
    words[base + COUNTS + side] = keep + n
    words[base + KNOWN_SET + side] = words[other + KNOWN_SET + side]
    words[base + KNOWN_END + side] = words[other + KNOWN_END + side]

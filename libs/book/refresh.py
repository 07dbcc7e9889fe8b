"""Compare a REFRESH with the book that it should equal, and adopt what the book did not know."""

from __future__ import annotations

import numpy as np

from libs.book.events import (
    EVENT_DONE,
    REFRESH_DIVERGED,
    REFRESH_SAME,
    REFUSED_BAD_BODY,
    end_change,
    free_stage,
    refuse_event,
    set_known_ends,
    settle,
    show,
    start_change,
    write_tops,
)
from libs.book.flags import BAD, DIVERGED
from libs.book.rebase import rebase
from libs.book.state import (
    COUNTERS,
    COUNTS,
    CUT,
    DIVERGED_COUNT,
    FIRST,
    FLAGS,
    KNOWN_END,
    KNOWN_SET,
    KNOWN_TO,
    NOTHING_CUT,
    NOTHING_KNOWN,
    PRICE_EXP,
    REFRESH_TOPS,
    REFRESHES,
    SIZE_EXP,
    SLACK,
    STAGE,
    STAGES,
    TAINT,
    WORDS,
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


@kernel
def end_refresh(
    prices: np.ndarray, sizes: np.ndarray, words: np.ndarray, owners: np.ndarray, b: int, feed_ts_us: int
) -> int:
    """Compare the collected REFRESH with the book and adopt what lies beyond its known ends.

    Parameters
    ----------
    prices, sizes : int64[rows, 2, :]
    """
    base = b * WORDS
    if words[base + TAINT]:
        words[base + FLAGS] |= words[base + TAINT]
        free_stage(words, owners, base)
        settle(words, base)
        return EVENT_DONE
    s = len(prices) - STAGES + words[base + STAGE] - 1
    other = s * WORDS
    bases = (base, other)
    set_known_ends(prices[s], words, other, words[base + CUT])
    start_change(words, base)
    price_exp, size_exp = words[other + PRICE_EXP], words[other + SIZE_EXP]
    if not rebase(prices[b], sizes[b], words, base, price_exp, size_exp):
        end_change(words, base)
        return refuse_event(words, owners, base, REFUSED_BAD_BODY, BAD, True)
    same = same_side(prices, sizes, words, b, s, bases, 0) and same_side(prices, sizes, words, b, s, bases, 1)
    if same:
        adopt_side(prices, sizes, words, b, s, bases, 0)
        adopt_side(prices, sizes, words, b, s, bases, 1)
        show(prices[b], sizes[b], words, base)
    else:
        write_tops(prices[s], sizes[s], words, other, base + REFRESH_TOPS, feed_ts_us)
        words[base + FLAGS] |= DIVERGED
        words[base + COUNTERS + DIVERGED_COUNT] += 1
    end_change(words, base)
    free_stage(words, owners, base)
    settle(words, base)
    words[base + COUNTERS + REFRESHES] += 1
    return REFRESH_SAME if same else REFRESH_DIVERGED

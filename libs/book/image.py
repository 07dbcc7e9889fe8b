"""A book's levels as its owner would show them to another: what is known of each side, best first."""

from __future__ import annotations

import numpy as np

from libs.book.state import COUNTS, FIRST, KNOWN_END, KNOWN_SET, NOTHING_CUT, NOTHING_KNOWN, WORDS, Books
from libs.jit import kernel


@kernel
def side_image(books: Books, b: int, side: int, levels: np.ndarray, at: int, most: int) -> tuple[int, int]:
    """Copy what is known of a side, best first, to ``levels``; return (levels, 1 when the side goes on below).

    Parameters
    ----------
    side : int
        0 bids, 1 asks.
    levels, at : int64[:], int
        Level i goes to ``levels[at + 2 * i]`` (price) and ``levels[at + 2 * i + 1]`` (size).
    most : int
        Levels at the most.
    """
    w, base = books.words, b * WORDS
    known, end = w[base + KNOWN_SET + side], w[base + KNOWN_END + side]
    if known == NOTHING_KNOWN:
        return 0, 1
    sign = 1 - 2 * side
    first, taken = w[base + FIRST + side], 0
    for k in range(first + w[base + COUNTS + side] - 1, first - 1, -1):
        price = books.prices[b, side, k]
        if known != NOTHING_CUT and sign * price < sign * end:
            break
        if taken == most:
            return taken, 1
        levels[at + 2 * taken], levels[at + 2 * taken + 1] = price, books.sizes[b, side, k]
        taken += 1
    return taken, 0 if known == NOTHING_CUT else 1

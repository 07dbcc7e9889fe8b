"""Order flow of one event at the best levels, and its running totals (markets.md, *order_flow_imbalance*, *ofi_l…*).

Cont, Kukanov, Stoikov (2014) for the best level, Xu, Gould, Howison (2019) for the k-th: a side's term is the size now
if its price became better, the change of size if it stayed, minus the size before if it became worse; e is the bids'
term minus the asks'. A missing level is worse than any price and has size 0. Integers throughout.
"""

from __future__ import annotations

import numpy as np

from libs.book.rebase import DIGITS, POW10
from libs.book.state import COUNTS, FIRST, PRICE_EXP, SIZE_EXP, WORDS, Books
from libs.features.history import (
    FLOW_BASE,
    FLOW_EXP,
    FLOW_HAS_EXP,
    FLOW_RING,
    FLOW_TOTALS,
    FLOW_WORDS,
    LEVELS,
    PRIOR,
    PRIOR_COUNTS,
    PRIOR_PRICE_EXP,
    PRIOR_SIZE_EXP,
    R_BASE_US,
    R_HEAD,
    R_TAIL,
    RESTARTS,
    WIDTHS,
    History,
    control_of,
    empty_ring,
    entry,
)
from libs.features.pairs import difference, fits_scaled, pair_of, plus, sum_of_pairs, times_ten_to
from libs.jit import kernel

WIDTH = WIDTHS[FLOW_RING]
WORSE, EQUAL, BETTER = -1, 0, 1


@kernel
def take_levels(h: History, books: Books, b: int) -> None:
    """Keep the best levels, with their unit, to compare the next event with."""
    head = h.heads[b]
    words = books.words
    base = b * WORDS
    head[PRIOR_PRICE_EXP] = words[base + PRICE_EXP]
    head[PRIOR_SIZE_EXP] = words[base + SIZE_EXP]
    for side in range(2):
        count = words[base + COUNTS + side]
        best = words[base + FIRST + side] + count - 1
        n = min(LEVELS, count)
        head[PRIOR_COUNTS + side] = n
        at = PRIOR + side * 2 * LEVELS
        for k in range(n):
            head[at + 2 * k] = books.prices[b, side, best - k]
            head[at + 2 * k + 1] = books.sizes[b, side, best - k]


@kernel(inline=True)
def _place(price: int, prior: int, digits: int, sign: int) -> int:
    """Return how a price compares with one that is worth 10^digits as much a unit: BETTER, EQUAL or WORSE."""
    if digits == 0:
        if price == prior:
            return EQUAL
        return BETTER if sign * price > sign * prior else WORSE
    if digits > DIGITS:
        whole = 0 if prior == 0 else -1
        rest = price
    else:
        whole = price // POW10[digits] - prior
        rest = price % POW10[digits]
    if whole == 0 and rest == 0:
        return EQUAL
    return sign if whole >= 0 else -sign


@kernel
def _side_term(h: History, books: Books, b: int, side: int, k: int, digits: int) -> tuple[int, int]:
    """Return what the k-th level of a side adds to its term now and takes from it as it was before: two sizes."""
    head = h.heads[b]
    base = b * WORDS
    count = books.words[base + COUNTS + side]
    there = k < count
    was = k < head[PRIOR_COUNTS + side]
    if not there and not was:
        return 0, 0
    at = PRIOR + side * 2 * LEVELS + 2 * k
    place = books.words[base + FIRST + side] + count - 1 - k
    if not was:
        return books.sizes[b, side, place], 0
    if not there:
        return 0, head[at + 1]
    moved = _place(books.prices[b, side, place], head[at], digits, 1 - 2 * side)
    now = books.sizes[b, side, place] if moved >= EQUAL else 0
    before = head[at + 1] if moved <= EQUAL else 0
    return now, before


@kernel
def restart_flow(h: History, b: int, size_exp: int, now_us: int) -> None:
    """Begin the totals anew, in a unit that they could not be brought to; windows over this moment are cut."""
    head = h.heads[b]
    head[FLOW_EXP] = size_exp
    for k in range(FLOW_WORDS):
        head[FLOW_TOTALS + k] = 0
        head[FLOW_BASE + k] = 0
    empty_ring(h, b, FLOW_RING)
    head[control_of(FLOW_RING) + R_BASE_US] = now_us
    head[RESTARTS] += 1


@kernel
def _scale_words(words: np.ndarray, at: int, n: int, digits: int) -> None:
    for k in range(at, at + n, 2):
        words[k], words[k + 1] = times_ten_to((words[k], words[k + 1]), digits)


@kernel
def totals_fit(words: np.ndarray, at: int, n: int, digits: int) -> bool:
    """Return whether every pair of ``words[at:at + n]`` fits when scaled by 10^digits."""
    for k in range(at, at + n, 2):  # noqa: SIM110 - kernels have no generators
        if not fits_scaled((words[k], words[k + 1]), digits):
            return False
    return True


@kernel
def scale_totals(
    h: History, b: int, ring: int, width: int, skip: int, totals: int, base: int, n: int, digits: int
) -> bool:
    """Bring totals, base and entries to a unit 10^digits finer; False, and nothing is changed, when they do not fit.

    Parameters
    ----------
    skip : int
        Words of an entry before its pairs.
    totals, base : int
        Where the pairs stand in the head.
    n : int
        Words of the pairs.
    """
    head = h.heads[b]
    if not totals_fit(head, totals, n, digits) or not totals_fit(head, base, n, digits):
        return False
    control = control_of(ring)
    row = h.rings[b]
    for index in range(head[control + R_TAIL], head[control + R_HEAD]):
        if not totals_fit(row, entry(h, b, ring, width, index) + skip, n, digits):
            return False
    for index in range(head[control + R_TAIL], head[control + R_HEAD]):
        _scale_words(row, entry(h, b, ring, width, index) + skip, n, digits)
    _scale_words(head, totals, n, digits)
    _scale_words(head, base, n, digits)
    return True


@kernel
def _set_unit(h: History, b: int, size_exp: int, now_us: int) -> None:
    """Make the flow's unit at least as fine as the book's, and near enough for its sizes to fit."""
    head = h.heads[b]
    if head[FLOW_HAS_EXP] == 0:
        head[FLOW_HAS_EXP] = 1
        head[FLOW_EXP] = size_exp
    finer = head[FLOW_EXP] - size_exp
    if finer > 0:
        if scale_totals(h, b, FLOW_RING, WIDTH, 1, FLOW_TOTALS, FLOW_BASE, FLOW_WORDS, finer):
            head[FLOW_EXP] = size_exp
        else:
            restart_flow(h, b, size_exp, now_us)
    elif -finer > DIGITS:
        restart_flow(h, b, size_exp, now_us)


@kernel
def add_flow(h: History, books: Books, b: int, now_us: int) -> bool:
    """Add e of this event at every level to the totals; return whether any is not 0."""
    head = h.heads[b]
    base = b * WORDS
    size_exp = books.words[base + SIZE_EXP]
    _set_unit(h, b, size_exp, now_us)
    up = size_exp - head[FLOW_EXP]
    up_before = head[PRIOR_SIZE_EXP] - head[FLOW_EXP]
    if up_before > DIGITS:
        restart_flow(h, b, size_exp, now_us)
        return False
    digits = head[PRIOR_PRICE_EXP] - books.words[base + PRICE_EXP]
    flowed = False
    for k in range(LEVELS):
        bid_now, bid_before = _side_term(h, books, b, 0, k, digits)
        ask_now, ask_before = _side_term(h, books, b, 1, k, digits)
        if bid_now == bid_before and ask_now == ask_before and up == up_before:
            continue
        now = plus(pair_of(bid_now), -ask_now)
        before = plus(pair_of(bid_before), -ask_before)
        if up > 0:
            now = times_ten_to(now, up)
        if up_before > 0:
            before = times_ten_to(before, up_before)
        e = difference(now, before)
        if e[0] == 0 and e[1] == 0:
            continue
        flowed = True
        at = FLOW_TOTALS + 2 * k
        head[at], head[at + 1] = sum_of_pairs((head[at], head[at + 1]), e)
    return flowed

"""Squared log mid returns and their sums over two windows and since start (markets.md, *realized_vol_1s, _60s*)."""

from __future__ import annotations

import math

from libs.book.state import ASK_PRICE, BID_PRICE, TOP_PRICE_EXP, TOP_SIDES, TOPS, WORDS, Books
from libs.features.history import (
    CHANGED,
    DROPPED,
    LEVELS,
    NEVER,
    PRIOR,
    PRIOR_COUNTS,
    PRIOR_PRICE_EXP,
    R_HEAD,
    R_TAIL,
    RETURN_LOST_US,
    RETURN_NEXT,
    RETURN_RING,
    SUMS,
    WIDTHS,
    WINDOW_US,
    History,
    control_of,
    empty_ring,
    entry,
    has_room,
)
from libs.features.pairs import as_float, difference, fits_scaled, pair_of, plus, times_ten_to
from libs.features.sums import LIMBS, add, clear
from libs.jit import kernel

LONG_WINDOW_US = 60_000_000
WIDTH = WIDTHS[RETURN_RING]
SHORT_SUM, LONG_SUM = SUMS, SUMS + LIMBS
BOTH_SIDES = 3
LN_10 = math.log(10.0)


@kernel
def log_return(bid: int, ask: int, bid_before: int, ask_before: int, digits: int) -> float:
    """Return ln((b + a) / (b' + a')) of positive sums, within 4 ulp; the prices before are in 10^digits their unit.

    Near 1 the difference of the sums is taken in integers: the rounding of their ratio would be the whole return.
    """
    now = plus(pair_of(bid), ask)
    before = plus(pair_of(bid_before), ask_before)
    if digits > 0 and fits_scaled(before, digits):
        before = times_ten_to(before, digits)
        digits = 0
    if digits > 0:
        return math.log(as_float(now)) - math.log(as_float(before)) - digits * LN_10
    over = as_float(difference(now, before)) / as_float(before)
    if -0.5 < over < 1.0:
        return math.log1p(over)
    return math.log(as_float(now) / as_float(before))


@kernel
def _take_away(h: History, b: int, total: int, index: int) -> None:
    """Take an entry's squared return out of a window's sum."""
    at = entry(h, b, RETURN_RING, WIDTH, index)
    add(h.heads[b], total, h.ring_floats[b, at + 1], -1)
    h.heads[b, CHANGED + (total - SUMS) // LIMBS] = 1


@kernel
def pass_returns(h: History, b: int, now_us: int) -> None:
    """Take out of the two windows what has left them."""
    head = h.heads[b]
    control = control_of(RETURN_RING)
    end = head[control + R_HEAD]
    while (
        head[RETURN_NEXT] < end and h.rings[b, entry(h, b, RETURN_RING, WIDTH, head[RETURN_NEXT])] <= now_us - WINDOW_US
    ):
        _take_away(h, b, SHORT_SUM, head[RETURN_NEXT])
        head[RETURN_NEXT] += 1
    while (
        head[control + R_TAIL] < end
        and h.rings[b, entry(h, b, RETURN_RING, WIDTH, head[control + R_TAIL])] <= now_us - LONG_WINDOW_US
    ):
        _take_away(h, b, LONG_SUM, head[control + R_TAIL])
        head[control + R_TAIL] += 1


@kernel
def put_return(h: History, books: Books, b: int, now_us: int) -> None:
    """Keep the squared log mid return of an event, when both mids are there and it is not 0."""
    head = h.heads[b]
    top = books.words[b * WORDS + TOPS : b * WORDS + TOPS + 8]
    if top[TOP_SIDES] != BOTH_SIDES or head[PRIOR_COUNTS] == 0 or head[PRIOR_COUNTS + 1] == 0:
        return
    bid, ask = top[BID_PRICE], top[ASK_PRICE]
    bid_before, ask_before = head[PRIOR], head[PRIOR + 2 * LEVELS]
    digits = head[PRIOR_PRICE_EXP] - top[TOP_PRICE_EXP]
    if (bid == 0 and ask == 0) or (bid_before == 0 and ask_before == 0):
        return
    if digits == 0 and bid == bid_before and ask == ask_before:
        return
    change = log_return(bid, ask, bid_before, ask_before, digits)
    squared = change * change
    if squared == 0.0:
        return
    control = control_of(RETURN_RING)
    if not has_room(h, b, RETURN_RING, WIDTH):
        oldest = head[control + R_TAIL]
        head[RETURN_LOST_US] = h.rings[b, entry(h, b, RETURN_RING, WIDTH, oldest)]
        if head[RETURN_NEXT] == oldest:
            _take_away(h, b, SHORT_SUM, oldest)
            head[RETURN_NEXT] = oldest + 1
        _take_away(h, b, LONG_SUM, oldest)
        head[control + R_TAIL] = oldest + 1
        head[DROPPED] += 1
    at = entry(h, b, RETURN_RING, WIDTH, head[control + R_HEAD])
    h.rings[b, at] = now_us
    h.ring_floats[b, at + 1] = squared
    head[control + R_HEAD] += 1
    for k in range(3):
        add(head, SUMS + k * LIMBS, squared, 1)
        head[CHANGED + k] = 1


@kernel
def forget_returns(h: History, b: int) -> None:
    """Begin without any, but for the total."""
    head = h.heads[b]
    empty_ring(h, b, RETURN_RING)
    head[RETURN_NEXT] = head[control_of(RETURN_RING) + R_HEAD]
    head[RETURN_LOST_US] = NEVER
    for k in range(2):
        clear(head, SUMS + k * LIMBS)
        head[CHANGED + k] = 1

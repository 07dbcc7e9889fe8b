"""Consolidate the books of a symbol into one quote (markets.md, *NBBO*).

Reads only ``Books.tops``, flags and instruments: what stands there is of completed events, whatever is under way. A
book stands in a slot: its exchange id, plus EXCHANGES for each quote currency before its own where a mapping joins
several (libs.nbbo.families).
"""

from __future__ import annotations

import numpy as np

from libs.book.flags import HALTED, INVALID, MUTE, STALE
from libs.book.rebase import DIGITS, MAX, POW10
from libs.book.state import (
    ASK_PRICE,
    BID_PRICE,
    BID_SIZE,
    FLAGS,
    INVERSE,
    MULTIPLIER,
    MULTIPLIER_EXP,
    TOP_FEED_TS_US,
    TOP_PRICE_EXP,
    TOP_SIDES,
    TOP_SIZE_EXP,
    TOPS,
    WORDS,
    Books,
)
from libs.features.exact import scaled, sum_of, value
from libs.jit import kernel
from libs.nbbo import states
from libs.nbbo.state import Nbbo

BOTH_SIDES = 3
NEAR = 1e-14
"""Relative distance below which two sizes of a few roundings each may be equal."""


@kernel(inline=True)
def _exclusion(words: np.ndarray, b: int) -> int:
    """Return why a book is left out, or TAKEN_IN."""
    flags = words[b * WORDS + FLAGS]
    if flags & INVALID:
        return states.NOT_VALID
    if flags & HALTED:
        return states.HALTED
    if flags & MUTE:
        return states.MUTE
    if flags & STALE:
        return states.STALE
    top = b * WORDS + TOPS
    if words[top + TOP_SIDES] == 0:
        return states.EMPTY
    if words[top + TOP_SIDES] == BOTH_SIDES and words[top + BID_PRICE] >= words[top + ASK_PRICE]:
        return states.SELF_CROSSED
    return states.TAKEN_IN


@kernel(inline=True)
def _put(column: np.ndarray, s: int, new: int) -> int:
    """Store; return 1 when it differs from what was there."""
    if column[s] == new:
        return 0
    column[s] = new
    return 1


@kernel
def _common(words: np.ndarray, members: np.ndarray) -> tuple[int, int]:
    """Return the kind of the first contract taken in (0 linear, 1 inverse), and the finest price exponent of it."""
    kind = -1
    exponent = 0
    for e in range(len(members)):
        b = members[e]
        if b < 0 or _exclusion(words, b) != states.TAKEN_IN:
            continue
        if kind < 0:
            kind = words[b * WORDS + INVERSE]
            exponent = words[b * WORDS + TOPS + TOP_PRICE_EXP]
        elif words[b * WORDS + INVERSE] == kind:
            exponent = min(exponent, words[b * WORDS + TOPS + TOP_PRICE_EXP])
    return kind, exponent


@kernel(inline=True)
def _price(words: np.ndarray, b: int, side: int, exponent: int) -> int:
    """Return a best price on the common scale, -1 when it leaves int64."""
    digits = words[b * WORDS + TOPS + TOP_PRICE_EXP] - exponent
    price = words[b * WORDS + TOPS + BID_PRICE + 2 * side]
    if digits > DIGITS or price > MAX // POW10[digits]:
        return 0 if price == 0 else -1
    return price * POW10[digits]


@kernel(inline=True)
def base_size(words: np.ndarray, b: int, side: int) -> float:
    """Return the best size in base currency: size × multiplier, of an inverse contract over the price."""
    top = b * WORDS + TOPS
    size = value(words[top + BID_SIZE + 2 * side], words[top + TOP_SIZE_EXP])
    if words[b * WORDS + MULTIPLIER] != 0:
        size *= value(words[b * WORDS + MULTIPLIER], words[b * WORDS + MULTIPLIER_EXP])
    if words[b * WORDS + INVERSE]:
        size /= value(words[top + BID_PRICE + 2 * side], words[top + TOP_PRICE_EXP])
    return size


@kernel
def _is_larger(words: np.ndarray, one: int, other: int, side: int, size: float, largest: float) -> bool:
    """Return whether a book shows more than another at one price, in integers where floats are too near to tell."""
    if abs(size - largest) > NEAR * largest:
        return size > largest
    one_at, other_at = one * WORDS, other * WORDS
    mine, theirs = words[one_at + TOPS + BID_SIZE + 2 * side], words[other_at + TOPS + BID_SIZE + 2 * side]
    # Multiplier 0: none was given, and 1 is meant.
    my_factor, their_factor = max(1, words[one_at + MULTIPLIER]), max(1, words[other_at + MULTIPLIER])
    digits = words[one_at + TOPS + TOP_SIZE_EXP] - words[other_at + TOPS + TOP_SIZE_EXP]
    if words[one_at + MULTIPLIER] != 0:
        digits += words[one_at + MULTIPLIER_EXP]
    if words[other_at + MULTIPLIER] != 0:
        digits -= words[other_at + MULTIPLIER_EXP]
    if abs(digits) > DIGITS or mine > MAX // my_factor or theirs > MAX // their_factor:
        return size > largest
    mine, theirs = mine * my_factor, theirs * their_factor
    finer = POW10[abs(digits)]
    if (mine if digits > 0 else theirs) > MAX // finer:
        return size > largest
    return mine * finer > theirs if digits > 0 else mine > theirs * finer


@kernel
def _exclude(words: np.ndarray, members: np.ndarray, kind: int, exponent: int, reasons: np.ndarray) -> int:
    """Rewrite who is left out and why; return 1 when that changed.

    Parameters
    ----------
    members : int64[slots]
        Books by slot; -1: not listed.
    reasons : int64[slots]
    """
    changed = 0
    for e in range(len(members)):
        b = members[e]
        reason = states.NOT_LISTED
        if b >= 0:
            reason = _exclusion(words, b)
        if reason == states.TAKEN_IN:
            if words[b * WORDS + INVERSE] != kind:
                reason = states.OTHER_KIND
            elif _price(words, b, 0, exponent) < 0 or _price(words, b, 1, exponent) < 0:
                reason = states.OUT_OF_SCALE
        changed |= _put(reasons, e, reason)
    return changed


@kernel
def _best(
    words: np.ndarray, members: np.ndarray, reasons: np.ndarray, side: int, exponent: int
) -> tuple[int, int, int, float, int]:
    """Return price, slots, the one to route to, summed size and newest feed time at the best price of a side."""
    sign = 1 - 2 * side
    price = 0
    exchanges = 0
    route = states.NO_EXCHANGE
    total = 0.0
    largest = 0.0
    feed = 0
    for e in range(len(members)):
        if reasons[e] != states.TAKEN_IN:
            continue
        b = members[e]
        if not words[b * WORDS + TOPS + TOP_SIDES] >> side & 1:
            continue
        mine = _price(words, b, side, exponent)
        if exchanges != 0 and sign * mine < sign * price:
            continue
        size = base_size(words, b, side)
        if exchanges == 0 or mine != price:
            price, exchanges, total, largest, feed, route = mine, 0, 0.0, size, 0, e
        elif _is_larger(words, b, members[route], side, size, largest):
            largest, route = size, e
        exchanges |= 1 << e
        total += size
        feed = max(feed, words[b * WORDS + TOPS + TOP_FEED_TS_US])
    return price, exchanges, route, total, feed


@kernel
def _state(nbbo: Nbbo, s: int, bid: int, ask: int, apart_us: int, now_us: int, stale_us: int, uncertain_us: int) -> int:
    """Classify two sides; remembers when a cross began."""
    if bid <= ask:
        nbbo.crossed_since_us[s] = -1
        return states.LOCKED if bid == ask else states.NORMAL
    if nbbo.updated[s] == 0 or nbbo.crossed_since_us[s] < 0:
        nbbo.crossed_since_us[s] = now_us
    if apart_us > stale_us:
        return states.CROSSED_STALE
    if now_us - nbbo.crossed_since_us[s] < uncertain_us:
        return states.CROSSED_UNCERTAIN
    return states.CROSSED_REAL


@kernel
def update(
    nbbo: Nbbo,
    books: Books,
    members: np.ndarray,
    s: int,
    now_feed_us: int,
    stale_cross_us: int,
    uncertainty_us: int,
) -> int:
    """Consolidate a symbol again, after an event or a change of flags of one of its books.

    Parameters
    ----------
    members : int64[slots]
        Books by slot, as many as ``nbbo.excluded`` has columns; -1: not listed.
    s : int
        Row of ``nbbo``.
    now_feed_us : int
        Feed time of that event; one older than the last (another channel's clock) counts as no time passed.
    stale_cross_us : int
        A cross is stale when the two sides' newest feed times lie further apart.
    uncertainty_us : int
        A cross is uncertain until it has lasted this long in feed time.

    Returns
    -------
    int
        1 when the quote, its state or who is left out changed, else 0.
    """
    words = books.words
    reasons = nbbo.excluded[s]
    now_us = max(now_feed_us, nbbo.feed_ts_us[s])
    if nbbo.updated[s]:
        nbbo.state_us[s, nbbo.state[s]] += now_us - nbbo.feed_ts_us[s]
    kind, exponent = _common(words, members)
    changed = _exclude(words, members, kind, exponent, reasons)
    bid, bids, bid_route, bid_size, bid_feed = _best(words, members, reasons, 0, exponent)
    ask, asks, ask_route, ask_size, ask_feed = _best(words, members, reasons, 1, exponent)
    state = states.NONE
    mid = np.nan
    spread = np.nan
    if bids and asks:
        apart = abs(bid_feed - ask_feed)
        state = _state(nbbo, s, bid, ask, apart, now_us, stale_cross_us, uncertainty_us)
        mid = scaled(sum_of(bid, ask) / 2, exponent)
        spread = value(ask - bid, exponent)
    else:
        nbbo.crossed_since_us[s] = -1
    changed |= _put(nbbo.state, s, state) | _put(nbbo.price_exp, s, exponent)
    changed |= _put(nbbo.bid_price, s, bid) | _put(nbbo.ask_price, s, ask)
    changed |= _put(nbbo.bid_exchanges, s, bids) | _put(nbbo.ask_exchanges, s, asks)
    changed |= _put(nbbo.bid_exchange, s, bid_route) | _put(nbbo.ask_exchange, s, ask_route)
    if nbbo.bid_size[s] != bid_size or nbbo.ask_size[s] != ask_size or nbbo.updated[s] == 0:
        nbbo.bid_size[s] = bid_size
        nbbo.ask_size[s] = ask_size
        changed = 1
    nbbo.mid[s] = mid
    nbbo.spread[s] = spread
    nbbo.feed_ts_us[s] = now_us
    nbbo.updated[s] = 1
    return changed

"""The WAPs that lags reach back to, and which of them is in force for each lag."""

from __future__ import annotations

import math

import numpy as np

from libs.book.state import ASK_PRICE, BID_PRICE, TOP_PRICE_EXP, TOP_SIDES, TOPS, WORDS, Books
from libs.features.exact import wap_of
from libs.features.history import (
    DROPPED,
    LAST_WAP,
    NEVER,
    R_HEAD,
    R_TAIL,
    WAP_NEXT,
    WAP_RING,
    WAP_TIME,
    WAP_VALUE,
    WIDTHS,
    History,
    control_of,
    empty_ring,
    entry,
    has_room,
)
from libs.jit import kernel

LAGS_US = (100_000, 200_000, 300_000)
"""Of wap_100ms, wap_200ms, wap_300ms."""
WIDTH = WIDTHS[WAP_RING]
BOTH_SIDES = 3


@kernel
def current_wap(books: Books, b: int) -> float:
    """Return the size-weighted price of the best levels, NaN when a side is empty."""
    top = books.words[b * WORDS + TOPS : b * WORDS + TOPS + 8]
    if top[TOP_SIDES] != BOTH_SIDES:
        return np.nan
    return wap_of(top[BID_PRICE], top[BID_PRICE + 1], top[ASK_PRICE], top[ASK_PRICE + 1], top[TOP_PRICE_EXP])


@kernel
def _pass_wap(h: History, b: int, lag: int, index: int) -> None:
    """Put a WAP in force for a lag."""
    head = h.heads[b]
    at = entry(h, b, WAP_RING, WIDTH, index)
    head[WAP_TIME + lag] = h.rings[b, at]
    h.head_floats[b, WAP_VALUE + lag] = h.ring_floats[b, at + 1]
    head[WAP_NEXT + lag] = index + 1


@kernel
def put_wap(h: History, books: Books, b: int, now_us: int) -> None:
    """Keep a WAP that differs from the one before; of several at one time the last."""
    head = h.heads[b]
    wap = current_wap(books, b)
    before = h.head_floats[b, LAST_WAP]
    if wap == before or (math.isnan(wap) and math.isnan(before)):
        return
    h.head_floats[b, LAST_WAP] = wap
    control = control_of(WAP_RING)
    newest = head[control + R_HEAD] - 1
    if newest >= head[control + R_TAIL]:
        at = entry(h, b, WAP_RING, WIDTH, newest)
        if h.rings[b, at] == now_us:
            h.ring_floats[b, at + 1] = wap
            return
    if not has_room(h, b, WAP_RING, WIDTH):
        oldest = head[control + R_TAIL]
        for lag in range(3):
            if head[WAP_NEXT + lag] == oldest:
                _pass_wap(h, b, lag, oldest)
        head[control + R_TAIL] += 1
        head[DROPPED] += 1
    at = entry(h, b, WAP_RING, WIDTH, newest + 1)
    h.rings[b, at] = now_us
    h.ring_floats[b, at + 1] = wap
    head[control + R_HEAD] += 1


@kernel
def pass_waps(h: History, b: int, now_us: int) -> None:
    """Move every lag's WAP in force up to the last one at or before it."""
    head = h.heads[b]
    control = control_of(WAP_RING)
    end = head[control + R_HEAD]
    for lag in range(3):
        while (
            head[WAP_NEXT + lag] < end
            and h.rings[b, entry(h, b, WAP_RING, WIDTH, head[WAP_NEXT + lag])] <= now_us - LAGS_US[lag]
        ):
            _pass_wap(h, b, lag, head[WAP_NEXT + lag])
    head[control + R_TAIL] = head[WAP_NEXT + 2]


@kernel
def forget_waps(h: History, b: int) -> None:
    """Begin without any."""
    head = h.heads[b]
    empty_ring(h, b, WAP_RING)
    for lag in range(3):
        head[WAP_NEXT + lag] = head[control_of(WAP_RING) + R_HEAD]
        head[WAP_TIME + lag] = NEVER
        h.head_floats[b, WAP_VALUE + lag] = np.nan
    h.head_floats[b, LAST_WAP] = np.nan

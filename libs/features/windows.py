"""Columns that need the past: lags, windows and running totals, from a book's history (markets.md, *Features*).

Each kernel fills its columns after libs.features.notes.note_event, and returns TAINTED and CUT as bits: 0 when every
window that is due is whole.
"""

from __future__ import annotations

import math

import numpy as np

from libs.book.state import SEQUENCE, WORDS, Books
from libs.features.definitions import INDEX
from libs.features.exact import scaled
from libs.features.history import (
    CHANGED,
    FLOW_BASE,
    FLOW_EXP,
    FLOW_RING,
    FLOW_TOTALS,
    LEVELS,
    LEVELS_UNKNOWN_US,
    NOW_US,
    R_BASE_US,
    R_HEAD,
    R_TAIL,
    RETURN_LOST_US,
    SINCE_US,
    SUM_VALUES,
    SUMS,
    TOP_UNKNOWN_US,
    TRADE_BASE,
    TRADE_EXP,
    TRADE_RING,
    TRADE_TOTALS,
    TRADE_WORDS,
    TRADES_PENDING,
    TRADES_SINCE_US,
    WAP_TIME,
    WAP_VALUE,
    WINDOW_US,
    History,
    control_of,
    entry,
    expire,
)
from libs.features.pairs import Pair, as_float, difference, sum_of_pairs
from libs.features.returns import LONG_WINDOW_US
from libs.features.sums import LIMBS, settle
from libs.features.trades import BOUGHT, BUYS, HEAD, SELLS, SOLD
from libs.features.trades import WIDTH as TRADE_WIDTH
from libs.features.waps import LAGS_US
from libs.jit import kernel

WAP_100MS = INDEX["wap_100ms"]
TICK_FLOW = INDEX["tick_flow_imbalance"]
TRADE_FLOW = INDEX["trade_flow_imbalance"]
ORDER_FLOW = INDEX["order_flow_imbalance"]
OFI_L1 = INDEX["ofi_l1"]
VOL_1S = INDEX["realized_vol_1s"]
VOL_60S = INDEX["realized_vol_60s"]
TOTAL_BUYS = INDEX["total_buy_trades"]
TOTAL_SELLS = INDEX["total_sell_trades"]
TOTAL_BOUGHT = INDEX["total_buy_volume"]
TOTAL_SOLD = INDEX["total_sell_volume"]
TOTAL_ORDER_FLOW = INDEX["total_order_flow"]
TOTAL_OFI_L1 = INDEX["total_ofi_l1"]
TOTAL_SQUARED = INDEX["total_squared_return"]

TAINTED, CUT = 2, 4
"""What may be wrong with a window: it takes in levels that were not known; entries of it were dropped, so it is NaN."""


@kernel
def fill_waps(h: History, books: Books, b: int, row: np.ndarray) -> int:
    """Fill the WAPs in force at the lags."""
    head = h.heads[b]
    found = 0
    for lag in range(3):
        at_us = head[NOW_US] - LAGS_US[lag]
        if at_us < head[SINCE_US]:
            continue
        if head[WAP_TIME + lag] > at_us:
            found |= CUT
            continue
        row[WAP_100MS + lag] = h.head_floats[b, WAP_VALUE + lag]
        if head[TOP_UNKNOWN_US] > at_us:
            found |= TAINTED
    return found


@kernel
def _last_seen(h: History, books: Books, b: int) -> int:
    """Return one more than the newest print that came before the book's event in the channel."""
    control = control_of(TRADE_RING)
    head = h.heads[b]
    end = head[control + R_HEAD]
    sequence = books.words[b * WORDS + SEQUENCE]
    while end > head[control + R_TAIL] and h.rings[b, entry(h, b, TRADE_RING, TRADE_WIDTH, end - 1) + 1] > sequence:
        end -= 1
    return end


@kernel(inline=True)
def _pair(words: np.ndarray, at: int) -> Pair:
    return words[at], words[at + 1]


@kernel
def fill_trades(h: History, books: Books, b: int, row: np.ndarray) -> int:
    """Fill the imbalances of trades, and their totals as they were when the event came."""
    head = h.heads[b]
    control = control_of(TRADE_RING)
    since = head[NOW_US] - WINDOW_US
    expire(h, b, TRADE_RING, TRADE_WIDTH, HEAD, TRADE_BASE, TRADE_WORDS, since)
    end = _last_seen(h, books, b)
    words, at = head, TRADE_TOTALS
    if end < head[control + R_HEAD]:
        if end > head[control + R_TAIL]:
            words, at = h.rings[b], entry(h, b, TRADE_RING, TRADE_WIDTH, end - 1) + HEAD
        else:
            at = TRADE_BASE
    unit = head[TRADE_EXP]
    row[TOTAL_BUYS] = float(words[at + BUYS])
    row[TOTAL_SELLS] = float(words[at + SELLS])
    row[TOTAL_BOUGHT] = scaled(as_float(_pair(words, at + BOUGHT)), unit)
    row[TOTAL_SOLD] = scaled(as_float(_pair(words, at + SOLD)), unit)
    if since < head[SINCE_US] or since < head[TRADES_SINCE_US] or head[TRADES_PENDING] != 0:
        return 0
    if head[control + R_BASE_US] > since:
        return CUT
    buys = words[at + BUYS] - head[TRADE_BASE + BUYS]
    sells = words[at + SELLS] - head[TRADE_BASE + SELLS]
    if buys + sells > 0:
        row[TICK_FLOW] = float(buys - sells) / float(buys + sells)
        bought = difference(_pair(words, at + BOUGHT), _pair(head, TRADE_BASE + BOUGHT))
        sold = difference(_pair(words, at + SOLD), _pair(head, TRADE_BASE + SOLD))
        row[TRADE_FLOW] = as_float(difference(bought, sold)) / as_float(sum_of_pairs(bought, sold))
    return 0


@kernel
def fill_flow(h: History, books: Books, b: int, row: np.ndarray) -> int:
    """Fill order flow over the window and since start."""
    head = h.heads[b]
    unit = head[FLOW_EXP]
    for k in range(LEVELS):
        row[TOTAL_OFI_L1 + k] = scaled(as_float(_pair(head, FLOW_TOTALS + 2 * k)), unit)
    row[TOTAL_ORDER_FLOW] = row[TOTAL_OFI_L1]
    since = head[NOW_US] - WINDOW_US
    if since < head[SINCE_US]:
        return 0
    if head[control_of(FLOW_RING) + R_BASE_US] > since:
        return CUT
    for k in range(LEVELS):
        over = difference(_pair(head, FLOW_TOTALS + 2 * k), _pair(head, FLOW_BASE + 2 * k))
        row[OFI_L1 + k] = scaled(as_float(over), unit)
    row[ORDER_FLOW] = row[OFI_L1]
    return TAINTED if head[LEVELS_UNKNOWN_US] > since else 0


@kernel(inline=True)
def _sum_value(h: History, b: int, k: int) -> float:
    """Return a sum of squared returns, worked out anew when it has changed."""
    if h.heads[b, CHANGED + k] != 0:
        h.heads[b, CHANGED + k] = 0
        h.head_floats[b, SUM_VALUES + k] = settle(h.heads[b], SUMS + k * LIMBS)
    return h.head_floats[b, SUM_VALUES + k]


@kernel
def fill_returns(h: History, books: Books, b: int, row: np.ndarray) -> int:
    """Fill realised volatility and the total of squared returns."""
    head = h.heads[b]
    row[TOTAL_SQUARED] = _sum_value(h, b, 2)
    found = 0
    for k in range(2):
        since = head[NOW_US] - (WINDOW_US if k == 0 else LONG_WINDOW_US)
        if since < head[SINCE_US]:
            continue
        if head[RETURN_LOST_US] > since:
            found |= CUT
            continue
        row[VOL_1S + k] = math.sqrt(_sum_value(h, b, k))
        if head[TOP_UNKNOWN_US] > since:
            found |= TAINTED
    return found

"""The features of a completed event (markets.md, *Features*): of the present book here, the rest from its history.

Integers decide which levels count and what they sum to; a float appears at the last division. Against exact fractions:
order_book_imbalance, queue_imbalance and the volumes are correctly rounded while the sums stay below 2^53, and
everything is within 4 ulp.
"""

from __future__ import annotations

import numpy as np

from libs.book.state import (
    ASK_PRICE,
    ASK_SIZE,
    BID_PRICE,
    BID_SIZE,
    COUNTS,
    FIRST,
    SIZE_EXP,
    TOP_PRICE_EXP,
    TOP_SIDES,
    TOP_SIZE_EXP,
    TOPS,
    WORDS,
    Books,
)
from libs.book.tops import within_known
from libs.features.bands import levels_in_band
from libs.features.definitions import COLUMNS, INDEX
from libs.features.exact import (
    imbalance,
    joined,
    products_fit,
    scaled,
    sum_of,
    sum_products,
    sum_range,
    sum_wide_products,
    value,
    wap_of,
    wide_float,
)
from libs.features.fillers import fill_rest
from libs.features.history import CUT_ROWS, History
from libs.features.micro import NOT_FITTED
from libs.features.windows import CUT, TAINTED
from libs.jit import kernel

__all__ = ["NOT_FITTED", "complete_row", "compute_row", "quotes", "value"]

WAP_0MS = INDEX["wap_0ms"]
ORDER_BOOK_IMBALANCE = INDEX["order_book_imbalance"]
LIQUIDITY_IMBALANCE = INDEX["liquidity_imbalance"]
QUEUE_IMBALANCE = INDEX["queue_imbalance"]
SPREAD = INDEX["spread"]
SPREAD_BPS = INDEX["spread_bps"]
BID_VOLUME_10 = INDEX["bid_volume_10bps"]
ASK_VOLUME_10 = INDEX["ask_volume_10bps"]
BID_VOLUME_20 = INDEX["bid_volume_20bps"]
ASK_VOLUME_20 = INDEX["ask_volume_20bps"]
N_COLUMNS = len(COLUMNS)
BOTH_SIDES = 3

BEYOND_KNOWN, WINDOW_TAINTED, WINDOW_CUT = 1, TAINTED, CUT
"""Why a row is incomplete, as bits: a sum or the top levels reach past what is known of a side; a window or lag takes
in an event whose best levels were not all known; a window is cut because its history overflowed (and so is NaN)."""
INCOMPLETE = BEYOND_KNOWN | WINDOW_TAINTED | WINDOW_CUT


@kernel
def quotes(books: Books, b: int, out: np.ndarray) -> None:
    """Write best bid, best ask, bid size, ask size as values; NaN for an empty side.

    Parameters
    ----------
    out : float64[4]
        Of the last completed event.
    """
    top = books.words[b * WORDS + TOPS : b * WORDS + TOPS + 8]
    for side in range(2):
        there = top[TOP_SIDES] >> side & 1
        out[side] = value(top[BID_PRICE + 2 * side], top[TOP_PRICE_EXP]) if there else np.nan
        out[2 + side] = value(top[BID_SIZE + 2 * side], top[TOP_SIZE_EXP]) if there else np.nan


@kernel
def _top_row(bid: int, bid_size: int, ask: int, ask_size: int, price_exp: int, row: np.ndarray) -> None:
    """Fill what the best levels alone decide."""
    sizes = sum_of(bid_size, ask_size)
    row[WAP_0MS] = wap_of(bid, bid_size, ask, ask_size, price_exp)
    # Sizes are never negative, so neither difference leaves int64.
    row[QUEUE_IMBALANCE] = float(bid_size - ask_size) / sizes
    row[SPREAD] = value(ask - bid, price_exp)
    row[SPREAD_BPS] = float(ask - bid) * 20_000.0 / sum_of(bid, ask)


@kernel
def _volumes(
    prices: np.ndarray, sizes: np.ndarray, words: np.ndarray, base: int, bid: int, ask: int, row: np.ndarray
) -> bool:
    """Fill the volumes within 10 and 20 bps; return whether the bands end inside what is known."""
    exponent = words[base + SIZE_EXP]
    known = True
    for side in range(2):
        end = words[base + FIRST + side] + words[base + COUNTS + side]
        near, _ = levels_in_band(prices[side], words, base, side, bid, ask, 10)
        far, fine = levels_in_band(prices[side], words, base, side, bid, ask, 20)
        known = known and fine
        high, low = sum_range(sizes[side], end - near, end)
        more_high, more_low = sum_range(sizes[side], end - far, end - near)
        row[BID_VOLUME_10 + side] = scaled(joined(high, low), exponent)
        row[BID_VOLUME_20 + side] = scaled(joined(high + more_high, low + more_low), exponent)
    return known


@kernel
def _liquidity(
    prices: np.ndarray, sizes: np.ndarray, words: np.ndarray, base: int, bid: int, ask: int, bps: int, row: np.ndarray
) -> bool:
    """Fill the imbalance of price × size; return whether its band ends inside what is known."""
    p, q, r, s = prices[0], sizes[0], prices[1], sizes[1]
    bid_end = words[base + FIRST] + words[base + COUNTS]
    ask_end = words[base + FIRST + 1] + words[base + COUNTS + 1]
    n_bids, bids_known = levels_in_band(p, words, base, 0, bid, ask, bps)
    n_asks, asks_known = levels_in_band(r, words, base, 1, bid, ask, bps)
    if products_fit(p, q, bid_end - n_bids, bid_end) and products_fit(r, s, ask_end - n_asks, ask_end):
        row[LIQUIDITY_IMBALANCE] = imbalance(
            sum_products(p, q, bid_end - n_bids, bid_end), sum_products(r, s, ask_end - n_asks, ask_end)
        )
    else:
        bids = sum_wide_products(p, q, bid_end - n_bids, bid_end)
        asks = sum_wide_products(r, s, ask_end - n_asks, ask_end)
        row[LIQUIDITY_IMBALANCE] = wide_float(bids, asks, -1) / wide_float(bids, asks, 1)
    return bids_known and asks_known


@kernel
def compute_row(books: Books, b: int, depth_levels: int, liquidity_bps: int, row: np.ndarray) -> int:
    """Fill what the present book decides of a features row; never while an event is open.

    Parameters
    ----------
    depth_levels : int
        Levels a side in order_book_imbalance.
    liquidity_bps : int
        Distance from mid in liquidity_imbalance, 0 to 10,000.
    row : float64[len(COLUMNS)]
        Filled in the order of libs.features.definitions.COLUMNS; NaN where undefined.

    Returns
    -------
    int
        1 when a sum or the top ``depth_levels`` reach past what is known of a side, else 0.
    """
    for k in range(N_COLUMNS):
        row[k] = np.nan
    base = b * WORDS
    words = books.words
    bid_end = words[base + FIRST] + words[base + COUNTS]
    ask_end = words[base + FIRST + 1] + words[base + COUNTS + 1]
    n_bids = min(depth_levels, words[base + COUNTS])
    n_asks = min(depth_levels, words[base + COUNTS + 1])
    row[ORDER_BOOK_IMBALANCE] = imbalance(
        sum_range(books.sizes[b, 0], bid_end - n_bids, bid_end), sum_range(books.sizes[b, 1], ask_end - n_asks, ask_end)
    )
    known = within_known(books, b, 0, depth_levels) and within_known(books, b, 1, depth_levels)
    top = books.words[b * WORDS + TOPS : b * WORDS + TOPS + 8]
    if top[TOP_SIDES] == BOTH_SIDES:
        bid, ask = top[BID_PRICE], top[ASK_PRICE]
        _top_row(bid, top[BID_SIZE], ask, top[ASK_SIZE], top[TOP_PRICE_EXP], row)
        volumes_known = _volumes(books.prices[b], books.sizes[b], words, base, bid, ask, row)
        liquid_known = _liquidity(books.prices[b], books.sizes[b], words, base, bid, ask, liquidity_bps, row)
        known = known and volumes_known and liquid_known
    return 0 if known else 1


@kernel
def complete_row(h: History, books: Books, b: int, depth_levels: int, liquidity_bps: int, row: np.ndarray) -> int:
    """Fill every feature of a row, after the event was noted (libs.features.notes.note_event).

    Parameters are those of :func:`compute_row`.

    Returns
    -------
    int
        Bits: BEYOND_KNOWN, WINDOW_TAINTED, WINDOW_CUT, NOT_FITTED.
    """
    found = compute_row(books, b, depth_levels, liquidity_bps, row)
    found |= fill_rest(h, books, b, row)
    if found & WINDOW_CUT:
        h.heads[b, CUT_ROWS] += 1
    return found

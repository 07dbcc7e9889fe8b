"""Write HFTP messages into a byte buffer: kernels (wire.md); libs.wire.kernels reads."""

from __future__ import annotations

import numpy as np

from libs.jit import kernel
from libs.memory import store_i64, store_u16, store_u32
from libs.wire.kernels import (
    BOOK_BYTES,
    HEADER_BYTES,
    HEARTBEAT_BYTES,
    INSTRUMENT_BYTES,
    LEVEL_BYTES,
    STATUS_BYTES,
    TRADE_BYTES,
)
from libs.wire.layout import MAGIC


@kernel
def put_header(
    out: np.ndarray, off: int, sequence: int, timestamp_us: int, exchange: int, kind: int, symbol: np.ndarray,
    symbol_off: int, symbol_len: int,
) -> int:  # fmt: skip
    """Write a header and its symbol at ``off``; return the offset of the body, or -1 without room."""
    body = off + HEADER_BYTES + symbol_len
    if body > len(out):
        return -1
    store_u32(out, off, MAGIC)
    store_i64(out, off + 4, sequence)
    store_i64(out, off + 12, timestamp_us)
    out[off + 20] = exchange
    out[off + 21] = kind
    store_u16(out, off + 22, symbol_len)
    for i in range(symbol_len):
        out[off + HEADER_BYTES + i] = symbol[symbol_off + i]
    return body


@kernel
def put_book(
    out: np.ndarray, off: int, flags: int, price_exp: int, size_exp: int, cut: int, n_bids: int, n_asks: int,
    exchange_ts_us: int, feed_ts_us: int, levels: np.ndarray, at: int,
) -> int:  # fmt: skip
    """Write an OrderBook body at ``off``; levels are ``levels[at + 2 * i]``, ``levels[at + 2 * i + 1]``, bids first.

    Returns the offset after it, or -1 without room.
    """
    n = n_bids + n_asks
    end = off + BOOK_BYTES + LEVEL_BYTES * n
    if end > len(out):
        return -1
    out[off] = flags
    out[off + 1] = price_exp & 0xFF
    out[off + 2] = size_exp & 0xFF
    out[off + 3] = cut
    store_u16(out, off + 4, n_bids)
    store_u16(out, off + 6, n_asks)
    store_i64(out, off + 8, exchange_ts_us)
    store_i64(out, off + 16, feed_ts_us)
    for i in range(2 * n):
        store_i64(out, off + BOOK_BYTES + 8 * i, levels[at + i])
    return end


@kernel
def put_trade(
    out: np.ndarray, off: int, flags: int, price_exp: int, size_exp: int, trade_id: int, exchange_ts_us: int,
    feed_ts_us: int, price: int, size: int,
) -> int:  # fmt: skip
    """Write a Trade body at ``off``; return the offset after it, or -1 without room."""
    end = off + TRADE_BYTES
    if end > len(out):
        return -1
    out[off] = flags
    out[off + 1] = price_exp & 0xFF
    out[off + 2] = size_exp & 0xFF
    out[off + 3] = 0
    store_i64(out, off + 4, trade_id)
    store_i64(out, off + 12, exchange_ts_us)
    store_i64(out, off + 20, feed_ts_us)
    store_i64(out, off + 28, price)
    store_i64(out, off + 36, size)
    return end


@kernel
def put_heartbeat(out: np.ndarray, off: int, session: int, next_sequence: int, feed_ts_us: int) -> int:
    """Write a Heartbeat body at ``off``; return the offset after it, or -1 without room."""
    end = off + HEARTBEAT_BYTES
    if end > len(out):
        return -1
    store_i64(out, off, session)
    store_i64(out, off + 8, next_sequence)
    store_i64(out, off + 16, feed_ts_us)
    return end


@kernel
def put_status(out: np.ndarray, off: int, code: int, text: np.ndarray, text_len: int) -> int:
    """Write a Status body at ``off``; return the offset after it, or -1 without room."""
    end = off + STATUS_BYTES + text_len
    if end > len(out):
        return -1
    out[off] = code
    out[off + 1] = 0
    store_u16(out, off + 2, text_len)
    for i in range(text_len):
        out[off + STATUS_BYTES + i] = text[i]
    return end


@kernel
def put_instrument(
    out: np.ndarray, off: int, flags: int, tick: int, tick_exp: int, lot: int, lot_exp: int, multiplier: int,
    multiplier_exp: int,
) -> int:  # fmt: skip
    """Write an Instrument body at ``off``; return the offset after it, or -1 without room."""
    end = off + INSTRUMENT_BYTES
    if end > len(out):
        return -1
    out[off] = flags
    out[off + 1] = tick_exp & 0xFF
    out[off + 2] = lot_exp & 0xFF
    out[off + 3] = multiplier_exp & 0xFF
    store_i64(out, off + 4, tick)
    store_i64(out, off + 12, lot)
    store_i64(out, off + 20, multiplier)
    return end

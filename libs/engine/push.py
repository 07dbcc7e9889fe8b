"""Turn one decoded message into ring slots."""

from __future__ import annotations

import numpy as np

from libs.engine.slots import (
    BOOK,
    CAPACITY,
    INSTRUMENT,
    NO_BOOK,
    REFUSED,
    SNAPSHOT_PART,
    STATUS,
    TRADE,
    UNKNOWN_SYMBOL,
    UNKNOWN_TYPE,
    pack_head,
)
from libs.jit import kernel
from libs.market.symbol_table import SymbolTable, lookup, register
from libs.memory import load_i64
from libs.ring.kernels import claim, publish
from libs.ring.state import Ring
from libs.wire import kernels as wire

LEVELS_SHIFT = 2
LEVELS_A_SLOT = 1 << LEVELS_SHIFT


@kernel(inline=True)
def put_control(ring: Ring, kind: int, exchange: int, w1: int, w2: int) -> bool:
    """Push a one-slot record; False when the ring has no room."""
    at = claim(ring, 1)
    if at < 0:
        return False
    slots = ring.slots
    slots[at] = pack_head(kind, exchange, 1, NO_BOOK)
    slots[at + 1] = w1
    slots[at + 2] = w2
    publish(ring)
    return True


@kernel
def _put_times(slots: np.ndarray, at: int, m: np.ndarray, exchange_ts: int, feed_ts: int, recv_ns: int) -> None:
    slots[at + 2] = m[wire.SEQUENCE]
    slots[at + 3] = m[wire.TIMESTAMP_US]
    slots[at + 4] = exchange_ts
    slots[at + 5] = feed_ts
    slots[at + 6] = recv_ns


@kernel
def _put_book(ring: Ring, kind: int, book: int, buf: np.ndarray, m: np.ndarray, b: np.ndarray, recv_ns: int) -> bool:
    wire.book_body(buf, m[wire.BODY_OFF], b)
    levels = b[wire.BOOK_BIDS] + b[wire.BOOK_ASKS]
    n = 1 + (levels + LEVELS_A_SLOT - 1 >> LEVELS_SHIFT)
    at = claim(ring, n)
    if at < 0:
        return False
    slots = ring.slots
    slots[at] = pack_head(kind, m[wire.EXCHANGE], n, book)
    slots[at + 1] = (
        b[wire.BOOK_FLAGS]
        | (b[wire.BOOK_PRICE_EXPONENT] & 0xFF) << 8
        | (b[wire.BOOK_SIZE_EXPONENT] & 0xFF) << 16
        | b[wire.BOOK_CUT] << 24
        | b[wire.BOOK_BIDS] << 32
        | b[wire.BOOK_ASKS] << 48
    )
    _put_times(slots, at, m, b[wire.BOOK_EXCHANGE_TS], b[wire.BOOK_FEED_TS], recv_ns)
    off = b[wire.BOOK_LEVELS_OFF]
    for i in range(2 * levels):
        slots[at + 8 + i] = load_i64(buf, off + 8 * i)
    publish(ring)
    return True


@kernel
def _put_trade(ring: Ring, book: int, buf: np.ndarray, m: np.ndarray, b: np.ndarray, recv_ns: int) -> bool:
    wire.trade_body(buf, m[wire.BODY_OFF], b)
    at = claim(ring, 2)
    if at < 0:
        return False
    slots = ring.slots
    slots[at] = pack_head(TRADE, m[wire.EXCHANGE], 2, book)
    slots[at + 1] = (
        b[wire.TRADE_FLAGS] | (b[wire.TRADE_PRICE_EXPONENT] & 0xFF) << 8 | (b[wire.TRADE_SIZE_EXPONENT] & 0xFF) << 16
    )
    _put_times(slots, at, m, b[wire.TRADE_EXCHANGE_TS], b[wire.TRADE_FEED_TS], recv_ns)
    slots[at + 7] = b[wire.TRADE_ID]
    slots[at + 8] = b[wire.TRADE_PRICE]
    slots[at + 9] = b[wire.TRADE_SIZE]
    publish(ring)
    return True


@kernel
def _put_status(ring: Ring, book: int, buf: np.ndarray, m: np.ndarray, b: np.ndarray, recv_ns: int) -> bool:
    wire.status_body(buf, m[wire.BODY_OFF], b)
    at = claim(ring, 1)
    if at < 0:
        return False
    ring.slots[at] = pack_head(STATUS, m[wire.EXCHANGE], 1, book)
    ring.slots[at + 1] = b[wire.STATUS_CODE]
    _put_times(ring.slots, at, m, 0, 0, recv_ns)
    publish(ring)
    return True


@kernel
def _put_instrument(ring: Ring, book: int, buf: np.ndarray, m: np.ndarray, b: np.ndarray, recv_ns: int) -> bool:
    wire.instrument_body(buf, m[wire.BODY_OFF], b)
    at = claim(ring, 2)
    if at < 0:
        return False
    slots = ring.slots
    slots[at] = pack_head(INSTRUMENT, m[wire.EXCHANGE], 2, book)
    slots[at + 1] = (
        b[wire.INSTRUMENT_FLAGS]
        | (b[wire.INSTRUMENT_TICK_EXPONENT] & 0xFF) << 8
        | (b[wire.INSTRUMENT_LOT_EXPONENT] & 0xFF) << 16
        | (b[wire.INSTRUMENT_MULTIPLIER_EXPONENT] & 0xFF) << 24
    )
    _put_times(slots, at, m, 0, 0, recv_ns)
    slots[at + 8] = b[wire.INSTRUMENT_TICK]
    slots[at + 9] = b[wire.INSTRUMENT_LOT]
    slots[at + 10] = b[wire.INSTRUMENT_MULTIPLIER]
    publish(ring)
    return True


@kernel
def push_message(
    ring: Ring, table: SymbolTable, code: int, buf: np.ndarray, m: np.ndarray, b: np.ndarray, recv_ns: int
) -> bool:
    """Hand one message to the book thread.

    Parameters
    ----------
    code : int
        What the walk said: OK, or UNKNOWN_TYPE (which takes its sequence and is refused).
    buf : uint8[:]
        Where the message stands.
    m, b : int64[16]
        Its decoded header, and scratch for its body.
    recv_ns : int
        Kernel receive time, CLOCK_REALTIME.

    Returns
    -------
    bool
        False when the ring has no room: the message is as if it had never been read.
    """
    exchange = m[wire.EXCHANGE]
    if code == wire.UNKNOWN_TYPE:
        return put_control(ring, REFUSED, exchange, UNKNOWN_TYPE, m[wire.SEQUENCE])
    kind = m[wire.TYPE]
    length = m[wire.SYMBOL_LEN]
    if kind == INSTRUMENT:
        book = register(table, exchange, buf, m[wire.SYMBOL_OFF], length)
        if book < 0:
            return put_control(ring, REFUSED, exchange, CAPACITY, m[wire.SEQUENCE])
        return _put_instrument(ring, book, buf, m, b, recv_ns)
    if kind == STATUS and length == 0:
        return _put_status(ring, NO_BOOK, buf, m, b, recv_ns)
    book = lookup(table, exchange, buf, m[wire.SYMBOL_OFF], length)
    if book < 0:
        return put_control(ring, REFUSED, exchange, UNKNOWN_SYMBOL, m[wire.SEQUENCE])
    if kind == BOOK:
        return _put_book(ring, BOOK, book, buf, m, b, recv_ns)
    if kind == TRADE:
        return _put_trade(ring, book, buf, m, b, recv_ns)
    return _put_status(ring, book, buf, m, b, recv_ns)


@kernel
def push_snapshot_part(
    ring: Ring, table: SymbolTable, buf: np.ndarray, m: np.ndarray, b: np.ndarray, recv_ns: int
) -> bool:
    """Hand a part of a requested snapshot to the book thread; False when it is of no known book, or finds no room."""
    book = lookup(table, m[wire.EXCHANGE], buf, m[wire.SYMBOL_OFF], m[wire.SYMBOL_LEN])
    return book >= 0 and _put_book(ring, SNAPSHOT_PART, book, buf, m, b, recv_ns)

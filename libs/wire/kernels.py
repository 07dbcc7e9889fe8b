"""Walk a datagram and read bodies: kernels over a byte buffer (wire.md); libs.wire.encoders writes."""

from __future__ import annotations

from typing import Any

import numpy as np

from libs.jit import kernel
from libs.market.limits import MAX_SYMBOL
from libs.memory import load_i8, load_i64, load_u16, load_u32
from libs.wire.layout import (
    CHANNELS,
    MAGIC,
    TYPE_BOOK,
    TYPE_HEARTBEAT,
    TYPE_INSTRUMENT,
    TYPE_STATUS,
    TYPE_TRADE,
)

HEADER_BYTES = 24
BOOK_BYTES = 24
LEVEL_BYTES = 16
TRADE_BYTES = 44
HEARTBEAT_BYTES = 24
STATUS_BYTES = 4
INSTRUMENT_BYTES = 28

# What a walk's step says.
OK = 0
END = 1
PADDING = 2
TRUNCATED = 16
BAD_MAGIC = 17
BAD_EXCHANGE = 18
SYMBOL_TOO_LONG = 19
BAD_COUNT = 20
BAD_UTF8 = 21
UNKNOWN_TYPE = 22
BAD_SEQUENCE = 23
NO_SYMBOL = 24

REASONS = {
    TRUNCATED: "truncated",
    BAD_MAGIC: "bad_magic",
    BAD_EXCHANGE: "bad_exchange",
    SYMBOL_TOO_LONG: "symbol_too_long",
    BAD_COUNT: "bad_count",
    BAD_UTF8: "bad_utf8",
    BAD_SEQUENCE: "bad_sequence",
    NO_SYMBOL: "no_symbol",
}
"""Malformed codes and their names in counters; UNKNOWN_TYPE is refused with its sequence and not among them."""

# Words of a decoded header.
SEQUENCE, TIMESTAMP_US, EXCHANGE, TYPE, SYMBOL_OFF, SYMBOL_LEN, BODY_OFF, NEXT_OFF = range(8)

# Words of decoded bodies.
BOOK_FLAGS, BOOK_PRICE_EXPONENT, BOOK_SIZE_EXPONENT, BOOK_CUT, BOOK_BIDS, BOOK_ASKS = range(6)
BOOK_EXCHANGE_TS, BOOK_FEED_TS, BOOK_LEVELS_OFF = range(6, 9)
TRADE_FLAGS, TRADE_PRICE_EXPONENT, TRADE_SIZE_EXPONENT, TRADE_ID, TRADE_EXCHANGE_TS, TRADE_FEED_TS = range(6)
TRADE_PRICE, TRADE_SIZE = range(6, 8)
HEARTBEAT_SESSION, HEARTBEAT_NEXT, HEARTBEAT_FEED_TS = range(3)
STATUS_CODE, STATUS_TEXT_LEN, STATUS_TEXT_OFF = range(3)
INSTRUMENT_FLAGS, INSTRUMENT_TICK_EXPONENT, INSTRUMENT_LOT_EXPONENT, INSTRUMENT_MULTIPLIER_EXPONENT = range(4)
INSTRUMENT_TICK, INSTRUMENT_LOT, INSTRUMENT_MULTIPLIER = range(4, 7)


_HIGH_BITS = -0x7F7F_7F7F_7F7F_7F80
"""The highest bit of each of 8 bytes."""


@kernel(inline=True)
def _is_ascii(buf: np.ndarray, off: int, length: int) -> bool:
    """Return whether no byte has its highest bit set, 8 at a time; what is shorter is not looked at."""
    if length < 8:
        return False
    bits = load_i64(buf, off + length - 8)
    for at in range(off, off + length - 7, 8):
        bits |= load_i64(buf, at)
    return bits & _HIGH_BITS == 0


@kernel(inline=True)
def is_utf8(buf: np.ndarray, off: int, length: int) -> bool:
    """Return whether the bytes are strict UTF-8: no overlong form, no surrogate, nothing above U+10FFFF."""
    return _is_ascii(buf, off, length) or _is_utf8(buf, off, length)


@kernel
def _is_utf8(buf: np.ndarray, off: int, length: int) -> bool:
    i = off
    end = off + length
    while i < end:
        c = np.int64(buf[i])
        if c < 0x80:
            i += 1
            continue
        if 0xC2 <= c <= 0xDF:
            n = 1
        elif 0xE0 <= c <= 0xEF:
            n = 2
        elif 0xF0 <= c <= 0xF4:
            n = 3
        else:
            return False
        if i + n >= end:
            return False
        second = np.int64(buf[i + 1])
        low, high = 0x80, 0xBF
        if c == 0xE0:
            low = 0xA0
        elif c == 0xED:
            high = 0x9F
        elif c == 0xF0:
            low = 0x90
        elif c == 0xF4:
            high = 0x8F
        if second < low or second > high:
            return False
        for k in range(2, n + 1):
            if buf[i + k] & 0xC0 != 0x80:
                return False
        i += n + 1
    return True


@kernel(inline=True)
def _body_size(buf: np.ndarray, kind: int, body: int, left: int) -> int:
    """Return the bytes of a body; -1 when its counts reach past the end, -2 when its fixed part does."""
    if kind == TYPE_BOOK:
        if left < BOOK_BYTES:
            return -2
        size: Any = BOOK_BYTES + LEVEL_BYTES * (np.int64(load_u16(buf, body + 4)) + np.int64(load_u16(buf, body + 6)))
    elif kind == TYPE_TRADE:
        return TRADE_BYTES if left >= TRADE_BYTES else -2
    elif kind == TYPE_HEARTBEAT:
        return HEARTBEAT_BYTES if left >= HEARTBEAT_BYTES else -2
    elif kind == TYPE_STATUS:
        if left < STATUS_BYTES:
            return -2
        size = STATUS_BYTES + np.int64(load_u16(buf, body + 2))
    else:
        return INSTRUMENT_BYTES if left >= INSTRUMENT_BYTES else -2
    return size if size <= left else -1


@kernel
def next_message(buf: np.ndarray, off: int, end: int, m: np.ndarray) -> int:
    """Decode the header of the message at ``off`` and find where it ends.

    Parameters
    ----------
    buf : uint8[:]
    off, end : int
        The datagram's bytes that are left.
    m : int64[16]
        Filled with SEQUENCE … NEXT_OFF; for UNKNOWN_TYPE too (NEXT_OFF is then the end).

    Returns
    -------
    int
        OK, END, PADDING, UNKNOWN_TYPE, or a malformed code (REASONS).
    """
    left = end - off
    if left <= 0:
        return END
    if left < HEADER_BYTES:
        for i in range(off, end):
            if buf[i] != 0:
                return TRUNCATED
        return PADDING
    magic = np.int64(load_u32(buf, off))
    if magic == 0:
        return PADDING
    if magic != MAGIC:
        return BAD_MAGIC
    exchange = np.int64(buf[off + 20])
    if exchange >= CHANNELS:
        return BAD_EXCHANGE
    sequence = load_i64(buf, off + 4)
    if sequence < 0:
        return BAD_SEQUENCE
    kind = np.int64(buf[off + 21])
    length: Any = np.int64(load_u16(buf, off + 22))
    m[SEQUENCE] = sequence
    m[TIMESTAMP_US] = load_i64(buf, off + 12)
    m[EXCHANGE] = exchange
    m[TYPE] = kind
    m[SYMBOL_OFF] = off + HEADER_BYTES
    m[SYMBOL_LEN] = length
    m[BODY_OFF] = off + HEADER_BYTES + length
    m[NEXT_OFF] = end
    if kind > TYPE_INSTRUMENT:
        return UNKNOWN_TYPE if sequence > 0 else BAD_SEQUENCE
    if sequence == 0 and kind != TYPE_HEARTBEAT:
        return BAD_SEQUENCE
    if length > MAX_SYMBOL:
        return SYMBOL_TOO_LONG
    left -= HEADER_BYTES + length
    if left < 0:
        return TRUNCATED
    if not is_utf8(buf, off + HEADER_BYTES, length):
        return BAD_UTF8
    if length == 0 and kind in (TYPE_BOOK, TYPE_TRADE, TYPE_INSTRUMENT):
        return NO_SYMBOL
    size = _body_size(buf, kind, m[BODY_OFF], left)
    if size < 0:
        return BAD_COUNT if size == -1 else TRUNCATED
    if kind == TYPE_HEARTBEAT and load_i64(buf, m[BODY_OFF] + 8) < 1:
        return BAD_SEQUENCE
    m[NEXT_OFF] = m[BODY_OFF] + size
    return OK


@kernel(inline=True)
def book_body(buf: np.ndarray, off: int, b: np.ndarray) -> None:
    """Read an OrderBook body at ``off`` into ``b`` (int64[16], BOOK_* words)."""
    b[BOOK_FLAGS] = buf[off]
    b[BOOK_PRICE_EXPONENT] = load_i8(buf, off + 1)
    b[BOOK_SIZE_EXPONENT] = load_i8(buf, off + 2)
    b[BOOK_CUT] = buf[off + 3]
    b[BOOK_BIDS] = load_u16(buf, off + 4)
    b[BOOK_ASKS] = load_u16(buf, off + 6)
    b[BOOK_EXCHANGE_TS] = load_i64(buf, off + 8)
    b[BOOK_FEED_TS] = load_i64(buf, off + 16)
    b[BOOK_LEVELS_OFF] = off + BOOK_BYTES


@kernel(inline=True)
def trade_body(buf: np.ndarray, off: int, b: np.ndarray) -> None:
    """Read a Trade body at ``off`` into ``b`` (int64[16], TRADE_* words)."""
    b[TRADE_FLAGS] = buf[off]
    b[TRADE_PRICE_EXPONENT] = load_i8(buf, off + 1)
    b[TRADE_SIZE_EXPONENT] = load_i8(buf, off + 2)
    b[TRADE_ID] = load_i64(buf, off + 4)
    b[TRADE_EXCHANGE_TS] = load_i64(buf, off + 12)
    b[TRADE_FEED_TS] = load_i64(buf, off + 20)
    b[TRADE_PRICE] = load_i64(buf, off + 28)
    b[TRADE_SIZE] = load_i64(buf, off + 36)


@kernel(inline=True)
def heartbeat_body(buf: np.ndarray, off: int, b: np.ndarray) -> None:
    """Read a Heartbeat body at ``off`` into ``b`` (int64[16], HEARTBEAT_* words)."""
    b[HEARTBEAT_SESSION] = load_i64(buf, off)
    b[HEARTBEAT_NEXT] = load_i64(buf, off + 8)
    b[HEARTBEAT_FEED_TS] = load_i64(buf, off + 16)


@kernel(inline=True)
def status_body(buf: np.ndarray, off: int, b: np.ndarray) -> None:
    """Read a Status body at ``off`` into ``b`` (int64[16], STATUS_* words)."""
    b[STATUS_CODE] = buf[off]
    b[STATUS_TEXT_LEN] = load_u16(buf, off + 2)
    b[STATUS_TEXT_OFF] = off + STATUS_BYTES


@kernel(inline=True)
def instrument_body(buf: np.ndarray, off: int, b: np.ndarray) -> None:
    """Read an Instrument body at ``off`` into ``b`` (int64[16], INSTRUMENT_* words)."""
    b[INSTRUMENT_FLAGS] = buf[off]
    b[INSTRUMENT_TICK_EXPONENT] = load_i8(buf, off + 1)
    b[INSTRUMENT_LOT_EXPONENT] = load_i8(buf, off + 2)
    b[INSTRUMENT_MULTIPLIER_EXPONENT] = load_i8(buf, off + 3)
    b[INSTRUMENT_TICK] = load_i64(buf, off + 4)
    b[INSTRUMENT_LOT] = load_i64(buf, off + 12)
    b[INSTRUMENT_MULTIPLIER] = load_i64(buf, off + 20)

"""HFTP layouts, declared once (wire.md): little-endian, packed. Offsets, sizes and byte order are held by a test."""

from __future__ import annotations

import numpy as np

MAGIC = 0x48465450
"""Bytes on the wire: 50 54 46 48."""
MTU_PAYLOAD = 1472
CHANNELS = 5

TYPE_BOOK, TYPE_TRADE, TYPE_HEARTBEAT, TYPE_STATUS, TYPE_INSTRUMENT = range(5)

BOOK_SNAPSHOT, BOOK_LAST, BOOK_BAD, BOOK_REFRESH = 1, 2, 4, 8
CUT_BIDS, CUT_ASKS = 1, 2
TRADE_BUYER, TRADE_UNKNOWN = 1, 2
INSTRUMENT_INVERSE, INSTRUMENT_DELISTED = 1, 2

(
    STATUS_CONNECTED,
    STATUS_DISCONNECTED,
    STATUS_SYMBOL_INVALID,
    STATUS_HALTED,
    STATUS_RESUMED,
    STATUS_SESSION_END,
    STATUS_MUTE,
    STATUS_HEARD,
    STATUS_TRADES_MISSED,
) = range(9)

HEADER = np.dtype(
    [
        ("magic", "<u4"),
        ("sequence", "<u8"),  # per channel, first of a session is 1
        ("timestamp", "<i8"),  # µs since the epoch: the scheduled send time
        ("exchange_id", "u1"),
        ("message_type", "u1"),
        ("symbol_len", "<u2"),  # bytes of UTF-8 that follow
    ]
)

BOOK_BODY = np.dtype(
    [
        ("flags", "u1"),
        ("price_exponent", "i1"),
        ("size_exponent", "i1"),
        ("cut", "u1"),
        ("bid_count", "<u2"),
        ("ask_count", "<u2"),
        ("exchange_timestamp", "<i8"),  # µs; 0: the venue gave none
        ("feed_timestamp", "<i8"),  # µs
    ]
)

LEVEL = np.dtype([("price", "<i8"), ("size", "<i8")])

TRADE_BODY = np.dtype(
    [
        ("flags", "u1"),
        ("price_exponent", "i1"),
        ("size_exponent", "i1"),
        ("reserved", "u1"),
        ("trade_id", "<u8"),
        ("exchange_timestamp", "<i8"),
        ("feed_timestamp", "<i8"),
        ("price", "<i8"),
        ("size", "<i8"),
    ]
)

HEARTBEAT_BODY = np.dtype(
    [
        ("session", "<u8"),  # the sender's start, ns since the epoch
        ("next_sequence", "<u8"),
        ("feed_timestamp", "<i8"),  # µs: nothing earlier will follow
    ]
)

STATUS_BODY = np.dtype([("code", "u1"), ("reserved", "u1"), ("text_len", "<u2")])

INSTRUMENT_BODY = np.dtype(
    [
        ("flags", "u1"),
        ("tick_exponent", "i1"),
        ("lot_exponent", "i1"),
        ("multiplier_exponent", "i1"),
        ("tick", "<i8"),
        ("lot", "<i8"),
        ("multiplier", "<i8"),  # base currency in one unit of size; quote currency if inverse
    ]
)

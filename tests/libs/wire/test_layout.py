"""Layouts are those of wire.md: sizes, offsets, byte order, no padding."""

from __future__ import annotations

import numpy as np
import pytest

from libs.wire import kernels, layout

OFFSETS = {
    "HEADER": (
        24,
        {"magic": 0, "sequence": 4, "timestamp": 12, "exchange_id": 20, "message_type": 21, "symbol_len": 22},
    ),
    "BOOK_BODY": (
        24,
        {
            "flags": 0,
            "price_exponent": 1,
            "size_exponent": 2,
            "cut": 3,
            "bid_count": 4,
            "ask_count": 6,
            "exchange_timestamp": 8,
            "feed_timestamp": 16,
        },
    ),
    "LEVEL": (16, {"price": 0, "size": 8}),
    "TRADE_BODY": (
        44,
        {
            "flags": 0,
            "price_exponent": 1,
            "size_exponent": 2,
            "reserved": 3,
            "trade_id": 4,
            "exchange_timestamp": 12,
            "feed_timestamp": 20,
            "price": 28,
            "size": 36,
        },
    ),
    "HEARTBEAT_BODY": (24, {"session": 0, "next_sequence": 8, "feed_timestamp": 16}),
    "STATUS_BODY": (4, {"code": 0, "reserved": 1, "text_len": 2}),
    "INSTRUMENT_BODY": (
        28,
        {
            "flags": 0,
            "tick_exponent": 1,
            "lot_exponent": 2,
            "multiplier_exponent": 3,
            "tick": 4,
            "lot": 12,
            "multiplier": 20,
        },
    ),
}


@pytest.mark.parametrize("name", OFFSETS)
def test_layout_is_that_of_the_protocol(name: str) -> None:
    """Every field stands where wire.md puts it, little-endian, and nothing stands between."""
    dtype: np.dtype = getattr(layout, name)
    size, offsets = OFFSETS[name]
    assert dtype.itemsize == size
    assert {field: dtype.fields[field][1] for field in dtype.names} == offsets
    assert sum(dtype.fields[field][0].itemsize for field in dtype.names) == size
    assert all(dtype.fields[field][0].str[0] in "<|" for field in dtype.names)


def test_kernels_use_the_same_sizes() -> None:
    """The byte counts that kernels step by are the layouts' own."""
    assert layout.HEADER.itemsize == kernels.HEADER_BYTES
    assert layout.BOOK_BODY.itemsize == kernels.BOOK_BYTES
    assert layout.LEVEL.itemsize == kernels.LEVEL_BYTES
    assert layout.TRADE_BODY.itemsize == kernels.TRADE_BYTES
    assert layout.HEARTBEAT_BODY.itemsize == kernels.HEARTBEAT_BYTES
    assert layout.STATUS_BODY.itemsize == kernels.STATUS_BYTES
    assert layout.INSTRUMENT_BODY.itemsize == kernels.INSTRUMENT_BYTES


def test_magic_reads_as_the_document_says() -> None:
    """The magic's bytes on the wire are 50 54 46 48."""
    assert np.array([layout.MAGIC], "<u4").tobytes().hex(" ") == "50 54 46 48"

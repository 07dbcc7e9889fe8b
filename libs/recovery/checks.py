"""Is an answer what was asked for? Messages that nobody asked for must never reach the sequencer or a book."""

from __future__ import annotations

import numpy as np

from libs.jit import kernel
from libs.wire import kernels as wire
from libs.wire.layout import BOOK_BAD, BOOK_LAST, BOOK_REFRESH, BOOK_SNAPSHOT, TYPE_BOOK, TYPE_HEARTBEAT

BAD_MESSAGE, WRONG_CHANNEL, WRONG_TYPE, WRONG_SEQUENCE, WRONG_SYMBOL, WRONG_FLAGS, WRONG_COUNT, TOO_LONG = range(1, 9)
CODES = (
    "ok",
    "bad_message",
    "wrong_channel",
    "wrong_type",
    "wrong_sequence",
    "wrong_symbol",
    "wrong_flags",
    "wrong_count",
    "too_long",
)
"""Names of what :func:`check_range` and :func:`check_snapshot` find, by code."""

MAX_PIECE = 60_000 - 16
"""Bytes of messages in one delivery at the most; sixteen more go before them."""
MAX_PIECES = 64
"""Deliveries that the longest answer makes, and to spare."""


@kernel
def check_range(
    data: np.ndarray, length: int, exchange: int, first: int, last: int, m: np.ndarray, ends: np.ndarray
) -> tuple[int, int]:
    """Check that ``data[:length]`` is the messages ``first`` to ``last`` of a channel, each once, in order.

    Parameters
    ----------
    data : uint8[:]
    m : int64[16]
        Scratch.
    ends : int64[MAX_PIECES]
        Filled with where each delivery ends: at most MAX_PIECE bytes, cut between messages.

    Returns
    -------
    code : int
        0, or one of CODES.
    pieces : int
    """
    off, start, pieces, expected = 0, 0, 0, first
    while off < length:
        code = wire.next_message(data, off, length, m)
        if code != wire.OK:
            return (WRONG_TYPE if code == wire.UNKNOWN_TYPE else BAD_MESSAGE), 0
        if m[wire.EXCHANGE] != exchange:
            return WRONG_CHANNEL, 0
        if m[wire.TYPE] == TYPE_HEARTBEAT:
            return WRONG_TYPE, 0
        if m[wire.SEQUENCE] != expected or expected > last:
            return WRONG_SEQUENCE, 0
        following = m[wire.NEXT_OFF]
        if following - off > MAX_PIECE:
            return TOO_LONG, 0
        if following - start > MAX_PIECE:
            if pieces == MAX_PIECES - 1:
                return TOO_LONG, 0
            ends[pieces] = off
            pieces += 1
            start = off
        expected += 1
        off = following
    if expected != last + 1:
        return WRONG_COUNT, 0
    ends[pieces] = length
    return 0, pieces + 1


@kernel
def _flags_are_right(flags: int, first: bool, last: bool) -> bool:
    asked = BOOK_REFRESH | (BOOK_SNAPSHOT if first else 0) | (BOOK_LAST if last else 0)
    return flags & (BOOK_SNAPSHOT | BOOK_REFRESH | BOOK_LAST | BOOK_BAD) == asked


@kernel
def check_snapshot(
    data: np.ndarray, length: int, exchange: int, sequence: int, count: int, symbol: np.ndarray, m: np.ndarray
) -> int:
    """Check that ``data[:length]`` is one book's snapshot in ``count`` parts, all as of one sequence.

    Parameters
    ----------
    data : uint8[:]
    symbol : uint8[:]
        UTF-8, not empty.
    m : int64[16]
        Scratch.

    Returns
    -------
    int
        0, or one of CODES.
    """
    if length > MAX_PIECE:
        return TOO_LONG
    off, parts = 0, 0
    while off < length:
        code = wire.next_message(data, off, length, m)
        if code != wire.OK:
            return WRONG_TYPE if code == wire.UNKNOWN_TYPE else BAD_MESSAGE
        if m[wire.EXCHANGE] != exchange:
            return WRONG_CHANNEL
        if m[wire.TYPE] != TYPE_BOOK:
            return WRONG_TYPE
        if m[wire.SEQUENCE] != sequence:
            return WRONG_SEQUENCE
        if m[wire.SYMBOL_LEN] != len(symbol):
            return WRONG_SYMBOL
        for i in range(len(symbol)):
            if data[m[wire.SYMBOL_OFF] + i] != symbol[i]:
                return WRONG_SYMBOL
        off = m[wire.NEXT_OFF]
        if not _flags_are_right(np.int64(data[m[wire.BODY_OFF]]), parts == 0, off >= length):
            return WRONG_FLAGS
        parts += 1
    return 0 if parts == count and count > 0 else WRONG_COUNT

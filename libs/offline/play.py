"""Composed messages into an engine, one at a time, and every row that comes of each.

What the publisher would conflate while it is behind is taken after each message here, so nothing is: a row a completed
event. Sequences and timestamps are those of a sender that is never late.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from libs.book.kernels import copy_top
from libs.engine.datagrams import take_datagram
from libs.engine.directory import (
    OUT_BOOK_DIRTY,
    OUT_BOOK_QUEUE,
    OUT_BOOK_VERSION,
    OUT_BOOKS,
    OUT_CONTROLS,
    OUT_FEATURE_DIRTY,
    OUT_FEATURE_QUEUE,
    OUT_FEATURES,
    OUT_STATUS,
    OUT_TRADES,
    books_of,
)
from libs.engine.outputs import (
    BOOK_WORDS,
    BOOKS,
    FEATURE,
    FEATURE_WORDS,
    STATE,
    STATUS_WORDS,
    TRADE,
    TRADE_WORDS,
    take_latest,
    take_records,
)
from libs.engine.process import drain
from libs.jit import kernel
from libs.memory import store_i64, words1, words2
from libs.sending.outbox import AT, LENGTH, SRC, Outbox
from libs.sending.outbox import FEED_US as MESSAGE_FEED_US
from libs.wire.encoders import put_header, put_heartbeat
from libs.wire.kernels import HEADER_BYTES, HEARTBEAT_BYTES
from libs.wire.layout import CHANNELS, TYPE_HEARTBEAT

SEQUENCE_OFF, TIMESTAMP_OFF, EXCHANGE_OFF = 4, 12, 20
"""Bytes of a message's header."""
A_MESSAGE = 64
"""Rows of a kind that one message may bring: room for so many must be left before it."""

ROWS, N_TRADES, N_STATUS, N_MESSAGES = range(4)
"""Words of ``counts``."""
NEXT, BEAT_US, FEED_US, SESSION_US, NOW_US = 0, 8, 16, 24, 25
"""Words of ``state``: from NEXT on the next sequence of each channel, from BEAT_US on when each last had a heartbeat,
from FEED_US on its feed time; the session's start; the time of the last message."""
STATE_WORDS = 32
BEAT_AFTER_US = 50_000
"""Receivers trust no message that a heartbeat should have come before."""
BEAT_BYTES = HEADER_BYTES + HEARTBEAT_BYTES


class Taken(NamedTuple):
    """What came of messages, in the order in which it came.

    Attributes
    ----------
    features : int64[n, FEATURE_WORDS]
        Records of libs.streams.schemas.FEATURES, one a completed event of a valid book.
    levels : int64[n, 4, depth]
        Bid prices, bid sizes, ask prices, ask sizes of the book after that event, best first.
    sides : int64[n, 2]
        Bids and asks in ``levels``.
    trades : int64[n, TRADE_WORDS]
    status : int64[n, STATUS_WORDS]
    books : int64[n, BOOK_WORDS]
        Scratch.
    beat : uint8[BEAT_BYTES]
        Scratch.
    counts : int64[4]
        ROWS, N_TRADES, N_STATUS, N_MESSAGES so far.
    """

    features: np.ndarray
    levels: np.ndarray
    sides: np.ndarray
    trades: np.ndarray
    status: np.ndarray
    books: np.ndarray
    beat: np.ndarray
    counts: np.ndarray


def new_taken(rows: int, depth: int) -> Taken:
    """Return room for so many rows of each kind, with so many levels a side."""
    return Taken(
        np.zeros((rows, FEATURE_WORDS), np.int64),
        np.zeros((rows, 4, depth), np.int64),
        np.zeros((rows, 2), np.int64),
        np.zeros((rows, TRADE_WORDS), np.int64),
        np.zeros((rows, STATUS_WORDS), np.int64),
        np.zeros((A_MESSAGE, BOOK_WORDS), np.int64),
        np.zeros(BEAT_BYTES, np.uint8),
        np.zeros(4, np.int64),
    )


@kernel
def _take_rows(p: np.ndarray, t: Taken) -> None:
    """Move what the last message brought to ``t``."""
    controls = words2(p, OUT_CONTROLS)
    first = t.counts[ROWS]
    n = take_latest(
        words1(p, OUT_FEATURE_QUEUE), controls[FEATURE], words1(p, OUT_FEATURE_DIRTY), words1(p, OUT_BOOK_VERSION),
        words2(p, OUT_FEATURES), t.features[first : first + A_MESSAGE],
    )  # fmt: skip
    for i in range(first, first + n):
        levels = t.levels[i]
        bids, asks = copy_top(
            books_of(p), t.features[i, 0] & 0xFFFFFFFF, levels.shape[1], levels[0], levels[1], levels[2], levels[3]
        )
        t.sides[i, 0], t.sides[i, 1] = bids, asks
    t.counts[ROWS] += n
    take_latest(
        words1(p, OUT_BOOK_QUEUE), controls[BOOKS], words1(p, OUT_BOOK_DIRTY), words1(p, OUT_BOOK_VERSION),
        words2(p, OUT_BOOKS), t.books,
    )  # fmt: skip
    at = t.counts[N_TRADES]
    t.counts[N_TRADES] += take_records(words2(p, OUT_TRADES), controls[TRADE], t.trades[at : at + A_MESSAGE])
    at = t.counts[N_STATUS]
    t.counts[N_STATUS] += take_records(words2(p, OUT_STATUS), controls[STATE], t.status[at : at + A_MESSAGE])


@kernel
def _take(p: np.ndarray, data: np.ndarray, at: int, length: int, now_us: int, t: Taken) -> None:
    """Take in one encoded message as a datagram of its own, and everything that comes of it."""
    take_datagram(p, data, at, length, now_us * 1000, now_us * 1000)
    for channel in range(CHANNELS):
        drain(p, channel, 1 << 30, now_us * 1000)
    _take_rows(p, t)


@kernel
def _beat(p: np.ndarray, channel: int, state: np.ndarray, t: Taken) -> None:
    """Take in a heartbeat of a channel."""
    body = put_header(t.beat, 0, state[NEXT + channel], state[NOW_US], channel, TYPE_HEARTBEAT, t.beat, 0, 0)
    end = put_heartbeat(t.beat, body, state[SESSION_US] * 1000, state[NEXT + channel], state[FEED_US + channel])
    state[BEAT_US + channel] = state[NOW_US]
    _take(p, t.beat, 0, end, state[NOW_US], t)


@kernel
def play(p: np.ndarray, o: Outbox, slot: int, first: int, count: int, state: np.ndarray, t: Taken) -> int:
    """Number, stamp and take in messages of a slot until it ends or room for rows runs out; return the next one.

    Parameters
    ----------
    p : int64[n, 4]
        libs.engine.directory.
    first, count : int
        The message to begin with; how many the slot has.
    state : int64[STATE_WORDS]
        NEXT …; source time counts nanoseconds from the session's start.
    """
    most = len(t.features) - A_MESSAGE
    k = first
    while k < count and max(t.counts[ROWS], t.counts[N_TRADES], t.counts[N_STATUS]) <= most:
        row = o.messages[slot, k]
        at = row[AT]
        channel = int(o.data[at + EXCHANGE_OFF])
        state[NOW_US] = max(state[NOW_US], state[SESSION_US] + row[SRC] // 1000)
        if state[NOW_US] - state[BEAT_US + channel] >= BEAT_AFTER_US:
            _beat(p, channel, state, t)
        state[FEED_US + channel] = max(state[FEED_US + channel], row[MESSAGE_FEED_US])
        store_i64(o.data, at + SEQUENCE_OFF, state[NEXT + channel])
        store_i64(o.data, at + TIMESTAMP_OFF, state[NOW_US])
        state[NEXT + channel] += 1
        _take(p, o.data, at, row[LENGTH], state[NOW_US], t)
        t.counts[N_MESSAGES] += 1
        k += 1
    return k

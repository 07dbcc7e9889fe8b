"""Books as of what was *sent*: they follow the history, so that a snapshot has its place in the channel.

The composer's own mirror runs ahead of the sending thread and cannot say which sequence it stands at.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from libs.book.flags import BAD, NO_SNAPSHOT
from libs.book.image import side_image
from libs.book.kernels import apply_message, is_valid, set_flags, set_instrument
from libs.book.state import EXCHANGE_TS_US, FEED_TS_US, IDLE, MODE, PRICE_EXP, SIZE_EXP, WORDS, Books
from libs.book.state import new as new_books
from libs.jit import kernel
from libs.market import symbol_table
from libs.market.symbol_table import SymbolTable, lookup, register, t_find
from libs.memory import load_i64
from libs.recovery.history import History, next_sequence, oldest, read, session
from libs.wire import kernels as wire
from libs.wire.encoders import put_book, put_header
from libs.wire.layout import CHANNELS, TYPE_BOOK, TYPE_INSTRUMENT, TYPE_STATUS
from libs.wire.recovery import NO_SNAPSHOT as NO_SNAPSHOT_STATUS
from libs.wire.recovery import NOT_YET, OK, TOO_OLD, UNKNOWN_SESSION, UNKNOWN_SYMBOL

LEVELS = 1024
"""A side of a snapshot at the most."""
READ_BYTES = 1 << 18
TURN_MESSAGES = 20_000
"""Followed between two looks at whether somebody waits."""
MARGIN_MESSAGES = 64

M_SNAPSHOT, M_LAST, M_REFRESH = 1, 2, 8
_CUT_BIDS, _CUT_ASKS = 1, 2
_VENUE_CONNECTED, _VENUE_DISCONNECTED, _SYMBOL_INVALID, _SESSION_END = 0, 1, 2, 5

SESSION, PASSED_BY, FOLLOWED = range(3)
POSITION, SENT_US = 8, 16
"""Words of ``state``: the session followed; how often the history had passed the mirror by; messages followed. From
POSITION and SENT_US on a word a channel: the next sequence to follow, the header time of the last one."""


class MirrorState(NamedTuple):
    """What the kernels work on; few arrays.

    Attributes
    ----------
    state : int64[32]
    buffer : uint8[READ_BYTES]
        What was read of the history.
    scratch : int64[32]
        Header and body of the message at hand.
    levels : int64[4 * LEVELS + 65_536 // 8]
        Of the message, or of the snapshot, at hand.
    """

    state: np.ndarray
    buffer: np.ndarray
    scratch: np.ndarray
    levels: np.ndarray


@kernel
def _void_channel(books: Books, table: SymbolTable, channel: int) -> None:
    for b in range(table.counts[0]):
        if table.book_exchange[b] == channel:
            set_flags(books, b, NO_SNAPSHOT, 0)


@kernel
def _follow_status(books: Books, table: SymbolTable, channel: int, b: int, code: int) -> None:
    if code in (_VENUE_CONNECTED, _VENUE_DISCONNECTED, _SESSION_END) and b < 0:
        _void_channel(books, table, channel)
    elif code in (_VENUE_CONNECTED, _VENUE_DISCONNECTED, _SESSION_END):
        set_flags(books, b, NO_SNAPSHOT, 0)
    elif code == _SYMBOL_INVALID and b >= 0:
        set_flags(books, b, BAD, 0)


@kernel
def _follow_book(x: MirrorState, books: Books, b: int, m: np.ndarray, body: np.ndarray) -> None:
    wire.book_body(x.buffer, m[wire.BODY_OFF], body)
    n = body[wire.BOOK_BIDS] + body[wire.BOOK_ASKS]
    off = body[wire.BOOK_LEVELS_OFF]
    for i in range(2 * n):
        x.levels[i] = load_i64(x.buffer, off + 8 * i)
    apply_message(
        books, b, body[wire.BOOK_FLAGS], body[wire.BOOK_PRICE_EXPONENT], body[wire.BOOK_SIZE_EXPONENT],
        body[wire.BOOK_CUT], x.levels, 0, body[wire.BOOK_BIDS], body[wire.BOOK_ASKS], m[wire.SEQUENCE],
        body[wire.BOOK_EXCHANGE_TS], body[wire.BOOK_FEED_TS],
    )  # fmt: skip


@kernel
def _follow_message(x: MirrorState, books: Books, table: SymbolTable, channel: int, m: np.ndarray) -> None:
    body = x.scratch[16:]
    kind = m[wire.TYPE]
    off, length = m[wire.SYMBOL_OFF], m[wire.SYMBOL_LEN]
    if kind == TYPE_INSTRUMENT:
        b = register(table, channel, x.buffer, off, length)
        if b >= 0:
            wire.instrument_body(x.buffer, m[wire.BODY_OFF], body)
            set_instrument(
                books, b, body[wire.INSTRUMENT_TICK], body[wire.INSTRUMENT_TICK_EXPONENT], body[wire.INSTRUMENT_LOT],
                body[wire.INSTRUMENT_LOT_EXPONENT], body[wire.INSTRUMENT_MULTIPLIER],
                body[wire.INSTRUMENT_MULTIPLIER_EXPONENT], body[wire.INSTRUMENT_FLAGS] & 1,
            )  # fmt: skip
        return
    b = lookup(table, channel, x.buffer, off, length) if length > 0 else -1
    if kind == TYPE_BOOK and b >= 0:
        _follow_book(x, books, b, m, body)
    elif kind == TYPE_STATUS:
        wire.status_body(x.buffer, m[wire.BODY_OFF], body)
        _follow_status(books, table, channel, b, body[wire.STATUS_CODE])


@kernel
def follow(x: MirrorState, books: Books, table: SymbolTable, h: History, limit: int) -> int:
    """Apply what was sent since the last call, up to ``limit`` messages; return how many.

    Where the history has been overwritten meanwhile, the channel's books wait for the next snapshot in it.
    """
    of = session(h)
    if of == 0:
        return 0
    if of != x.state[SESSION]:
        x.state[SESSION] = of
        for channel in range(CHANNELS):
            x.state[POSITION + channel] = 1
            _void_channel(books, table, channel)
    done = 0
    m = x.scratch[:16]
    for channel in range(CHANNELS):
        while done < limit:
            position = x.state[POSITION + channel]
            end = next_sequence(h, channel)
            if position >= end:
                break
            status, count, used = read(h, of, channel, position, min(end - 1, position + limit - done - 1), x.buffer)
            if status == TOO_OLD:
                x.state[PASSED_BY] += 1
                # With a margin, or the writer passes by again while the first one is read.
                x.state[POSITION + channel] = max(min(oldest(h, channel) + MARGIN_MESSAGES, end), position + 1)
                _void_channel(books, table, channel)
                continue
            if status != OK or count == 0:
                break
            off = 0
            while wire.next_message(x.buffer, off, used, m) == wire.OK:
                off = m[wire.NEXT_OFF]
                x.state[SENT_US + channel] = m[wire.TIMESTAMP_US]
                _follow_message(x, books, table, channel, m)
            x.state[POSITION + channel] = position + count
            done += count
    x.state[FOLLOWED] += done
    return done


@kernel
def _put_image(
    x: MirrorState, books: Books, table: SymbolTable, b: int, sequence: int, sent_us: int, mtu: int, out: np.ndarray
) -> tuple[int, int]:
    """Write a book's snapshot to ``out``; returns (messages, bytes), (0, 0) without room."""
    bids, bids_cut = side_image(books, b, 0, x.levels, 0, LEVELS)
    asks, asks_cut = side_image(books, b, 1, x.levels, 2 * bids, LEVELS)
    w, base, length = books.words, b * WORDS, table.name_lengths[b]
    fits = (mtu - wire.HEADER_BYTES - wire.BOOK_BYTES - length) // wire.LEVEL_BYTES
    left, done, parts, end = bids + asks, 0, 0, 0
    while left > 0 or parts == 0:
        take = min(left, fits)
        left -= take
        of_bids = max(0, min(take, bids - done))
        flags = M_REFRESH | (M_SNAPSHOT if parts == 0 else 0) | (M_LAST if left == 0 else 0)
        cut = _CUT_BIDS * bids_cut | _CUT_ASKS * asks_cut if parts == 0 else 0
        at = put_header(out, end, sequence, sent_us, table.book_exchange[b], TYPE_BOOK, table.names[b], 0, length)
        if at < 0:
            return 0, 0
        end = put_book(
            out, at, flags, w[base + PRICE_EXP], w[base + SIZE_EXP], cut, of_bids, take - of_bids,
            w[base + EXCHANGE_TS_US], w[base + FEED_TS_US], x.levels, 2 * done,
        )  # fmt: skip
        if end < 0:
            return 0, 0
        done += take
        parts += 1
    return parts, end


class Mirror:
    """Snapshots of books as they were sent. One thread calls all of it.

    Parameters
    ----------
    history : History
    books : int
        How many (exchange, symbol) pairs there may be.
    depth : int
        Levels kept a side.
    mtu_payload : int
        Bytes of a part at the most.
    """

    def __init__(self, history: History, books: int, depth: int, mtu_payload: int) -> None:
        self.history, self.mtu = history, mtu_payload
        self.books: Books = new_books(books, depth)
        self.table: SymbolTable = symbol_table.new(books, books)
        levels = max(4 * LEVELS, READ_BYTES // 8)
        self.kernel_state = MirrorState(
            np.zeros(32, np.int64), np.zeros(READ_BYTES, np.uint8), np.zeros(32, np.int64), np.zeros(levels, np.int64)
        )
        self._out = np.zeros(2 * 16 * LEVELS + 256 * 200, np.uint8)

    @property
    def passed_by(self) -> int:
        """How often the history had been overwritten before it was followed."""
        return int(self.kernel_state.state[PASSED_BY])

    def follow(self, limit: int = TURN_MESSAGES) -> int:
        """Apply what was sent since; return how many messages."""
        return int(follow(self.kernel_state, self.books, self.table, self.history, limit))

    def snapshot(self, channel: int, of: int, symbol: str) -> tuple[int, int, int, bytes]:
        """Return (status, last sequence contained, messages, their bytes) of a book, as of now.

        Inside an event of the book there is none: a delta that comes after it would be half of that event.
        NOT_YET then.
        """
        while self.follow() == TURN_MESSAGES:
            pass
        state = self.kernel_state.state
        if state[SESSION] != of:
            return UNKNOWN_SESSION, 0, 0, b""
        b = t_find(self.table, channel, symbol)
        if b < 0:
            return UNKNOWN_SYMBOL, 0, 0, b""
        if int(self.books.words[b * WORDS + MODE]) != IDLE:
            return NOT_YET, 0, 0, b""
        sequence = int(state[POSITION + channel]) - 1
        if not is_valid(self.books, b) or sequence < 1:
            return NO_SNAPSHOT_STATUS, 0, 0, b""
        sent_us = int(state[SENT_US + channel])
        count, used = _put_image(self.kernel_state, self.books, self.table, b, sequence, sent_us, self.mtu, self._out)
        return OK, sequence, int(count), self._out[:used].tobytes()

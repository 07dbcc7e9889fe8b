"""Write the latest records: word by word, in the layouts of libs/streams/schemas.py (a test holds the two together)."""

from __future__ import annotations

import numpy as np

from libs.book import state as state_book
from libs.book.flags import INVALID
from libs.book.kernels import copy_top
from libs.engine.columns import DEPTH_LEVELS, DIGEST, FEATURE_ROWS, LIQUIDITY_BPS, ROWS_CUT, SESSION
from libs.engine.conflation import is_fresh, queue_features
from libs.engine.digests import note_features
from libs.engine.directory import (
    LEDGER,
    OUT_BOOK_DIRTY,
    OUT_BOOK_QUEUE,
    OUT_BOOK_VERSION,
    OUT_BOOKS,
    OUT_CONTROLS,
    OUT_FEATURES,
    OUT_STATUS,
    OUT_TRADES,
    SETTINGS,
    TABLE,
    TOTALS,
    book_word,
    books_of,
    exchange_of,
    history_of,
    symbol_of,
)
from libs.engine.outputs import (
    BOOKS,
    STATE,
    STATUS_QUEUE,
    TRADE,
    TRADE_QUEUE,
    queue_done,
    queue_id,
    queue_room,
)
from libs.features.kernels import INCOMPLETE, WINDOW_CUT, complete_row, quotes
from libs.jit import kernel
from libs.memory import bytes2, fence, floats2, load_acquire, load_i64, store_release, words1, words2, words2_row
from libs.streams.schemas import TOP_LEVELS

# First words of fields in the records.
KEY_SYMBOL = 2
KEY_SESSION, KEY_SEQUENCE, KEY_FEED, KEY_EXCHANGE_TS, KEY_SENT, KEY_OLDEST, KEY_RECV, KEY_BOOK_TS, KEY_EVENTS = range(
    10, 19
)
FEATURE_TOPS = 19
FEATURE_COLUMNS = 23
BOOK_COUNTS = 19
BOOK_LEVELS = 20

INVALID_BOOK, VALID_BOOK, INSTRUMENT_SEEN, FLAGS_CHANGED, NEW_SESSION, SESSION_ENDED, RANGE_LOST = range(7)
"""Indices of libs.streams.schemas.STATUS_KINDS."""


@kernel
def put_name(p: np.ndarray, row: np.ndarray, word: int, book: int) -> None:
    """Write a book's symbol to eight words of a record."""
    name = bytes2(p, TABLE + 1)[book]
    for k in range(8):
        row[word + k] = load_i64(name, 8 * k)


@kernel
def _put_key(
    p: np.ndarray, row: np.ndarray, b: int, notes: int, sent_us: int, recv_ns: int, now: int, fresh: bool
) -> None:
    """Write the words that features and book records share; ``fresh``: the record before was taken."""
    flags = book_word(p, b, state_book.FLAGS)
    exchange = exchange_of(p, b)
    valid = 1 if flags & INVALID == 0 else 0
    row[0] = b | symbol_of(p, b) << 32
    row[1] = exchange | valid << 8 | (notes & INCOMPLETE != 0) << 16 | notes << 24 | flags << 32
    if row[KEY_SYMBOL] == 0:
        put_name(p, row, KEY_SYMBOL, b)
    row[KEY_SESSION] = words2_row(p, LEDGER, exchange)[SESSION]
    row[KEY_SEQUENCE] = book_word(p, b, state_book.SEQUENCE)
    row[KEY_FEED] = book_word(p, b, state_book.FEED_TS_US)
    row[KEY_EXCHANGE_TS] = book_word(p, b, state_book.EXCHANGE_TS_US)
    row[KEY_SENT] = sent_us
    if fresh:
        row[KEY_OLDEST] = sent_us
        events = 1
    else:
        events = (row[KEY_EVENTS] & 0xFFFFFFFF) + 1
    row[KEY_RECV] = recv_ns
    row[KEY_BOOK_TS] = now
    row[KEY_EVENTS] = (
        events & 0xFFFFFFFF
        | (book_word(p, b, state_book.PRICE_EXP) & 0xFF) << 32
        | (book_word(p, b, state_book.SIZE_EXP) & 0xFF) << 40
    )


@kernel
def _put_levels(p: np.ndarray, row: np.ndarray, b: int) -> None:
    at = BOOK_LEVELS
    n = TOP_LEVELS
    bids, asks = copy_top(
        books_of(p),
        b,
        n,
        row[at : at + n],
        row[at + n : at + 2 * n],
        row[at + 2 * n : at + 3 * n],
        row[at + 3 * n : at + 4 * n],
    )
    row[BOOK_COUNTS] = bids | asks << 16


@kernel(inline=True)
def _mark(row: np.ndarray, flags: int) -> None:
    """Put flags into a record that was made before they changed."""
    if row[KEY_SYMBOL] != 0:
        valid = 1 if flags & INVALID == 0 else 0
        row[1] = (row[1] & 0xFFFF00FF) | valid << 8 | flags << 32


@kernel
def _put_features(p: np.ndarray, b: int, sent_us: int, recv_ns: int, now: int) -> int:
    values = floats2(p, OUT_FEATURES)[b]
    notes = complete_row(
        history_of(p), books_of(p), b, words1(p, SETTINGS)[DEPTH_LEVELS], words1(p, SETTINGS)[LIQUIDITY_BPS],
        values[FEATURE_COLUMNS:],
    )  # fmt: skip
    _put_key(
        p,
        words2(p, OUT_FEATURES)[b],
        b,
        notes,
        sent_us,
        recv_ns,
        now,
        is_fresh(p, b),
    )
    quotes(books_of(p), b, values[FEATURE_TOPS:FEATURE_COLUMNS])
    words1(p, TOTALS)[FEATURE_ROWS] += 1
    if notes & WINDOW_CUT:
        words1(p, TOTALS)[ROWS_CUT] += 1
    if words1(p, SETTINGS)[DIGEST] != 0:
        note_features(p, b, notes)
    return notes


@kernel
def show_book(p: np.ndarray, b: int, sent_us: int, recv_ns: int, now: int, with_features: bool) -> None:
    """Write the records of a book after an event, or after its flags changed, and queue them.

    Parameters
    ----------
    with_features : bool
        False when the book is not valid, or only its flags changed: then no features row is made, and one that still
        waits is marked with the flags.
    """
    version = words1(p, OUT_BOOK_VERSION)[b]
    store_release(words1(p, OUT_BOOK_VERSION), b, version + 1)
    fence()
    notes = 0
    if with_features:
        notes = _put_features(p, b, sent_us, recv_ns, now)
    else:
        _mark(words2(p, OUT_FEATURES)[b], book_word(p, b, state_book.FLAGS))
    if book_word(p, b, state_book.VERSION) & 1 == 0:
        row = words2(p, OUT_BOOKS)[b]
        _put_key(p, row, b, notes, sent_us, recv_ns, now, load_acquire(words1(p, OUT_BOOK_DIRTY), b) == 0)
        _put_levels(p, row, b)
    else:
        # In the middle of an event: what was last shown stays, with the flags of now.
        _mark(words2(p, OUT_BOOKS)[b], book_word(p, b, state_book.FLAGS))
    store_release(words1(p, OUT_BOOK_VERSION), b, version + 2)
    if with_features:
        queue_features(p, b, book_word(p, b, state_book.FEED_TS_US), now)
    if words2(p, OUT_BOOKS)[b, KEY_SYMBOL] != 0:
        queue_id(words1(p, OUT_BOOK_QUEUE), words2(p, OUT_CONTROLS)[BOOKS], words1(p, OUT_BOOK_DIRTY), b)


@kernel
def put_trade(p: np.ndarray, b: int, side: int, slots: np.ndarray, at: int, price_exp: int, size_exp: int) -> None:
    """Queue a trade record; ``at`` is the word index of its first ring slot."""
    control = words2(p, OUT_CONTROLS)[TRADE]
    place = queue_room(control, TRADE_QUEUE)
    if place < 0:
        return
    row = words2(p, OUT_TRADES)[place]
    exchange = exchange_of(p, b)
    row[0] = b | exchange << 32 | (side & 0xFF) << 40 | (price_exp & 0xFF) << 48 | (size_exp & 0xFF) << 56
    put_name(p, row, 1, b)
    row[9] = words2_row(p, LEDGER, exchange)[SESSION]
    row[10] = slots[at + 2]
    row[11] = slots[at + 7]
    row[12] = slots[at + 8]
    row[13] = slots[at + 9]
    row[14] = slots[at + 5]
    row[15] = slots[at + 4]
    row[16] = slots[at + 3]
    queue_done(control)


@kernel
def put_status(
    p: np.ndarray, kind: int, exchange: int, b: int, sequence: int, feed_us: int, sent_us: int, now: int
) -> None:
    """Queue a status record; ``b`` -1: of the whole channel."""
    control = words2(p, OUT_CONTROLS)[STATE]
    place = queue_room(control, STATUS_QUEUE)
    if place < 0:
        return
    row = words2(p, OUT_STATUS)[place]
    row[:] = 0
    row[0] = (b & 0xFFFFFFFF) | exchange << 32 | kind << 40
    if b >= 0:
        row[1] = book_word(p, b, state_book.FLAGS) | symbol_of(p, b) << 32
        put_name(p, row, 2, b)
        row[15] = book_word(p, b, state_book.TICK)
        row[16] = book_word(p, b, state_book.LOT)
        row[17] = book_word(p, b, state_book.MULTIPLIER)
        row[18] = (
            (book_word(p, b, state_book.TICK_EXP) & 0xFF)
            | (book_word(p, b, state_book.LOT_EXP) & 0xFF) << 8
            | (book_word(p, b, state_book.MULTIPLIER_EXP) & 0xFF) << 16
            | book_word(p, b, state_book.INVERSE) << 24
        )
    row[10] = words2_row(p, LEDGER, exchange)[SESSION]
    row[11] = sequence
    row[12] = feed_us
    row[13] = sent_us
    row[14] = now
    queue_done(control)

"""Write the latest records: word by word, in the layouts of libs/streams/schemas.py (a test holds the two together)."""

from __future__ import annotations

import numpy as np

from libs.book.flags import INVALID
from libs.book.kernels import copy_top, has_top
from libs.book.state import BID_PRICE, BID_SIZE, TOP_PRICE_EXP, TOP_SIZE_EXP
from libs.engine.outputs import (
    BOOKS,
    FEATURE,
    STATE,
    STATUS_QUEUE,
    SYMBOLS,
    TRADE,
    TRADE_QUEUE,
    queue_done,
    queue_id,
    queue_room,
)
from libs.engine.state import (
    DEPTH_LEVELS,
    FEATURE_ROWS,
    LIQUIDITY_BPS,
    NBBO_ROWS,
    SESSION,
    Processor,
)
from libs.features.kernels import compute_row, value
from libs.jit import kernel
from libs.market.symbol_table import SymbolTable
from libs.memory import fence, load_acquire, load_i64, store_release
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
def _put_name(row: np.ndarray, word: int, table: SymbolTable, book: int) -> None:
    for k in range(8):
        row[word + k] = load_i64(table.names[book], 8 * k)


@kernel
def _put_key(
    p: Processor, row: np.ndarray, b: int, incomplete: int, sent_us: int, recv_ns: int, now: int, fresh: bool
) -> None:
    """Write the words that features and book records share; ``fresh``: the record before was taken."""
    books = p.books
    flags = books.flags[b]
    exchange = p.table.book_exchange[b]
    valid = 1 if flags & INVALID == 0 else 0
    row[0] = b | p.table.book_symbol[b] << 32
    row[1] = exchange | valid << 8 | incomplete << 16 | flags << 32
    if row[KEY_SYMBOL] == 0:
        _put_name(row, KEY_SYMBOL, p.table, b)
    row[KEY_SESSION] = p.ledger[exchange, SESSION]
    row[KEY_SEQUENCE] = books.sequence[b]
    row[KEY_FEED] = books.feed_ts_us[b]
    row[KEY_EXCHANGE_TS] = books.exchange_ts_us[b]
    row[KEY_SENT] = sent_us
    if fresh:
        row[KEY_OLDEST] = sent_us
        events = 1
    else:
        events = (row[KEY_EVENTS] & 0xFFFFFFFF) + 1
    row[KEY_RECV] = recv_ns
    row[KEY_BOOK_TS] = now
    row[KEY_EVENTS] = events & 0xFFFFFFFF | (books.price_exp[b] & 0xFF) << 32 | (books.size_exp[b] & 0xFF) << 40


@kernel
def _put_levels(p: Processor, row: np.ndarray, b: int) -> None:
    at = BOOK_LEVELS
    n = TOP_LEVELS
    bids, asks = copy_top(
        p.books,
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
        row[1] = (row[1] & 0xFF00FF) | valid << 8 | flags << 32


@kernel
def _put_features(p: Processor, b: int, sent_us: int, recv_ns: int, now: int) -> int:
    out = p.out
    values = out.feature_values[b]
    incomplete = compute_row(
        p.books, b, p.settings[DEPTH_LEVELS], p.settings[LIQUIDITY_BPS], values[FEATURE_COLUMNS:]
    )
    _put_key(p, out.features[b], b, incomplete, sent_us, recv_ns, now, load_acquire(out.feature_dirty, b) == 0)
    tops = p.books.tops[b]
    for side in range(2):
        if has_top(p.books, b, side):
            values[FEATURE_TOPS + side] = value(tops[BID_PRICE + 2 * side], tops[TOP_PRICE_EXP])
            values[FEATURE_TOPS + 2 + side] = value(tops[BID_SIZE + 2 * side], tops[TOP_SIZE_EXP])
        else:
            values[FEATURE_TOPS + side] = np.nan
            values[FEATURE_TOPS + 2 + side] = np.nan
    p.totals[FEATURE_ROWS] += 1
    return incomplete


@kernel
def show_book(p: Processor, b: int, sent_us: int, recv_ns: int, now: int, with_features: bool) -> None:
    """Write the records of a book after an event, or after its flags changed, and queue them.

    Parameters
    ----------
    with_features : bool
        False when the book is not valid, or only its flags changed: then no features row is made, and one that still waits
        is marked with the flags.
    """
    out = p.out
    version = out.book_version[b]
    store_release(out.book_version, b, version + 1)
    fence()
    incomplete = 0
    if with_features:
        incomplete = _put_features(p, b, sent_us, recv_ns, now)
    else:
        _mark(out.features[b], p.books.flags[b])
    if p.books.version[b] & 1 == 0:
        row = out.books[b]
        _put_key(p, row, b, incomplete, sent_us, recv_ns, now, load_acquire(out.book_dirty, b) == 0)
        _put_levels(p, row, b)
    else:
        # In the middle of an event: what was last shown stays, with the flags of now.
        _mark(out.books[b], p.books.flags[b])
    store_release(out.book_version, b, version + 2)
    if with_features:
        queue_id(out.feature_queue, out.controls[FEATURE], out.feature_dirty, b)
    if out.books[b, KEY_SYMBOL] != 0:
        queue_id(out.book_queue, out.controls[BOOKS], out.book_dirty, b)


@kernel
def show_nbbo(p: Processor, symbol: int, sent_us: int, feed_us: int, now: int) -> None:
    """Write the NBBO record of a canonical symbol and queue it."""
    out = p.out
    nbbo = p.nbbo
    row = out.nbbo[symbol]
    values = out.nbbo_values[symbol]
    version = out.nbbo_version[symbol]
    store_release(out.nbbo_version, symbol, version + 1)
    row[0] = (
        symbol
        | nbbo.state[symbol] << 32
        | nbbo.bid_exchanges[symbol] << 40
        | nbbo.ask_exchanges[symbol] << 48
        | (nbbo.bid_exchange[symbol] & 0xFF) << 56
    )
    row[1] = (nbbo.ask_exchange[symbol] & 0xFF) | (nbbo.price_exp[symbol] & 0xFF) << 8
    excluded = 0
    for exchange in range(8):
        if exchange < nbbo.excluded.shape[1]:
            excluded |= nbbo.excluded[symbol, exchange] << (8 * exchange)
    row[2] = excluded
    if row[3] == 0:
        for exchange in range(p.table.symbol_books.shape[1]):
            book = p.table.symbol_books[symbol, exchange]
            if book >= 0:
                _put_name(row, 3, p.table, book)
                break
    row[11] = nbbo.bid_price[symbol]
    row[12] = nbbo.ask_price[symbol]
    values[13] = nbbo.bid_size[symbol]
    values[14] = nbbo.ask_size[symbol]
    bid = value(nbbo.bid_price[symbol], nbbo.price_exp[symbol]) if nbbo.bid_exchanges[symbol] else np.nan
    ask = value(nbbo.ask_price[symbol], nbbo.price_exp[symbol]) if nbbo.ask_exchanges[symbol] else np.nan
    values[15] = (bid + ask) / 2
    values[16] = ask - bid
    row[17] = feed_us
    row[18] = sent_us
    if load_acquire(out.nbbo_dirty, symbol) == 0:
        row[19] = sent_us
    row[20] = now
    store_release(out.nbbo_version, symbol, version + 2)
    p.totals[NBBO_ROWS] += 1
    queue_id(out.nbbo_queue, out.controls[SYMBOLS], out.nbbo_dirty, symbol)


@kernel
def put_trade(p: Processor, b: int, side: int, slots: np.ndarray, at: int, price_exp: int, size_exp: int) -> None:
    """Queue a trade record; ``at`` is the word index of its first ring slot."""
    out = p.out
    control = out.controls[TRADE]
    place = queue_room(control, TRADE_QUEUE)
    if place < 0:
        return
    row = out.trades[place]
    exchange = p.table.book_exchange[b]
    row[0] = b | exchange << 32 | (side & 0xFF) << 40 | (price_exp & 0xFF) << 48 | (size_exp & 0xFF) << 56
    _put_name(row, 1, p.table, b)
    row[9] = p.ledger[exchange, SESSION]
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
    p: Processor, kind: int, exchange: int, b: int, sequence: int, feed_us: int, sent_us: int, now: int
) -> None:
    """Queue a status record; ``b`` -1: of the whole channel."""
    out = p.out
    control = out.controls[STATE]
    place = queue_room(control, STATUS_QUEUE)
    if place < 0:
        return
    row = out.status[place]
    row[:] = 0
    books = p.books
    row[0] = (b & 0xFFFFFFFF) | exchange << 32 | kind << 40
    if b >= 0:
        row[1] = books.flags[b] | p.table.book_symbol[b] << 32
        _put_name(row, 2, p.table, b)
        row[15] = books.tick[b]
        row[16] = books.lot[b]
        row[17] = books.multiplier[b]
        row[18] = (
            (books.tick_exp[b] & 0xFF)
            | (books.lot_exp[b] & 0xFF) << 8
            | (books.multiplier_exp[b] & 0xFF) << 16
            | books.inverse[b] << 24
        )
    row[10] = p.ledger[exchange, SESSION]
    row[11] = sequence
    row[12] = feed_us
    row[13] = sent_us
    row[14] = now
    queue_done(control)

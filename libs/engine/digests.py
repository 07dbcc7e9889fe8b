"""What goes into the hash chains of books: normalised events, books at completed events, features rows.

A chain holds nothing that differs between two runs of one recording: no sequence or session (REFRESH and repeated
Instruments take sequences when the wall clock says so), no send or receive time, no flag of what was lost or late.
How an event was cut into messages is not in it either: levels are hashed side by side in the venue's order.
"""

from __future__ import annotations

import numpy as np

from libs.book import state as state_book
from libs.book.flags import (
    BAD,
    CROSSED,
    DELISTED,
    HALTED,
    MUTE,
    NO_SNAPSHOT,
    ONE_SIDED,
    TRADES_MISSED,
    TRUNCATED,
    VENUE_DOWN,
)
from libs.digest import merge
from libs.digest.chain import canonical, extend
from libs.digest.murmur import absorb, finish, hash_pairs_down
from libs.digest.state import (
    ASK_HASH,
    ASKS,
    BID_HASH,
    BIDS,
    BOOK,
    EVENTS,
    FEATURES,
    OPEN_FLAGS,
    OPEN_PARTS,
    OPEN_UNITS,
)
from libs.engine.directory import (
    DIGEST_BOOKS,
    DIGEST_MERGE,
    DIGEST_RECORD,
    DIGEST_TOPS,
    OUT_FEATURES,
    book_word,
    books_of,
    exchange_of,
)
from libs.engine.merged import make_room
from libs.engine.slots import TRADE, byte_of
from libs.engine.traces import TRACE_BOOK, TRACE_EVENTS, TRACE_FEATURES, put_trace
from libs.jit import kernel
from libs.memory import words1, words2, words2_row, words3

IN_BAND = NO_SNAPSHOT | BAD | VENUE_DOWN | HALTED | DELISTED | MUTE | CROSSED | ONE_SIDED | TRUNCATED | TRADES_MISSED
"""Flags that follow from the feed alone, whenever and however it came."""

KIND_BOOK, KIND_TRADE, KIND_FLAGS = range(3)

SNAPSHOT, LAST, REFRESH = 1, 2, 8
"""OrderBook flags of HFTP."""
_SIDES, _LEVEL_WORDS = 2, 2
TOPS_OF_FEATURES = 19
"""First word of a features record that is no key (libs.engine.rows.FEATURE_TOPS)."""


@kernel
def _extend(p: np.ndarray, b: int, kind: int, at: int, n: int, feed_us: int) -> None:
    chains = words2_row(p, DIGEST_BOOKS, b)
    extend(chains, at, words1(p, DIGEST_RECORD), n, feed_us)
    put_trace(p, kind, b, chains, at)


@kernel
def _absorb_side(row: np.ndarray, at: int, slots: np.ndarray, first: int, levels: int) -> None:
    """Absorb levels of ring slots into two words of a book's row, from ``at`` on; count them in the third."""
    h1, h2 = row[at], row[at + 1]
    for k in range(levels):
        h1, h2 = absorb(h1, h2, slots[first + _LEVEL_WORDS * k], slots[first + _LEVEL_WORDS * k + 1])
    row[at], row[at + 1] = h1, h2
    row[at + 2] += levels


@kernel
def _note_book(p: np.ndarray, slots: np.ndarray, at: int, b: int) -> None:
    """Take in a part of an event; the last one makes the link."""
    word = slots[at + 1]
    flags = byte_of(word, 0)
    if flags & REFRESH:
        return
    row = words2_row(p, DIGEST_BOOKS, b)
    if flags & SNAPSHOT or row[OPEN_PARTS] == 0:
        row[BID_HASH : OPEN_PARTS + 1] = 0
        row[OPEN_UNITS] = word >> 8 & 0xFFFFFF
    row[OPEN_PARTS] += 1
    row[OPEN_FLAGS] |= flags
    bids, asks = word >> 32 & 0xFFFF, word >> 48 & 0xFFFF
    _absorb_side(row, BID_HASH, slots, at + 8, bids)
    _absorb_side(row, ASK_HASH, slots, at + 8 + _LEVEL_WORDS * bids, asks)
    if not flags & LAST:
        return
    record = words1(p, DIGEST_RECORD)
    record[0] = KIND_BOOK | row[OPEN_FLAGS] << 8
    record[1] = row[OPEN_UNITS]
    record[2], record[3] = slots[at + 5], slots[at + 4]
    record[4], record[5] = row[BIDS], row[ASKS]
    record[6], record[7] = finish(row[BID_HASH], row[BID_HASH + 1], row[BIDS])
    record[8], record[9] = finish(row[ASK_HASH], row[ASK_HASH + 1], row[ASKS])
    row[OPEN_PARTS] = 0
    _extend(p, b, TRACE_EVENTS, EVENTS, 10, slots[at + 5])


@kernel
def _note_trade(p: np.ndarray, slots: np.ndarray, at: int, b: int) -> None:
    record = words1(p, DIGEST_RECORD)
    record[0] = KIND_TRADE | byte_of(slots[at + 1], 0) << 8
    record[1] = slots[at + 1] >> 8 & 0xFFFF
    record[2], record[3] = slots[at + 5], slots[at + 4]
    for k in range(3):
        record[4 + k] = slots[at + 7 + k]  # id, price, size
    record[7] = 0
    _extend(p, b, TRACE_EVENTS, EVENTS, 8, slots[at + 5])


@kernel
def note_message(p: np.ndarray, slots: np.ndarray, at: int, ch: int, kind: int, b: int) -> None:
    """Take in a book message or a trade as it came, before anything is made of it."""
    merge.heard(words2(p, DIGEST_MERGE), ch, slots[at + 5])
    if kind == TRADE:
        _note_trade(p, slots, at, b)
    else:
        _note_book(p, slots, at, b)


@kernel
def _put_top(p: np.ndarray, b: int, feed_us: int) -> None:
    """Add a book's top of now to those of its channel that wait to be merged."""
    ch = exchange_of(p, b)
    make_room(p, ch)
    tops, control = words3(p, DIGEST_TOPS), words2(p, DIGEST_MERGE)
    top = tops[ch, merge.place_of(tops, control, ch, feed_us)]
    top[merge.BOOK] = b
    top[merge.FLAGS] = book_word(p, b, state_book.FLAGS) & IN_BAND
    top[merge.INVERSE] = book_word(p, b, state_book.INVERSE)
    top[merge.MULTIPLIER] = book_word(p, b, state_book.MULTIPLIER)
    top[merge.MULTIPLIER_EXP] = book_word(p, b, state_book.MULTIPLIER_EXP)
    for k in range(8):
        top[merge.LEVELS + k] = book_word(p, b, state_book.TOPS + k)


@kernel
def note_event(p: np.ndarray, b: int) -> None:
    """Take in a book whose event is complete, every level of it."""
    record = words1(p, DIGEST_RECORD)
    books = books_of(p)
    record[0] = book_word(p, b, state_book.FLAGS) & IN_BAND
    record[1] = book_word(p, b, state_book.PRICE_EXP) & 0xFF | (book_word(p, b, state_book.SIZE_EXP) & 0xFF) << 8
    record[2] = book_word(p, b, state_book.FEED_TS_US)
    record[3] = book_word(p, b, state_book.EXCHANGE_TS_US)
    for side in range(_SIDES):
        count = book_word(p, b, state_book.COUNTS + side)
        known = book_word(p, b, state_book.KNOWN_SET + side)
        first = book_word(p, b, state_book.FIRST + side)
        record[4 + side] = count
        record[6 + side] = known
        record[8 + side] = book_word(p, b, state_book.KNOWN_END + side) if known == state_book.KNOWN_TO else 0
        record[10 + 2 * side], record[11 + 2 * side] = hash_pairs_down(
            books.prices[b, side], books.sizes[b, side], first, first + count
        )
    _extend(p, b, TRACE_BOOK, BOOK, 14, record[2])
    _put_top(p, b, record[2])


@kernel
def note_features(p: np.ndarray, b: int, notes: int) -> None:
    """Take in a book's features record: every column as its bits, all NaN alike."""
    row, record = words2_row(p, OUT_FEATURES, b), words1(p, DIGEST_RECORD)
    record[0] = book_word(p, b, state_book.FEED_TS_US)
    record[1] = notes
    n = len(row) - TOPS_OF_FEATURES
    for k in range(n):
        record[2 + k] = canonical(row[TOPS_OF_FEATURES + k])
    if n % 2 == 1:
        record[2 + n] = 0
    _extend(p, b, TRACE_FEATURES, FEATURES, 2 + n + n % 2, record[0])


@kernel
def note_flags(p: np.ndarray, b: int, before: int) -> None:
    """Take in a change of a book's flags that the feed itself states, outside an event."""
    ch = exchange_of(p, b)
    control = words2(p, DIGEST_MERGE)
    after = book_word(p, b, state_book.FLAGS)
    if control[ch, merge.ENDED] or (before ^ after) & IN_BAND == 0:
        return
    feed_us = max(book_word(p, b, state_book.FEED_TS_US), control[ch, merge.LAST_FEED_US])
    record = words1(p, DIGEST_RECORD)
    record[0] = KIND_FLAGS
    record[1] = after & IN_BAND
    _extend(p, b, TRACE_EVENTS, EVENTS, 2, feed_us)
    _put_top(p, b, feed_us)

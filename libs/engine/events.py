"""What book messages and trades do: events, requested snapshots spliced with what waited, their place in the ledger."""

from __future__ import annotations

import numpy as np

from libs.book import kernels as book
from libs.book import state as state_book
from libs.book.flags import CROSSED, INVALID, TRADES_MISSED
from libs.engine.books import notice_validity
from libs.engine.columns import (
    APPLIED,
    CROSSED_EVENTS,
    DIGEST,
    DIVERGED,
    EVENTS,
    LOST_UPTO,
    PENDING_PARTS,
    REFUSED,
    ROW_BOOK,
    ROW_FEATURES,
    TRADES,
    UPDATES,
    WORST_BOOK,
    WORST_NS,
    WORST_SEQUENCE,
    WORST_WIRE_NS,
)
from libs.engine.digests import note_event
from libs.engine.directory import (
    LEDGER,
    ROWS,
    SCRATCH,
    SETTINGS,
    TOTALS,
    WAITING,
    WAITING_CONTROL,
    WAITING_LOG,
    book_count,
    book_word,
    books_of,
    history_of,
)
from libs.engine.quotes import update_nbbo
from libs.engine.rows import put_trade, show_book
from libs.engine.slots import BAD_BODY, CAPACITY, INCOMPLETE_EVENT, NOT_VALID, byte_of, signed_byte_of
from libs.engine.waiting import (
    FAULTY,
    NEWEST_SEQUENCE,
    OPEN_SNAPSHOT,
    SPLICED,
    STALE,
    UNNEEDED,
    UPTO,
    USED,
    WANTED_NS,
    drop_snapshot,
    forget,
    keep_delta,
    note_settled,
    take_oldest,
    want_snapshot,
)
from libs.features import notes as features
from libs.features.trades import note_trade
from libs.jit import kernel
from libs.libc import CLOCK_REALTIME, now_ns
from libs.memory import words1, words2, words2_row
from libs.telemetry.hdr_kernels import record


@kernel
def _settle(p: np.ndarray, code: int, ledger: np.ndarray, b: int) -> None:
    """Put the messages that a book call settled where they belong in the ledger."""
    settled = book_word(p, b, state_book.SETTLED)
    if code == book.REFUSED_NOT_VALID:
        ledger[REFUSED + NOT_VALID] += settled
    elif code == book.REFUSED_BAD_BODY:
        ledger[REFUSED + BAD_BODY] += settled
    elif code == book.REFUSED_CAPACITY:
        ledger[REFUSED + CAPACITY] += settled
    elif code == book.REFUSED_INCOMPLETE:
        ledger[REFUSED + INCOMPLETE_EVENT] += settled
    else:
        ledger[APPLIED] += settled
        ledger[UPDATES] += book_word(p, b, state_book.LEVELS)


@kernel
def _interrupted(p: np.ndarray, slots: np.ndarray, at: int, b: int, before: int) -> int:
    """Show that an event that stood open was interrupted: the book is invalid from here on. Return its flags."""
    now = now_ns(words1(p, SCRATCH), CLOCK_REALTIME)
    notice_validity(p, b, before, False, slots[at + 3], now)
    show_book(p, b, slots[at + 3], slots[at + 6], now, False)
    update_nbbo(p, b, slots[at + 3], now)
    return book_word(p, b, state_book.FLAGS)


@kernel
def _note_event(p: np.ndarray, b: int, feed_us: int) -> None:
    """Take a completed event into the book's history, and the flag away once no window misses a print any more."""
    history = history_of(p)
    flags = book_word(p, b, state_book.FLAGS)
    if not flags & book.NEEDS_SNAPSHOT:
        features.note_event(history, books_of(p), b)
    if flags & TRADES_MISSED and features.trades_are_whole(history, b, feed_us):
        book.set_flags(books_of(p), b, 0, TRADES_MISSED)


@kernel(inline=True)
def _note_worst(p: np.ndarray, b: int, sequence: int, took_ns: int, wire_ns: int) -> None:
    """Remember the message that took longest, so that a tail has a name."""
    totals = words1(p, TOTALS)
    if took_ns > totals[WORST_NS]:
        totals[WORST_NS] = took_ns
        totals[WORST_SEQUENCE] = sequence
        totals[WORST_BOOK] = b
        totals[WORST_WIRE_NS] = wire_ns


@kernel
def on_book(p: np.ndarray, slots: np.ndarray, at: int, ch: int, b: int, mono_ns: int) -> None:
    """Take in an OrderBook message, whose record begins at word ``at``."""
    ledger = words2_row(p, LEDGER, ch)
    books = books_of(p)
    word = slots[at + 1]
    flags = byte_of(word, 0)
    bids = word >> 32 & 0xFFFF
    asks = word >> 48 & 0xFFFF
    sent_us = slots[at + 3]
    before = book_word(p, b, state_book.FLAGS)
    digested = words1(p, SETTINGS)[DIGEST] != 0
    if digested and flags & book.M_REFRESH and not before & book.NEEDS_SNAPSHOT:
        # A valid book would adopt what it did not know at a time that the wall clock chooses.
        ledger[APPLIED] += 1
        return
    if before & INVALID and keep_delta(p, slots, at, ch, b, flags, mono_ns):
        return
    pending = book_word(p, b, state_book.PARTS)
    code = book.apply_message(
        books, b, flags, signed_byte_of(word, 1), signed_byte_of(word, 2), byte_of(word, 3), slots, at + 8, bids, asks,
        slots[at + 2], slots[at + 4], slots[at + 5],
    )  # fmt: skip
    ledger[REFUSED + INCOMPLETE_EVENT] += book_word(p, b, state_book.BROKEN)
    ledger[PENDING_PARTS] += book_word(p, b, state_book.PARTS) - pending
    if code != book.EVENT_OPEN and (before | book_word(p, b, state_book.FLAGS)) & book.NEEDS_SNAPSHOT:
        note_settled(p, b, slots[at + 2])
    if book_word(p, b, state_book.BROKEN) > 0 and book_word(p, b, state_book.FLAGS) != before:
        before = _interrupted(p, slots, at, b, before)
    if code == book.EVENT_OPEN:
        return
    _settle(p, code, ledger, b)
    recv_ns = slots[at + 6]
    now = now_ns(words1(p, SCRATCH), CLOCK_REALTIME)
    if code == book.EVENT_DONE:
        record(words2(p, ROWS), ROW_BOOK, now - sent_us * 1000)
        _note_worst(p, b, slots[at + 2], now - sent_us * 1000, recv_ns - sent_us * 1000)
        ledger[EVENTS] += 1
        if book_word(p, b, state_book.FLAGS) & CROSSED:
            ledger[CROSSED_EVENTS] += 1
        _note_event(p, b, slots[at + 5])
        notice_validity(p, b, before, False, sent_us, now)
        if digested:
            note_event(p, b)
        if book.is_valid(books, b):
            show_book(p, b, sent_us, recv_ns, now, True)
            update_nbbo(p, b, sent_us, now)
            done = now_ns(words1(p, SCRATCH), CLOCK_REALTIME)
            record(words2(p, ROWS), ROW_FEATURES, done - sent_us * 1000)
            return
        show_book(p, b, sent_us, recv_ns, now, False)
        update_nbbo(p, b, sent_us, now)
        return
    if code == book.REFRESH_DIVERGED:
        ledger[DIVERGED] += 1
    elif code in (book.REFRESH_HEALED, book.REFRESH_SAME):
        features.note_refresh(history_of(p), books, b)
    if book_word(p, b, state_book.FLAGS) != before:
        notice_validity(p, b, before, True, sent_us, now)
        show_book(p, b, sent_us, recv_ns, now, False)
        update_nbbo(p, b, sent_us, now)


@kernel
def on_trade(p: np.ndarray, slots: np.ndarray, at: int, ch: int, b: int) -> None:
    """Take in a trade, whose record begins at word ``at``."""
    word = slots[at + 1]
    price = slots[at + 8]
    size = slots[at + 9]
    flags = byte_of(word, 0)
    if price < 0 or size <= 0:
        words2_row(p, LEDGER, ch)[REFUSED + BAD_BODY] += 1
        if price < 0 or size < 0:
            # Something was traded that nobody can say. A size of 0 is no trade at all.
            features.note_trades_missed(history_of(p), b, slots[at + 5])
        return
    words2_row(p, LEDGER, ch)[APPLIED] += 1
    words2_row(p, LEDGER, ch)[TRADES] += 1
    side = 0 if flags & 2 else (1 if flags & 1 else -1)
    waits = book_word(p, b, state_book.FLAGS) & book.NEEDS_SNAPSHOT != 0
    note_trade(history_of(p), b, side, size, signed_byte_of(word, 2), slots[at + 2], slots[at + 5], waits)
    put_trade(p, b, side, slots, at, signed_byte_of(word, 1), signed_byte_of(word, 2))


@kernel
def _splice(p: np.ndarray, ch: int, b: int, sequence: int, mono_ns: int) -> None:
    """Apply what waited and came after a requested snapshot as of ``sequence``."""
    forget(p, b, sequence)
    log = words1(p, WAITING_LOG)
    while True:
        at = take_oldest(p, b)
        if at < 0:
            return
        if book_word(p, b, state_book.FLAGS) & book.NEEDS_SNAPSHOT:
            words2_row(p, LEDGER, ch)[REFUSED + NOT_VALID] += 1
            note_settled(p, b, log[at + 2])
        else:
            words1(p, WAITING_CONTROL)[SPLICED] += 1
            on_book(p, log, at, ch, b, mono_ns)


@kernel
def on_requested(p: np.ndarray, slots: np.ndarray, at: int, ch: int, b: int, mono_ns: int) -> None:
    """Take in a part of a requested snapshot; it stands outside the ledger."""
    row = words2(p, WAITING)[b]
    counts = words1(p, WAITING_CONTROL)
    word = slots[at + 1]
    sequence = slots[at + 2]
    before = book_word(p, b, state_book.FLAGS)
    if byte_of(word, 0) & book.M_SNAPSHOT:
        drop_snapshot(p, b)
        if book_word(p, b, state_book.MODE) != state_book.IDLE or not before & book.NEEDS_SNAPSHOT:
            counts[UNNEEDED] += 1
            return
        if sequence < max(row[UPTO], words2_row(p, LEDGER, ch)[LOST_UPTO]):
            counts[STALE] += 1
            row[WANTED_NS] = 0
            want_snapshot(p, b, mono_ns)
            return
        row[OPEN_SNAPSHOT] = sequence
    elif row[OPEN_SNAPSHOT] != sequence:
        return
    code = book.apply_message(
        books_of(p), b, byte_of(word, 0) | book.M_REFRESH, signed_byte_of(word, 1), signed_byte_of(word, 2),
        byte_of(word, 3), slots, at + 8, word >> 32 & 0xFFFF, word >> 48 & 0xFFFF, sequence, slots[at + 4],
        slots[at + 5],
    )  # fmt: skip
    if code == book.EVENT_OPEN:
        return
    row[OPEN_SNAPSHOT] = 0
    row[WANTED_NS] = 0
    counts[USED if code == book.REFRESH_HEALED else FAULTY] += 1
    now = now_ns(words1(p, SCRATCH), CLOCK_REALTIME)
    notice_validity(p, b, before, True, slots[at + 3], now)
    show_book(p, b, slots[at + 3], slots[at + 6], now, False)
    update_nbbo(p, b, slots[at + 3], now)
    if code == book.REFRESH_HEALED:
        features.note_refresh(history_of(p), books_of(p), b)
        _splice(p, ch, b, sequence, mono_ns)


@kernel
def settle_waiting(p: np.ndarray) -> None:
    """At a stop: refuse every delta that still waits for a snapshot."""
    for b in range(book_count(p)):
        forget(p, b, NEWEST_SEQUENCE)

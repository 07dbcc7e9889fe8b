"""The book thread: ring slots to books, features and NBBO (one thread for all symbols, batches of 16)."""

from __future__ import annotations

import numpy as np

from libs.book import kernels as book
from libs.book import state as state_book
from libs.book.flags import CROSSED, TRADES_MISSED
from libs.engine.books import hear, notice_validity, update_nbbo
from libs.engine.columns import (
    APPLIED,
    BATCH,
    BUSY_POLL,
    CROSSED_EVENTS,
    DIVERGED,
    EVENTS,
    LAST_FEED_US,
    LAST_SENT_US,
    MESSAGES,
    PENDING_PARTS,
    REFUSED,
    ROW_BOOK,
    ROW_FEATURES,
    TRADES,
    UPDATES,
)
from libs.engine.control import on_heartbeat, on_instrument, on_lost, on_session, on_status, on_suspect, tick
from libs.engine.directory import (
    HEARD,
    PUBLISHER_WAKE,
    ROWS,
    SCRATCH,
    SETTINGS,
    TRADES_MISSED_US,
    WAKE,
    book_word,
    books_of,
    ledger_of,
    ring_of,
)
from libs.engine.rows import put_trade, show_book
from libs.engine.slots import (
    BAD_BODY,
    BOOK,
    CAPACITY,
    HEARTBEAT,
    INCOMPLETE_EVENT,
    INSTRUMENT,
    LOST,
    NO_BOOK,
    NOT_VALID,
    STATUS,
    SUSPECT,
    TRADE,
    byte_of,
    signed_byte_of,
)
from libs.engine.slots import (
    REFUSED as REFUSED_SLOT,
)
from libs.engine.slots import (
    SESSION as SESSION_SLOT,
)
from libs.jit import kernel
from libs.libc import CLOCK_MONOTONIC, CLOCK_REALTIME, c_read, c_write, now_ns, poll
from libs.memory import address_of, load_acquire, words1, words2
from libs.ring.kernels import SKIP, available, first, is_sleeping, release, set_sleeping
from libs.sequencing.state import CHANNELS
from libs.telemetry.hdr_kernels import record

TICK_NS = 10_000_000
TRADE_WINDOW_US = 1_000_000


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
def _on_book(p: np.ndarray, slots: np.ndarray, at: int, ch: int, b: int) -> None:
    ledger = ledger_of(p, ch)
    books = books_of(p)
    word = slots[at + 1]
    flags = byte_of(word, 0)
    bids = word >> 32 & 0xFFFF
    asks = word >> 48 & 0xFFFF
    sent_us = slots[at + 3]
    before = book_word(p, b, state_book.FLAGS)
    pending = book_word(p, b, state_book.PARTS)
    code = book.apply_message(
        books, b, flags, signed_byte_of(word, 1), signed_byte_of(word, 2), byte_of(word, 3), slots, at + 8, bids, asks,
        slots[at + 2], slots[at + 4], slots[at + 5],
    )  # fmt: skip
    ledger[REFUSED + INCOMPLETE_EVENT] += book_word(p, b, state_book.BROKEN)
    ledger[PENDING_PARTS] += book_word(p, b, state_book.PARTS) - pending
    now = 0
    if book_word(p, b, state_book.BROKEN) > 0 and book_word(p, b, state_book.FLAGS) != before:
        # An event that stood open was interrupted: the book is invalid from here on, whatever follows.
        now = now_ns(words1(p, SCRATCH), CLOCK_REALTIME)
        notice_validity(p, b, before, False, sent_us, now)
        before = book_word(p, b, state_book.FLAGS)
    if code == book.EVENT_OPEN:
        return
    _settle(p, code, ledger, b)
    recv_ns = slots[at + 6]
    now = now_ns(words1(p, SCRATCH), CLOCK_REALTIME)
    if code == book.EVENT_DONE:
        record(words2(p, ROWS), ROW_BOOK, now - sent_us * 1000)
        ledger[EVENTS] += 1
        if book_word(p, b, state_book.FLAGS) & CROSSED:
            ledger[CROSSED_EVENTS] += 1
        if before & TRADES_MISSED and slots[at + 5] - words1(p, TRADES_MISSED_US)[b] > TRADE_WINDOW_US:
            book.set_flags(books, b, 0, TRADES_MISSED)
        notice_validity(p, b, before, False, sent_us, now)
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
    if book_word(p, b, state_book.FLAGS) != before:
        notice_validity(p, b, before, True, sent_us, now)
        show_book(p, b, sent_us, recv_ns, now, False)
        update_nbbo(p, b, sent_us, now)


@kernel
def _on_trade(p: np.ndarray, slots: np.ndarray, at: int, ch: int, b: int) -> None:
    word = slots[at + 1]
    price = slots[at + 8]
    size = slots[at + 9]
    flags = byte_of(word, 0)
    if price < 0 or size < 0:
        ledger_of(p, ch)[REFUSED + BAD_BODY] += 1
        return
    ledger_of(p, ch)[APPLIED] += 1
    ledger_of(p, ch)[TRADES] += 1
    side = 0 if flags & 2 else (1 if flags & 1 else -1)
    put_trade(p, b, side, slots, at, signed_byte_of(word, 1), signed_byte_of(word, 2))


@kernel
def take_slot(p: np.ndarray, slots: np.ndarray, at: int, ch: int, mono_ns: int) -> None:
    """Process the record whose first slot starts at word ``at`` of channel ``ch``'s ring."""
    head = slots[at]
    kind = head & 0xFF
    b = head >> 32 & 0xFFFFFFFF
    ledger = ledger_of(p, ch)
    if kind <= INSTRUMENT:
        hear(p, ch, mono_ns)
        ledger[LAST_SENT_US] = slots[at + 3]
        if kind != HEARTBEAT and b != NO_BOOK:
            words1(p, HEARD)[b] = 1
    if kind == BOOK:
        ledger[MESSAGES] += 1
        ledger[LAST_FEED_US] = slots[at + 5]
        _on_book(p, slots, at, ch, b)
    elif kind == TRADE:
        ledger[MESSAGES] += 1
        ledger[LAST_FEED_US] = slots[at + 5]
        _on_trade(p, slots, at, ch, b)
    elif kind == HEARTBEAT:
        on_heartbeat(p, slots, at, ch)
    elif kind == STATUS:
        on_status(p, slots, at, ch, b)
    elif kind == INSTRUMENT:
        on_instrument(p, slots, at, ch, b)
    elif kind == REFUSED_SLOT:
        ledger[REFUSED + slots[at + 1]] += 1
    elif kind == LOST:
        on_lost(p, ch, slots[at + 1], slots[at + 2], mono_ns)
    elif kind == SUSPECT:
        on_suspect(p, ch, slots[at + 1])
    elif kind == SESSION_SLOT:
        on_session(p, ch, slots[at + 1], slots[at + 2])


@kernel
def drain(p: np.ndarray, ch: int, limit: int, mono_ns: int) -> int:
    """Process up to ``limit`` records of one ring; return how many."""
    ring = ring_of(p, ch)
    ready = available(ring)
    done = 0
    while ready > 0 and done < limit:
        at = first(ring)
        slots = ring.slots
        used = slots[at] >> 16 & 0xFFFF
        if slots[at] & 0xFF != SKIP:
            take_slot(p, slots, at, ch, mono_ns)
            done += 1
        release(ring, used)
        ready -= used
    return done


@kernel
def _sleep(p: np.ndarray, eventfd: int, timeout_ms: int) -> None:
    """Wait for the receive thread's wake-up, unless a ring filled meanwhile."""
    set_sleeping(words1(p, WAKE), 1)
    idle = True
    for ch in range(CHANNELS):
        if available(ring_of(p, ch)) > 0:
            idle = False
    if idle:
        words1(p, SCRATCH)[8] = eventfd | 1 << 32  # struct pollfd: fd, POLLIN
        if poll(address_of(words1(p, SCRATCH), 8), 1, timeout_ms) > 0:
            c_read(eventfd, address_of(words1(p, SCRATCH), 9), 8)
    set_sleeping(words1(p, WAKE), 0)


@kernel
def _wake_publisher(p: np.ndarray, eventfd: int) -> None:
    if is_sleeping(words1(p, PUBLISHER_WAKE)):
        set_sleeping(words1(p, PUBLISHER_WAKE), 0)
        words1(p, SCRATCH)[10] = 1
        c_write(eventfd, address_of(words1(p, SCRATCH), 10), 8)


@kernel
def book_loop(p: np.ndarray, eventfd: int, publisher_eventfd: int, control: np.ndarray, turns: int) -> int:
    """Process until told to stop, then what is still in the rings.

    Parameters
    ----------
    eventfd, publisher_eventfd : int
        Read from when idle; written to when the publisher sleeps.
    control : int64[:]
        Word 0: not zero stops the loop once the rings are empty; word 1: monotonic ns of the last turn, a sign of life.
    turns : int
        How many turns at the most; -1: no limit.

    Returns
    -------
    int
        Records processed.
    """
    total = 0
    next_tick = 0
    while turns != 0:
        turns -= 1
        mono_ns = now_ns(words1(p, SCRATCH), CLOCK_MONOTONIC)
        control[1] = mono_ns
        done = 0
        for ch in range(CHANNELS):
            done += drain(p, ch, words1(p, SETTINGS)[BATCH], mono_ns)
        total += done
        if mono_ns >= next_tick:
            tick(p, mono_ns)
            next_tick = mono_ns + TICK_NS
        if done > 0:
            _wake_publisher(p, publisher_eventfd)
        elif load_acquire(control, 0) != 0:
            break
        elif words1(p, SETTINGS)[BUSY_POLL] == 0:
            _sleep(p, eventfd, 5)
    return total

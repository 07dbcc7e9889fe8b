"""What is not a book event or a trade: heartbeats, statuses, instruments, losses, sessions, and the clock's tick."""

from __future__ import annotations

import numpy as np

from libs.book import kernels as book
from libs.book import state as state_book
from libs.book.flags import BAD, DELISTED, GAP, HALTED, MUTE, NO_SNAPSHOT, STALE, SUSPECT, TRADES_MISSED, VENUE_DOWN
from libs.digest import merge
from libs.engine.books import change_flags
from libs.engine.columns import (
    APPLIED,
    BUFFERED,
    CHECKS,
    CHECKS_FAILED,
    DIGEST,
    DOUBTED,
    FEATURE_INTERVAL_US,
    GAP_BOOKS,
    HEALED_SNAPSHOT,
    HEARD_NS,
    HOLES_OPEN,
    INSTRUMENT_CHANGES,
    LAST_FEED_US,
    LAST_SENT_US,
    LOST_NS,
    LOST_UPTO,
    PENDING_PARTS,
    REFUSED,
    SESSION,
    STALE_AFTER_NS,
    UNACCOUNTED,
    WATERMARK_US,
)
from libs.engine.columns import (
    STALE as STALE_COLUMN,
)
from libs.engine.conflation import flush_features
from libs.engine.directory import (
    DIGEST_MERGE,
    LEDGER,
    SCRATCH,
    SETTINGS,
    WAITING,
    book_count,
    book_word,
    books_of,
    exchange_of,
    history_of,
)
from libs.engine.quotes import let_crosses_age
from libs.engine.rows import INSTRUMENT_SEEN, NEW_SESSION, RANGE_LOST, SESSION_ENDED, put_status
from libs.engine.slots import NO_BOOK, OTHER_SHARD, REFUSALS, byte_of, signed_byte_of
from libs.engine.waiting import NEWEST_SEQUENCE, UPTO, WANTED_NS, forget, void, want_snapshot
from libs.features.notes import note_trades_missed
from libs.features.trades import forget_trades
from libs.jit import kernel
from libs.libc import CLOCK_REALTIME, now_ns
from libs.memory import words1, words2, words2_row
from libs.sequencing.state import CHANNELS

N_REASONS = len(REFUSALS)


@kernel
def on_heartbeat(p: np.ndarray, slots: np.ndarray, at: int, ch: int) -> None:
    """Take in a watermark, and check the two equations of wire.md against what the receive side had counted by then."""
    ledger = words2_row(p, LEDGER, ch)
    ledger[SESSION] = slots[at + 1]
    ledger[WATERMARK_US] = max(ledger[WATERMARK_US], slots[at + 5])
    if words1(p, SETTINGS)[DIGEST] != 0:
        merge.heard(words2(p, DIGEST_MERGE), ch, slots[at + 5])
    # Counted by the receive thread, which hands none of them on.
    ledger[REFUSED + OTHER_SHARD] = slots[at + 15]
    settled = ledger[APPLIED]
    for reason in range(N_REASONS):
        settled += ledger[REFUSED + reason]
    pending = ledger[PENDING_PARTS] + ledger[BUFFERED] + slots[at + 13]
    sent_off = slots[at + 8] - slots[at + 10] - settled - slots[at + 12] - pending - slots[at + 14]
    received_off = slots[at + 9] - settled - slots[at + 11] - pending
    ledger[UNACCOUNTED] = abs(sent_off) + abs(received_off)
    ledger[CHECKS] += 1
    if ledger[UNACCOUNTED] != 0:
        ledger[CHECKS_FAILED] += 1


@kernel
def _change_channel(p: np.ndarray, ch: int, set_mask: int, clear_mask: int, drop_events: bool, sent_us: int) -> None:
    now = now_ns(words1(p, SCRATCH), CLOCK_REALTIME)
    for b in range(book_count(p)):
        if exchange_of(p, b) == ch:
            change_flags(p, b, set_mask, clear_mask, drop_events, sent_us, 0, now)


@kernel
def on_status(p: np.ndarray, slots: np.ndarray, at: int, ch: int, b: int) -> None:
    """Apply a status code (wire.md) to one book, or to all of the channel."""
    code = slots[at + 1]
    ledger = words2_row(p, LEDGER, ch)
    ledger[APPLIED] += 1
    set_mask = 0
    clear_mask = 0
    if code == 0:
        set_mask, clear_mask = NO_SNAPSHOT, VENUE_DOWN
    elif code == 1:
        set_mask = VENUE_DOWN | NO_SNAPSHOT
    elif code == 2:
        set_mask = BAD
    elif code == 3:
        set_mask = HALTED
    elif code == 4:
        clear_mask = HALTED
    elif code == 5:
        set_mask = NO_SNAPSHOT
    elif code == 6:
        set_mask = MUTE
    elif code == 7:
        clear_mask = MUTE
    elif code == 8:
        set_mask = TRADES_MISSED
    sent_us = slots[at + 3]
    now = now_ns(words1(p, SCRATCH), CLOCK_REALTIME)
    one = b != NO_BOOK
    if code == 5 and not one and words1(p, SETTINGS)[DIGEST] != 0:
        merge.ended(words2(p, DIGEST_MERGE), ch)
    for i in range(b if one else 0, b + 1 if one else book_count(p)):
        if exchange_of(p, i) == ch:
            if code == 8:
                note_trades_missed(history_of(p), i, ledger[LAST_FEED_US])
            drop = set_mask & (NO_SNAPSHOT | BAD | VENUE_DOWN) != 0
            if drop:
                void(p, i, slots[at + 2])
            change_flags(p, i, set_mask, clear_mask, drop, sent_us, slots[at + 6], now)
    if code == 5 and not one:
        put_status(p, SESSION_ENDED, ch, -1, slots[at + 2], ledger[LAST_FEED_US], sent_us, now)


@kernel
def on_instrument(p: np.ndarray, slots: np.ndarray, at: int, ch: int, b: int) -> None:
    """Take in tick, lot and multiplier of a symbol; they win over configuration."""
    word = slots[at + 1]
    flags = byte_of(word, 0)
    books = books_of(p)
    ledger = words2_row(p, LEDGER, ch)
    ledger[APPLIED] += 1
    known = book_word(p, b, state_book.TICK) != 0
    changed = (
        slots[at + 8] != book_word(p, b, state_book.TICK)
        or slots[at + 9] != book_word(p, b, state_book.LOT)
        or slots[at + 10] != book_word(p, b, state_book.MULTIPLIER)
        or signed_byte_of(word, 1) != book_word(p, b, state_book.TICK_EXP)
        or signed_byte_of(word, 2) != book_word(p, b, state_book.LOT_EXP)
        or signed_byte_of(word, 3) != book_word(p, b, state_book.MULTIPLIER_EXP)
        or (flags & 1) != book_word(p, b, state_book.INVERSE)
    )
    now = now_ns(words1(p, SCRATCH), CLOCK_REALTIME)
    if changed:
        if known:
            ledger[INSTRUMENT_CHANGES] += 1
        before = book_word(p, b, state_book.FLAGS)
        book.set_instrument(
            books, b,
            slots[at + 8], signed_byte_of(word, 1),
            slots[at + 9], signed_byte_of(word, 2),
            slots[at + 10], signed_byte_of(word, 3),
            flags & 1,
        )  # fmt: skip
        put_status(p, INSTRUMENT_SEEN, ch, b, slots[at + 2], ledger[LAST_FEED_US], slots[at + 3], now)
        if book_word(p, b, state_book.FLAGS) & ~before & NO_SNAPSHOT:
            # The multiplier changed. Taken back for a moment, so that the change is accounted for in one place.
            book.set_flags(books, b, 0, NO_SNAPSHOT)
            void(p, b, slots[at + 2])
            change_flags(p, b, NO_SNAPSHOT, 0, True, slots[at + 3], slots[at + 6], now)
    delisted = flags & 2 != 0
    # A book that is first named while its channel has a hole would else lack the doubt that the others carry.
    set_mask = (DELISTED if delisted else 0) | (SUSPECT if ledger[DOUBTED] else 0)
    change_flags(p, b, set_mask, DELISTED & ~set_mask, False, slots[at + 3], slots[at + 6], now)


@kernel
def on_lost(p: np.ndarray, ch: int, lost: int, first: int, opened_ns: int, mono_ns: int) -> None:
    """Mark every book of a channel, and ask for its snapshot: any of them may have missed something."""
    ledger = words2_row(p, LEDGER, ch)
    ledger[LOST_UPTO] = first + lost - 1
    if ledger[HOLES_OPEN] == 0:
        ledger[LOST_NS] = opened_ns
    ledger[HOLES_OPEN] += 1
    now = now_ns(words1(p, SCRATCH), CLOCK_REALTIME)
    for b in range(book_count(p)):
        # A book that waits for its first snapshot has nothing to lose, and must not keep the hole open for ever.
        waits = book_word(p, b, state_book.FLAGS) & NO_SNAPSHOT != 0 and book_word(p, b, state_book.PARTS) == 0
        if exchange_of(p, b) == ch:
            note_trades_missed(history_of(p), b, ledger[LAST_FEED_US])
        if exchange_of(p, b) == ch and not waits:
            change_flags(p, b, GAP, 0, True, ledger[LAST_SENT_US], 0, now)
            want_snapshot(p, b, mono_ns)
    put_status(p, RANGE_LOST, ch, -1, first, ledger[LAST_FEED_US], ledger[LAST_SENT_US], now)
    if ledger[GAP_BOOKS] == 0:
        ledger[HEALED_SNAPSHOT] += ledger[HOLES_OPEN]
        ledger[HOLES_OPEN] = 0


@kernel
def on_suspect(p: np.ndarray, ch: int, doubted: int) -> None:
    """Doubt the books of a channel with an open hole, or trust them again."""
    mask = SUSPECT
    if doubted and words1(p, SETTINGS)[DIGEST] != 0:
        words2(p, DIGEST_MERGE)[CHANNELS, merge.DOUBTS] += 1
    words2_row(p, LEDGER, ch)[DOUBTED] = doubted
    _change_channel(
        p, ch, mask if doubted else 0, 0 if doubted else mask, False, words2_row(p, LEDGER, ch)[LAST_SENT_US]
    )


@kernel
def on_session(p: np.ndarray, ch: int, session: int, old: int) -> None:
    """Begin a session; when another one came before, its books are void."""
    ledger = words2_row(p, LEDGER, ch)
    ledger[SESSION] = session
    if words1(p, SETTINGS)[DIGEST] != 0:
        merge.begun(words2(p, DIGEST_MERGE), ch)
    if old != 0:
        ledger[WATERMARK_US] = 0
        ledger[LOST_UPTO] = 0
        ledger[DOUBTED] = 0
        for b in range(book_count(p)):
            if exchange_of(p, b) == ch:
                forget(p, b, NEWEST_SEQUENCE)
                forget_trades(history_of(p), b)
                words2(p, WAITING)[b, UPTO] = 0
                words2(p, WAITING)[b, WANTED_NS] = 0
        _change_channel(p, ch, NO_SNAPSHOT, SUSPECT, True, ledger[LAST_SENT_US])
    now = now_ns(words1(p, SCRATCH), CLOCK_REALTIME)
    put_status(p, NEW_SESSION, ch, -1, 0, ledger[LAST_FEED_US], ledger[LAST_SENT_US], now)
    if old != 0:
        ledger[LAST_FEED_US] = 0


@kernel
def tick(p: np.ndarray, mono_ns: int) -> None:
    """Find channels that have gone silent, let young crosses grow older, send rows that were held back."""
    for ch in range(CHANNELS):
        ledger = words2_row(p, LEDGER, ch)
        limit = words1(p, SETTINGS)[STALE_AFTER_NS + ch]
        if ledger[HEARD_NS] > 0 and ledger[STALE_COLUMN] == 0 and mono_ns - ledger[HEARD_NS] > limit:
            ledger[STALE_COLUMN] = 1
            _change_channel(p, ch, STALE, 0, False, ledger[LAST_SENT_US])
    let_crosses_age(p)
    if words1(p, SETTINGS)[FEATURE_INTERVAL_US] != 0:
        flush_features(p, now_ns(words1(p, SCRATCH), CLOCK_REALTIME), False)

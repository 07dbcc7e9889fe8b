"""What follows from a book's change: flags, its channel's account of losses, NBBO, status records."""

from __future__ import annotations

import numpy as np

from libs.book import kernels as book
from libs.book import state as state_book
from libs.book.flags import CROSSED, GAP, INVALID, ONE_SIDED, STALE, TRUNCATED
from libs.engine.columns import (
    DIGEST,
    GAP_BOOKS,
    HEALED_FEED,
    HEALED_SNAPSHOT,
    HEARD_NS,
    HOLES_OPEN,
    LAST_SENT_US,
    LOST_NS,
    PENDING_PARTS,
    REFUSED,
    ROW_HEAL,
)
from libs.engine.columns import (
    STALE as STALE_COLUMN,
)
from libs.engine.digests import note_flags
from libs.engine.directory import (
    LEDGER,
    ROWS,
    SCRATCH,
    SETTINGS,
    book_count,
    book_word,
    books_of,
    exchange_of,
)
from libs.engine.quotes import update_nbbo
from libs.engine.rows import (
    FLAGS_CHANGED,
    INVALID_BOOK,
    VALID_BOOK,
    put_status,
    show_book,
)
from libs.engine.slots import INCOMPLETE_EVENT
from libs.engine.waiting import drop_snapshot
from libs.jit import kernel
from libs.libc import CLOCK_REALTIME, now_ns
from libs.memory import words1, words2, words2_row
from libs.telemetry.hdr_kernels import record

QUIET_FLAGS = ~(CROSSED | ONE_SIDED | TRUNCATED)
"""Crossed, one-sided and truncated travel in every row: a change of those alone makes no status record."""


@kernel
def notice_validity(p: np.ndarray, b: int, before: int, refreshed: bool, sent_us: int, now: int) -> None:
    """Account for a change of a book's flags and put it on the status queue.

    Parameters
    ----------
    before : int
        Its flags before the change.
    refreshed : bool
        True when the sender's own REFRESH changed them, False when the venue's event or a status did.
    """
    after = book_word(p, b, state_book.FLAGS)
    exchange = exchange_of(p, b)
    ledger = words2_row(p, LEDGER, exchange)
    if after & GAP and not before & GAP:
        ledger[GAP_BOOKS] += 1
    elif before & GAP and not after & GAP:
        ledger[GAP_BOOKS] -= 1
        if ledger[GAP_BOOKS] == 0 and ledger[HOLES_OPEN] > 0:
            ledger[HEALED_SNAPSHOT if refreshed else HEALED_FEED] += ledger[HOLES_OPEN]
            ledger[HOLES_OPEN] = 0
            record(words2(p, ROWS), ROW_HEAL, ledger[HEARD_NS] - ledger[LOST_NS])
    was_valid = before & INVALID == 0
    is_valid = after & INVALID == 0
    if was_valid != is_valid:
        kind = VALID_BOOK if is_valid else INVALID_BOOK
    elif (before ^ after) & QUIET_FLAGS:
        kind = FLAGS_CHANGED
    else:
        return
    put_status(
        p, kind, exchange, b, book_word(p, b, state_book.SEQUENCE), book_word(p, b, state_book.FEED_TS_US), sent_us, now
    )


@kernel
def change_flags(
    p: np.ndarray, b: int, set_mask: int, clear_mask: int, drop_event: bool, sent_us: int, recv_ns: int, now: int
) -> None:
    """Set and clear flags of a book from outside an event, and show what follows.

    Parameters
    ----------
    drop_event : bool
        Refuse the parts of an event that is open: one of them is lost.
    """
    before = book_word(p, b, state_book.FLAGS)
    drop_snapshot(p, b)
    if drop_event:
        parts = book.abandon_event(books_of(p), b)
        exchange = exchange_of(p, b)
        words2_row(p, LEDGER, exchange)[PENDING_PARTS] -= parts
        words2_row(p, LEDGER, exchange)[REFUSED + INCOMPLETE_EVENT] += parts
    book.set_flags(books_of(p), b, set_mask, clear_mask)
    if book_word(p, b, state_book.FLAGS) == before:
        return
    if words1(p, SETTINGS)[DIGEST] != 0:
        note_flags(p, b, before)
    notice_validity(p, b, before, False, sent_us, now)
    show_book(p, b, sent_us, recv_ns, now, False)
    update_nbbo(p, b, sent_us, now)


@kernel
def hear(p: np.ndarray, ch: int, mono_ns: int) -> None:
    """Note a sign of life of a channel; its books are stale no longer."""
    ledger = words2_row(p, LEDGER, ch)
    ledger[HEARD_NS] = mono_ns
    if ledger[STALE_COLUMN] == 1:
        ledger[STALE_COLUMN] = 0
        for b in range(book_count(p)):
            if exchange_of(p, b) == ch:
                change_flags(p, b, 0, STALE, False, ledger[LAST_SENT_US], 0, now_ns(words1(p, SCRATCH), CLOCK_REALTIME))

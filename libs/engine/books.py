"""What follows from a book's change: flags, its channel's account of losses, NBBO, status records."""

from __future__ import annotations

from libs.book import kernels as book
from libs.book.flags import CROSSED, GAP, INVALID, ONE_SIDED, STALE, TRUNCATED
from libs.engine.rows import (
    FLAGS_CHANGED,
    INVALID_BOOK,
    VALID_BOOK,
    put_status,
    show_book,
    show_nbbo,
)
from libs.engine.slots import INCOMPLETE_EVENT
from libs.engine.state import (
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
    STALE as STALE_COLUMN,
    STALE_CROSS_US,
    UNCERTAINTY_US,
    Processor,
)
from libs.jit import kernel
from libs.libc import CLOCK_REALTIME, now_ns
from libs.nbbo import kernels as nbbo
from libs.telemetry.hdr_kernels import record

QUIET_FLAGS = ~(CROSSED | ONE_SIDED | TRUNCATED)
"""Crossed, one-sided and truncated travel in every row: a change of those alone makes no status record."""


@kernel
def update_nbbo(p: Processor, b: int, sent_us: int, now: int) -> None:
    """Recompute the NBBO of a book's symbol; a record only when it changed."""
    symbol = p.table.book_symbol[b]
    feed_us = p.books.feed_ts_us[b]
    if nbbo.update(p.nbbo, p.books, p.table, symbol, feed_us, p.settings[STALE_CROSS_US], p.settings[UNCERTAINTY_US]):
        show_nbbo(p, symbol, sent_us, feed_us, now)


@kernel
def notice_validity(p: Processor, b: int, before: int, refreshed: bool, sent_us: int, now: int) -> None:
    """Account for a change of a book's flags and put it on the status queue.

    Parameters
    ----------
    before : int
        Its flags before the change.
    refreshed : bool
        True when the sender's own REFRESH changed them, False when the venue's event or a status did.
    """
    books = p.books
    after = books.flags[b]
    exchange = p.table.book_exchange[b]
    ledger = p.ledger[exchange]
    if after & GAP and not before & GAP:
        ledger[GAP_BOOKS] += 1
    elif before & GAP and not after & GAP:
        ledger[GAP_BOOKS] -= 1
        if ledger[GAP_BOOKS] == 0 and ledger[HOLES_OPEN] > 0:
            ledger[HEALED_SNAPSHOT if refreshed else HEALED_FEED] += ledger[HOLES_OPEN]
            ledger[HOLES_OPEN] = 0
            record(p.rows, ROW_HEAL, ledger[HEARD_NS] - ledger[LOST_NS])
    was_valid = before & INVALID == 0
    is_valid = after & INVALID == 0
    if was_valid != is_valid:
        kind = VALID_BOOK if is_valid else INVALID_BOOK
    elif (before ^ after) & QUIET_FLAGS:
        kind = FLAGS_CHANGED
    else:
        return
    put_status(p, kind, exchange, b, books.sequence[b], books.feed_ts_us[b], sent_us, now)


@kernel
def change_flags(
    p: Processor, b: int, set_mask: int, clear_mask: int, drop_event: bool, sent_us: int, recv_ns: int, now: int
) -> None:
    """Set and clear flags of a book from outside an event, and show what follows.

    Parameters
    ----------
    drop_event : bool
        Refuse the parts of an event that is open: one of them is lost.
    """
    before = p.books.flags[b]
    if drop_event:
        parts = book.abandon_event(p.books, b)
        exchange = p.table.book_exchange[b]
        p.ledger[exchange, PENDING_PARTS] -= parts
        p.ledger[exchange, REFUSED + INCOMPLETE_EVENT] += parts
    book.set_flags(p.books, b, set_mask, clear_mask)
    if p.books.flags[b] == before:
        return
    notice_validity(p, b, before, False, sent_us, now)
    show_book(p, b, sent_us, recv_ns, now, False)
    update_nbbo(p, b, sent_us, now)


@kernel
def hear(p: Processor, ch: int, mono_ns: int) -> None:
    """Note a sign of life of a channel; its books are stale no longer."""
    ledger = p.ledger[ch]
    ledger[HEARD_NS] = mono_ns
    if ledger[STALE_COLUMN] == 1:
        ledger[STALE_COLUMN] = 0
        for b in range(p.table.counts[0]):
            if p.table.book_exchange[b] == ch:
                change_flags(p, b, 0, STALE, False, ledger[LAST_SENT_US], 0, now_ns(p.scratch, CLOCK_REALTIME))

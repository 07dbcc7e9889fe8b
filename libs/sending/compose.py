"""Events to encoded messages: parts of one datagram each, Instruments before they are needed, REFRESH in turn.

The composer keeps a mirror of every book that it has sent, so that a REFRESH shows the book as of its own place in the
channel, whatever the source is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from libs.book.flags import BAD, NO_SNAPSHOT
from libs.book.image import side_image
from libs.book.kernels import apply_message, is_valid, set_flags
from libs.book.state import EXCHANGE_TS_US, WORDS, Books
from libs.book.state import PRICE_EXP as BOOK_PRICE_EXP
from libs.book.state import SIZE_EXP as BOOK_SIZE_EXP
from libs.jit import kernel
from libs.sending.chunk import (
    ASKS,
    AT,
    BIDS,
    BOOK,
    CUT,
    EXCHANGE_US,
    FEED_US,
    FLAGS,
    ID,
    KIND,
    PRICE_EXP,
    SIZE_EXP,
    SRC,
    TRADE,
    Chunk,
)
from libs.sending.encode import (
    FEED,
    LAST,
    MTU,
    REFRESH,
    SLOT,
    SLOT_COUNT,
    SLOT_SRC,
    SLOT_USED,
    SNAPSHOT,
    VENUE_DOWN,
    VENUE_UP,
    Page,
    write_book,
    write_instrument,
    write_instrument_and_state,
    write_status,
    write_trade,
)
from libs.sending.listing import ANNOUNCED, Listing
from libs.sending.outbox import SLOT_BYTES, Outbox
from libs.venues.events import CUT_ASKS, CUT_BIDS, STATUS_SYMBOL_INVALID

REFRESH_LEVELS = 1024
INSTRUMENT_ROWS = 40
"""Instruments that are repeated together: some datagrams full rather than many with one each."""

(
    CURSOR,
    NEXT_INSTRUMENT,
    INSTRUMENT_ROW,
    NEXT_REFRESH,
    REFRESH_ROW,
    REFRESH_BEGAN,
    REFRESH_ROUND,
    REFRESHES,
    WANTED_SPAN,
    WANTED_INSTRUMENT_ROUND,
    WANTED_REFRESH_ROUND,
    WANTED_DATAGRAM_GAP,
) = range(8, 20)
"""More words of ``state``. CURSOR: next event of the chunk. REFRESH_ROUND: source time that the last full round took.
WANTED_*, in source time: a slot's span, the two rounds, the least distance of two REFRESH datagrams."""

NEED_MORE, SLOT_FULL = 0, 1


class Composer(NamedTuple):
    """What the composer works on."""

    page: Page
    mirror: Books
    levels: np.ndarray
    """int64[4 * REFRESH_LEVELS]: a REFRESH in the making"""
    used: np.ndarray
    """int64[1]: rows of the listing"""


def new_composer(listing: Listing, mirror: Books, outbox: Outbox, mtu_payload: int) -> Composer:
    """Return a composer at the beginning of the first slot."""
    state = np.zeros(32, np.int64)
    state[MTU] = mtu_payload
    page = Page(outbox.data, outbox.messages, state, listing.names, listing.rows)
    return Composer(page, mirror, np.zeros(4 * REFRESH_LEVELS, np.int64), listing.used)


@kernel
def _refresh(p: Page, m: Books, levels: np.ndarray, b: int, src: int) -> int:
    """Write a book's Instrument and REFRESH; returns the messages."""
    written = write_instrument_and_state(p, b, src)
    bids, bids_cut = side_image(m, b, 0, levels, 0, REFRESH_LEVELS)
    asks, asks_cut = side_image(m, b, 1, levels, 2 * bids, REFRESH_LEVELS)
    w, base = m.words, b * WORDS
    parts = write_book(
        p, b, src, SNAPSHOT | REFRESH, w[base + BOOK_PRICE_EXP], w[base + BOOK_SIZE_EXP],
        CUT_BIDS * bids_cut | CUT_ASKS * asks_cut, w[base + EXCHANGE_TS_US], levels, 0, bids, asks,
    )  # fmt: skip
    p.state[REFRESHES] += parts
    return parts + written


@kernel
def _next_refresh(c: Composer) -> None:
    """Take the next valid book in turn."""
    state, rows = c.page.state, c.used[0]
    now, b, sent = state[NEXT_REFRESH], state[REFRESH_ROW], 0
    if b < rows and is_valid(c.mirror, b):
        sent = _refresh(c.page, c.mirror, c.levels, b, now)
    if b + 1 >= rows:
        state[REFRESH_ROUND] = now - state[REFRESH_BEGAN]
        state[REFRESH_BEGAN] = now
    state[REFRESH_ROW] = b + 1 if b + 1 < rows else 0
    state[NEXT_REFRESH] += max(1, state[WANTED_REFRESH_ROUND] // max(rows, 1), sent * state[WANTED_DATAGRAM_GAP])


@kernel
def _next_instruments(p: Page, rows: int) -> None:
    """Repeat the next few Instruments."""
    state = p.state
    first = state[INSTRUMENT_ROW]
    end = min(first + INSTRUMENT_ROWS, rows)
    for b in range(first, end):
        write_instrument_and_state(p, b, state[NEXT_INSTRUMENT])
    state[INSTRUMENT_ROW] = end if end < rows else 0
    steps = max(1, (rows + INSTRUMENT_ROWS - 1) // INSTRUMENT_ROWS)
    state[NEXT_INSTRUMENT] += max(1, state[WANTED_INSTRUMENT_ROUND] // steps)


@kernel
def _event(p: Page, m: Books, e: np.ndarray, levels: np.ndarray) -> None:
    b, src = e[ID], e[SRC]
    p.state[FEED] = max(p.state[FEED], e[FEED_US])
    if p.rows[b, ANNOUNCED] == 0:
        write_instrument(p, b, src)
    if e[KIND] == BOOK:
        flags = SNAPSHOT if e[FLAGS] & SNAPSHOT else 0
        apply_message(
            m, b, flags | LAST, e[PRICE_EXP], e[SIZE_EXP], e[CUT], levels, e[AT], e[BIDS], e[ASKS], 0, e[EXCHANGE_US],
            p.state[FEED],
        )  # fmt: skip
        write_book(
            p, b, src, flags, e[PRICE_EXP], e[SIZE_EXP], e[CUT], e[EXCHANGE_US], levels, e[AT], e[BIDS], e[ASKS]
        )  # fmt: skip
    elif e[KIND] == TRADE:
        write_trade(p, b, src, e)
    else:
        write_status(p, b, src, e[FLAGS])
        if e[FLAGS] == STATUS_SYMBOL_INVALID:
            set_flags(m, b, BAD, 0)
        elif e[FLAGS] in (VENUE_UP, VENUE_DOWN):
            set_flags(m, b, NO_SNAPSHOT, 0)


@kernel
def _has_room(p: Page, levels: int, src: int) -> bool:
    """Whether the slot can take an event of so many levels, with Instruments, at a source time."""
    state = p.state
    if state[SLOT_COUNT] == 0:
        state[SLOT_SRC] = src
        return True
    messages = 2 + 4 * INSTRUMENT_ROWS + levels // 8
    used = state[SLOT_USED] - state[SLOT] * SLOT_BYTES
    return (
        state[SLOT_COUNT] + messages <= p.messages.shape[1]
        and used + 16 * levels + 160 * messages <= SLOT_BYTES
        and src - state[SLOT_SRC] <= state[WANTED_SPAN]
    )


@kernel
def _write_due(c: Composer, due: int) -> bool:
    """Write the Instruments or the REFRESH that is due; False when the slot has no room."""
    if not _has_room(c.page, 2 * REFRESH_LEVELS, due):
        return False
    if due == c.page.state[NEXT_INSTRUMENT]:
        _next_instruments(c.page, c.used[0])
    else:
        _next_refresh(c)
    return True


@kernel
def compose_due(c: Composer, src: int) -> int:
    """Write what is due up to a source time, with no event: a live source may be silent.

    Returns
    -------
    int
        NEED_MORE: nothing more is due. SLOT_FULL: as :func:`compose`.
    """
    while True:
        due = min(c.page.state[NEXT_INSTRUMENT], c.page.state[NEXT_REFRESH])
        if due > src:
            return NEED_MORE
        if not _write_due(c, due):
            return SLOT_FULL


@kernel
def compose(c: Composer, chunk: Chunk) -> int:
    """Write a chunk's events, from ``state[CURSOR]`` on, to the slot at hand, with what is due in between.

    Returns
    -------
    int
        NEED_MORE: the chunk is used up, the slot has room. SLOT_FULL: hand the slot over and call again with the next.
    """
    p, state = c.page, c.page.state
    while state[CURSOR] < chunk.used[0]:
        e = chunk.events[state[CURSOR]]
        due = min(state[NEXT_INSTRUMENT], state[NEXT_REFRESH])
        if due <= e[SRC]:
            if not _write_due(c, due):
                return SLOT_FULL
            continue
        if not _has_room(p, e[BIDS] + e[ASKS] if e[KIND] == BOOK else 0, e[SRC]):
            return SLOT_FULL
        _event(p, c.mirror, e, chunk.levels)
        state[CURSOR] += 1
    return NEED_MORE

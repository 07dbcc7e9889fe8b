"""Events to encoded messages: parts of one datagram each, Instruments before they are needed, REFRESH in turn.

The composer keeps a mirror of every book that it has sent, so that a REFRESH shows the book as of its own place in the
channel, whatever the source is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from libs.book.flags import BAD
from libs.book.kernels import apply_message, is_valid, set_flags
from libs.book.state import NOTHING_CUT, NOTHING_KNOWN, Books
from libs.jit import kernel
from libs.wire.kernels import put_book, put_header, put_instrument, put_status, put_trade
from libs.wire.layout import TYPE_BOOK, TYPE_INSTRUMENT, TYPE_STATUS, TYPE_TRADE
from services.replay.chunk import (
    ASKS,
    BIDS,
    BOOK,
    CUT,
    EXCHANGE_US,
    FLAGS,
    ID,
    KIND,
    PRICE,
    PRICE_EXP,
    SIZE,
    SIZE_EXP,
    TRADE,
    TRADE_ID,
    Chunk,
)
from services.replay.chunk import AT as LEVELS_AT
from services.replay.chunk import FEED_US as EVENT_FEED
from services.replay.chunk import SRC as EVENT_SRC
from services.replay.listing import Listing
from services.replay.outbox import AT, END, FEED_US, LENGTH, SRC, Outbox
from services.replay.outbox import UPDATES as MESSAGE_UPDATES

SNAPSHOT, LAST, REFRESH = 1, 2, 8
"""OrderBook flags of HFTP."""
CUT_BIDS, CUT_ASKS = 1, 2

REFRESH_LEVELS = 1024
INSTRUMENT_ROWS = 40
"""Instruments that are repeated together: some datagrams full rather than many with one each."""

(
    SLOT_USED,
    SLOT_COUNT,
    SLOT_SRC,
    FEED,
    NEXT_INSTRUMENT,
    INSTRUMENT_ROW,
    NEXT_REFRESH,
    REFRESH_ROW,
    REFRESH_BEGAN,
    REFRESH_ROUND,
    UPDATES,
    TRADES,
    EVENTS,
    INSTRUMENTS,
    REFRESHES,
    CURSOR,
) = range(16)
"""Words of ``state``. REFRESH_ROUND: source time that the last full round took."""

SPAN, INSTRUMENT_ROUND, REFRESH_ROUND_WANTED, DATAGRAM_GAP = range(4)
"""Words of ``wanted``, in source time: a slot's span, the two rounds, the least distance of two REFRESH datagrams."""

NEED_MORE, SLOT_FULL = 0, 1

_HEAD = 24 + 24


class Composer(NamedTuple):
    """What the composer works on."""

    listing: Listing
    mirror: Books
    outbox: Outbox
    state: np.ndarray
    """int64[16]"""
    wanted: np.ndarray
    """int64[4]"""
    mtu: np.ndarray
    """int64[1]: payload bytes a datagram"""
    levels: np.ndarray
    """int64[4 * REFRESH_LEVELS]: a REFRESH in the making"""
    texts: np.ndarray
    """uint8[256, 64]: a Status text by code"""
    text_lengths: np.ndarray
    """int64[256]"""


STATUS_TEXTS = {2: "symbol invalid", 8: "trades missed"}


def new_composer(listing: Listing, mirror: Books, outbox: Outbox, mtu_payload: int) -> Composer:
    """Return a composer at the beginning of its first slot."""
    texts, lengths = np.zeros((256, 64), np.uint8), np.zeros(256, np.int64)
    for code, text in STATUS_TEXTS.items():
        lengths[code] = len(text)
        texts[code, : len(text)] = np.frombuffer(text.encode(), np.uint8)
    return Composer(
        listing,
        mirror,
        outbox,
        np.zeros(16, np.int64),
        np.zeros(4, np.int64),
        np.array([mtu_payload]),
        np.zeros(4 * REFRESH_LEVELS, np.int64),
        texts,
        lengths,
    )


@kernel
def _entered(c: Composer, slot: int, end: int, src: int, last: int, updates: int) -> None:
    """Enter the message that now ends at ``end`` in the slot's index."""
    row = c.outbox.messages[slot, c.state[SLOT_COUNT]]
    row[AT], row[LENGTH] = c.state[SLOT_USED], end - c.state[SLOT_USED]
    row[SRC], row[FEED_US], row[END], row[MESSAGE_UPDATES] = src, c.state[FEED], last, updates
    c.state[SLOT_COUNT] += 1
    c.state[SLOT_USED] = end


@kernel
def _head(c: Composer, slot: int, b: int, kind: int) -> int:
    """Begin a message; returns where its body goes."""
    li = c.listing
    return put_header(
        c.outbox.data[slot], c.state[SLOT_USED], 0, 0, li.exchanges[b], kind, li.names[b], 0, li.name_lengths[b]
    )


@kernel
def _instrument(c: Composer, slot: int, b: int, src: int) -> None:
    li = c.listing
    body = _head(c, slot, b, TYPE_INSTRUMENT)
    end = put_instrument(
        c.outbox.data[slot], body, li.flags[b], li.ticks[b, 0], li.ticks[b, 1], li.lots[b, 0], li.lots[b, 1],
        li.multipliers[b, 0], li.multipliers[b, 1],
    )  # fmt: skip
    _entered(c, slot, end, src, 1, 0)
    li.announced[b] = 1
    c.state[INSTRUMENTS] += 1


@kernel
def _book_parts(
    c: Composer, slot: int, b: int, src: int, flags: int, price_exp: int, size_exp: int, cut: int, exchange_us: int,
    levels: np.ndarray, at: int, bids: int, asks: int,
) -> int:  # fmt: skip
    """Write one event as messages of at most a datagram each; returns how many."""
    fits = (c.mtu[0] - _HEAD - c.listing.name_lengths[b]) // 16
    left, done, parts = bids + asks, 0, 0
    while left > 0 or parts == 0:
        take = min(left, fits)
        left -= take
        of_bids = max(0, min(take, bids - done))
        own = (flags if parts == 0 else flags & ~SNAPSHOT) | (LAST if left == 0 else 0)
        end = put_book(
            c.outbox.data[slot], _head(c, slot, b, TYPE_BOOK), own, price_exp, size_exp, cut if parts == 0 else 0,
            of_bids, take - of_bids, exchange_us, c.state[FEED], levels, at + 2 * done,
        )  # fmt: skip
        _entered(c, slot, end, src, 1 if left == 0 else 0, 0 if flags & REFRESH else take)
        done += take
        parts += 1
    return parts


@kernel
def _side_of_mirror(c: Composer, b: int, side: int, at: int) -> tuple[int, int]:
    """Copy what is known of a side, best first, to ``levels``; returns (levels, whether the side goes on below)."""
    m = c.mirror
    known, taken = m.known_set[b, side], 0
    ends = known != NOTHING_CUT
    if known == NOTHING_KNOWN:
        return 0, 1
    for k in range(m.first[b, side] + m.counts[b, side] - 1, m.first[b, side] - 1, -1):
        price = m.prices[b, side, k]
        if ends and ((side == 0 and price < m.known_end[b, 0]) or (side == 1 and price > m.known_end[b, 1])):
            break
        if taken == REFRESH_LEVELS:
            return taken, 1
        c.levels[at + 2 * taken], c.levels[at + 2 * taken + 1] = price, m.sizes[b, side, k]
        taken += 1
    return taken, 1 if ends else 0


@kernel
def _refresh(c: Composer, slot: int, b: int, src: int) -> int:
    """Write a book's Instrument and REFRESH; returns the messages."""
    _instrument(c, slot, b, src)
    bids, bids_cut = _side_of_mirror(c, b, 0, 0)
    asks, asks_cut = _side_of_mirror(c, b, 1, 2 * bids)
    m = c.mirror
    parts = _book_parts(
        c, slot, b, src, SNAPSHOT | REFRESH, m.price_exp[b], m.size_exp[b], CUT_BIDS * bids_cut | CUT_ASKS * asks_cut,
        m.exchange_ts_us[b], c.levels, 0, bids, asks,
    )  # fmt: skip
    c.state[REFRESHES] += parts
    return parts + 1


@kernel
def _next_refresh(c: Composer, slot: int) -> None:
    """Take the next valid book in turn."""
    rows, now = c.listing.rows[0], c.state[NEXT_REFRESH]
    b = c.state[REFRESH_ROW]
    sent = 0
    if b < rows and is_valid(c.mirror, b):
        sent = _refresh(c, slot, b, now)
    if b + 1 >= rows:
        c.state[REFRESH_ROUND] = now - c.state[REFRESH_BEGAN]
        c.state[REFRESH_BEGAN] = now
    c.state[REFRESH_ROW] = b + 1 if b + 1 < rows else 0
    c.state[NEXT_REFRESH] += max(1, c.wanted[REFRESH_ROUND_WANTED] // max(rows, 1), sent * c.wanted[DATAGRAM_GAP])


@kernel
def _next_instruments(c: Composer, slot: int) -> None:
    """Repeat the next few Instruments."""
    rows, src = c.listing.rows[0], c.state[NEXT_INSTRUMENT]
    first = c.state[INSTRUMENT_ROW]
    end = min(first + INSTRUMENT_ROWS, rows)
    for b in range(first, end):
        _instrument(c, slot, b, src)
    c.state[INSTRUMENT_ROW] = end if end < rows else 0
    steps = max(1, (rows + INSTRUMENT_ROWS - 1) // INSTRUMENT_ROWS)
    c.state[NEXT_INSTRUMENT] += max(1, c.wanted[INSTRUMENT_ROUND] // steps)


@kernel
def _event(c: Composer, slot: int, e: np.ndarray, levels: np.ndarray) -> None:
    b, src = e[ID], e[EVENT_SRC]
    c.state[FEED] = max(c.state[FEED], e[EVENT_FEED])
    if c.listing.announced[b] == 0:
        _instrument(c, slot, b, src)
    c.state[EVENTS] += 1
    if e[KIND] == BOOK:
        flags = SNAPSHOT if e[FLAGS] & SNAPSHOT else 0
        apply_message(
            c.mirror, b, flags | LAST, e[PRICE_EXP], e[SIZE_EXP], e[CUT], levels, e[LEVELS_AT], e[BIDS], e[ASKS], 0,
            e[EXCHANGE_US], c.state[FEED],
        )  # fmt: skip
        _book_parts(
            c, slot, b, src, flags, e[PRICE_EXP], e[SIZE_EXP], e[CUT], e[EXCHANGE_US], levels, e[LEVELS_AT], e[BIDS],
            e[ASKS],
        )  # fmt: skip
        c.state[UPDATES] += e[BIDS] + e[ASKS]
        return
    if e[KIND] == TRADE:
        end = put_trade(
            c.outbox.data[slot], _head(c, slot, b, TYPE_TRADE), e[FLAGS], e[PRICE_EXP], e[SIZE_EXP], e[TRADE_ID],
            e[EXCHANGE_US], c.state[FEED], e[PRICE], e[SIZE],
        )  # fmt: skip
        c.state[TRADES] += 1
    else:
        code = e[FLAGS]
        end = put_status(c.outbox.data[slot], _head(c, slot, b, TYPE_STATUS), code, c.texts[code], c.text_lengths[code])
        if code == 2:
            set_flags(c.mirror, b, BAD, 0)
    _entered(c, slot, end, src, 1, 1 if e[KIND] == TRADE else 0)


@kernel
def _has_room(c: Composer, slot: int, levels: int, src: int) -> bool:
    """Whether the slot can take an event of so many levels, with Instruments, at a source time."""
    parts = 2 + INSTRUMENT_ROWS + levels // 32
    if c.state[SLOT_COUNT] == 0:
        c.state[SLOT_SRC] = src
        return True
    return (
        c.state[SLOT_COUNT] + parts <= c.outbox.messages.shape[1]
        and c.state[SLOT_USED] + 16 * levels + 160 * parts <= c.outbox.data.shape[1]
        and src - c.state[SLOT_SRC] <= c.wanted[SPAN]
    )


@kernel
def compose(c: Composer, slot: int, chunk: Chunk) -> int:
    """Write a chunk's events, from ``state[CURSOR]`` on, to a slot, with what is due in between.

    Returns
    -------
    int
        NEED_MORE: the chunk is used up, the slot has room. SLOT_FULL: publish the slot and call again with the next.
    """
    while c.state[CURSOR] < chunk.used[0]:
        e = chunk.events[c.state[CURSOR]]
        due = min(c.state[NEXT_INSTRUMENT], c.state[NEXT_REFRESH])
        if due <= e[EVENT_SRC]:
            if not _has_room(c, slot, 2 * REFRESH_LEVELS, due):
                return SLOT_FULL
            if due == c.state[NEXT_INSTRUMENT]:
                _next_instruments(c, slot)
            else:
                _next_refresh(c, slot)
            continue
        if not _has_room(c, slot, e[BIDS] + e[ASKS] if e[KIND] == BOOK else 0, e[EVENT_SRC]):
            return SLOT_FULL
        _event(c, slot, e, chunk.levels)
        c.state[CURSOR] += 1
    return NEED_MORE

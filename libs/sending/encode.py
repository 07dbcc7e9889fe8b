"""Messages into a slot of the outbox, without sequence and timestamp."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from libs.jit import kernel
from libs.market.limits import MAX_SYMBOL
from libs.sending.chunk import EXCHANGE_US, FLAGS, PRICE, PRICE_EXP, SIZE, SIZE_EXP, TRADE_ID
from libs.sending.listing import (
    ANNOUNCED,
    EXCHANGE,
    IN_FORCE,
    INSTRUMENT_FLAGS,
    LOT,
    LOT_EXP,
    MULTIPLIER,
    MULTIPLIER_EXP,
    NAME_LENGTH,
    TICK,
    TICK_EXP,
)
from libs.sending.outbox import AT, END, FEED_US, LENGTH, SRC, UPDATES
from libs.wire.encoders import put_book, put_header, put_instrument, put_status, put_trade
from libs.wire.kernels import BOOK_BYTES, HEADER_BYTES
from libs.wire.layout import TYPE_BOOK, TYPE_INSTRUMENT, TYPE_STATUS, TYPE_TRADE

SNAPSHOT, LAST, REFRESH = 1, 2, 8
"""OrderBook flags of HFTP."""

VENUE_UP, VENUE_DOWN, HALTED, RESUMED, MUTE, HEARD = 0, 1, 3, 4, 6, 7
"""Status codes that begin or end a state."""

SLOT, SLOT_USED, SLOT_COUNT, SLOT_SRC, FEED, MTU, INSTRUMENTS = range(7)
"""Words of ``state``: the slot, the offset in ``data`` after what it holds, its messages, its first source time; feed
time so far; payload bytes a datagram; Instruments written."""


class Page(NamedTuple):
    """What is written to, and who is written about."""

    data: np.ndarray
    messages: np.ndarray
    state: np.ndarray
    """int64[32]"""
    names: np.ndarray
    rows: np.ndarray


@kernel
def _head(p: Page, b: int, kind: int) -> int:
    """Begin a message; returns where its body goes."""
    row = p.rows[b]
    return put_header(p.data, p.state[SLOT_USED], 0, 0, row[EXCHANGE], kind, p.names, b * MAX_SYMBOL, row[NAME_LENGTH])


@kernel
def _enter(p: Page, end: int, src: int, last: int, updates: int) -> None:
    """Enter the message that now ends at ``end`` in the slot's index."""
    state = p.state
    row = p.messages[state[SLOT], state[SLOT_COUNT]]
    row[AT], row[LENGTH] = state[SLOT_USED], end - state[SLOT_USED]
    row[SRC], row[FEED_US], row[END], row[UPDATES] = src, state[FEED], last, updates
    state[SLOT_COUNT] += 1
    state[SLOT_USED] = end


@kernel
def write_instrument(p: Page, b: int, src: int) -> None:
    """Write a book's Instrument."""
    r = p.rows[b]
    end = put_instrument(
        p.data, _head(p, b, TYPE_INSTRUMENT), r[INSTRUMENT_FLAGS], r[TICK], r[TICK_EXP], r[LOT], r[LOT_EXP],
        r[MULTIPLIER], r[MULTIPLIER_EXP],
    )  # fmt: skip
    _enter(p, end, src, 1, 0)
    r[ANNOUNCED] = 1
    p.state[INSTRUMENTS] += 1


@kernel
def write_book(
    p: Page, b: int, src: int, flags: int, price_exp: int, size_exp: int, cut: int, exchange_us: int,
    levels: np.ndarray, at: int, bids: int, asks: int,
) -> int:  # fmt: skip
    """Write one event as messages of at most a datagram each; returns how many."""
    fits = (p.state[MTU] - HEADER_BYTES - BOOK_BYTES - p.rows[b, NAME_LENGTH]) // 16
    left, done, parts = bids + asks, 0, 0
    while left > 0 or parts == 0:
        take = min(left, fits)
        left -= take
        of_bids = max(0, min(take, bids - done))
        own = (flags if parts == 0 else flags & ~SNAPSHOT) | (LAST if left == 0 else 0)
        end = put_book(
            p.data, _head(p, b, TYPE_BOOK), own, price_exp, size_exp, cut if parts == 0 else 0, of_bids,
            take - of_bids, exchange_us, p.state[FEED], levels, at + 2 * done,
        )  # fmt: skip
        _enter(p, end, src, 1 if left == 0 else 0, 0 if flags & REFRESH else take)
        done += take
        parts += 1
    return parts


@kernel
def write_trade(p: Page, b: int, src: int, e: np.ndarray) -> None:
    """Write a chunk's trade."""
    end = put_trade(
        p.data, _head(p, b, TYPE_TRADE), e[FLAGS], e[PRICE_EXP], e[SIZE_EXP], e[TRADE_ID], e[EXCHANGE_US],
        p.state[FEED], e[PRICE], e[SIZE],
    )  # fmt: skip
    _enter(p, end, src, 1, 1)


@kernel
def write_status(p: Page, b: int, src: int, code: int) -> None:
    """Write a symbol's Status; the code says it all. What stays in force is repeated with the Instruments."""
    end = put_status(p.data, _head(p, b, TYPE_STATUS), code, p.names, 0)
    _enter(p, end, src, 1, 0)
    if code in (VENUE_DOWN, HALTED, MUTE):
        p.rows[b, IN_FORCE] |= 1 << code
    elif code in (VENUE_UP, RESUMED, HEARD):
        p.rows[b, IN_FORCE] &= ~(1 << (VENUE_DOWN if code == VENUE_UP else code - 1))


@kernel
def write_instrument_and_state(p: Page, b: int, src: int) -> int:
    """Write a book's Instrument, then each Status that is in force for it; returns the messages."""
    write_instrument(p, b, src)
    written = 1
    for code in (VENUE_DOWN, HALTED, MUTE):
        if p.rows[b, IN_FORCE] >> code & 1:
            write_status(p, b, src, code)
            written += 1
    return written

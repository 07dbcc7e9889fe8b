"""Apply messages to books: integers only, no allocation, a whole event or nothing (markets.md, *Book*; wire.md)."""

from __future__ import annotations

import numpy as np

from libs.book.events import (
    EVENT_DONE,
    EVENT_OPEN,
    NEEDS_SNAPSHOT,
    REFRESH_DIVERGED,
    REFRESH_HEALED,
    REFRESH_SAME,
    REFUSED_BAD_BODY,
    REFUSED_CAPACITY,
    REFUSED_INCOMPLETE,
    REFUSED_NOT_VALID,
    break_event,
    drop_event,
    end_event,
    is_staged,
    refuse,
    refuse_event,
    start_change,
    start_snapshot,
    start_stage,
)
from libs.book.flags import BAD, GAP, INVALID, NO_SNAPSHOT
from libs.book.levels import apply_side
from libs.book.outside import set_flags, set_instrument
from libs.book.rebase import make_room, scale_of
from libs.book.refresh import end_refresh
from libs.book.state import (
    BORN,
    BROKEN,
    CUT,
    DELTA,
    FLAGS,
    HEAL,
    IDLE,
    LEVELS,
    MODE,
    OPEN_LEVELS,
    PARTS,
    PRICE_EXP,
    REFUSAL,
    REFUSING,
    SETTLED,
    SIZE_EXP,
    SNAPSHOT,
    STAGE,
    STAGED,
    STAGES,
    TAINT,
    WORDS,
    Books,
)
from libs.book.tops import copy_top, has_top, within_known
from libs.jit import kernel

__all__ = [
    "EVENT_DONE",
    "EVENT_OPEN",
    "NEEDS_SNAPSHOT",
    "REFRESH_DIVERGED",
    "REFRESH_HEALED",
    "REFRESH_SAME",
    "REFUSED_BAD_BODY",
    "REFUSED_CAPACITY",
    "REFUSED_INCOMPLETE",
    "REFUSED_NOT_VALID",
    "abandon_event",
    "apply_message",
    "copy_top",
    "has_top",
    "is_valid",
    "set_flags",
    "set_instrument",
    "within_known",
]

# Flags of an OrderBook message (wire.md).
M_SNAPSHOT = 1
M_LAST = 2
M_BAD = 4
M_REFRESH = 8


@kernel
def _start(
    words: np.ndarray, owners: np.ndarray, b: int, flags: int, price_exp: int, size_exp: int, cut: int, row_length: int
) -> int:
    """Open an event at its first part; EVENT_OPEN, or why that part is refused."""
    base = b * WORDS
    if words[base + BORN] == 0:
        words[base + BORN] = 1
        words[base + FLAGS] |= NO_SNAPSHOT
    waits = words[base + FLAGS] & NEEDS_SNAPSHOT != 0
    if not flags & M_SNAPSHOT:
        if flags & M_REFRESH:
            words[base + FLAGS] |= GAP
            return refuse(words, base, REFUSED_INCOMPLETE, 1)
        if waits:
            if flags & M_BAD:
                words[base + FLAGS] |= BAD
            return refuse(words, base, REFUSED_NOT_VALID, 1)
        start_change(words, base)
        words[base + MODE] = DELTA
        return EVENT_OPEN
    words[base + CUT] = cut
    if flags & M_REFRESH and not waits:
        if not start_stage(words, owners, base, b, row_length):
            return refuse_event(words, owners, base, REFUSED_CAPACITY, 0, flags & M_LAST != 0)
        words[base + MODE] = STAGED
    else:
        start_snapshot(words, base, row_length, HEAL if flags & M_REFRESH else SNAPSHOT, price_exp, size_exp)
    return EVENT_OPEN


@kernel
def _put(
    prices: np.ndarray,
    sizes: np.ndarray,
    words: np.ndarray,
    row: int,
    price_exp: int,
    size_exp: int,
    data: np.ndarray,
    at: int,
    n_bids: int,
    n_asks: int,
) -> bool:
    """Apply one part's levels to a book or a staging row; False when the body is bad."""
    base = row * WORDS
    if price_exp < words[base + PRICE_EXP] or size_exp < words[base + SIZE_EXP]:
        n = n_bids + n_asks
        if not make_room(prices[row], sizes[row], words, base, price_exp, size_exp, data, at, n):
            return False
    scale = scale_of(price_exp, words[base + PRICE_EXP]) + scale_of(size_exp, words[base + SIZE_EXP])
    return apply_side(prices[row, 0], sizes[row, 0], words, base, 0, 1, data, at, n_bids, scale) and apply_side(
        prices[row, 1], sizes[row, 1], words, base, 1, -1, data, at + 2 * n_bids, n_asks, scale
    )


@kernel
def _apply(
    prices: np.ndarray,
    sizes: np.ndarray,
    words: np.ndarray,
    owners: np.ndarray,
    b: int,
    flags: int,
    price_exp: int,
    size_exp: int,
    cut: int,
    data: np.ndarray,
    at: int,
    n_bids: int,
    n_asks: int,
    sequence: int,
    exchange_ts_us: int,
    feed_ts_us: int,
) -> int:
    base = b * WORDS
    words[base + BROKEN] = 0
    words[base + SETTLED] = 0
    words[base + LEVELS] = 0
    last = flags & M_LAST != 0
    if words[base + MODE] == REFUSING and not flags & M_SNAPSHOT:
        if last:
            words[base + MODE] = IDLE
        return refuse(words, base, words[base + REFUSAL], 1)
    stray = flags & M_REFRESH and words[base + MODE] in (DELTA, SNAPSHOT)
    if words[base + MODE] != IDLE and (flags & M_SNAPSHOT or stray):
        break_event(words, owners, base)
    if words[base + MODE] == IDLE:
        code = _start(words, owners, b, flags, price_exp, size_exp, cut, prices.shape[2])
        if code != EVENT_OPEN:
            return code
    row = len(prices) - STAGES + words[base + STAGE] - 1 if is_staged(words, base) else b
    if flags & M_BAD:
        words[base + TAINT] |= BAD
    if not _put(prices, sizes, words, row, price_exp, size_exp, data, at, n_bids, n_asks):
        return refuse_event(words, owners, base, REFUSED_BAD_BODY, BAD, last)
    words[base + OPEN_LEVELS] += n_bids + n_asks
    if not last:
        words[base + PARTS] += 1
        return EVENT_OPEN
    if row != b:
        return end_refresh(prices, sizes, words, owners, b, feed_ts_us)
    return end_event(prices[b], sizes[b], words, base, sequence, exchange_ts_us, feed_ts_us)


@kernel(inline=True)
def apply_message(
    books: Books,
    b: int,
    flags: int,
    price_exp: int,
    size_exp: int,
    cut: int,
    data: np.ndarray,
    at: int,
    n_bids: int,
    n_asks: int,
    sequence: int,
    exchange_ts_us: int,
    feed_ts_us: int,
) -> int:
    """Apply one OrderBook message, a part of an event or all of it.

    Parameters
    ----------
    books, b : Books, int
        The book, by id.
    flags, price_exp, size_exp, cut, n_bids, n_asks : int
        As in the message's body.
    data, at : int64[:], int
        Level i of the bids is ``data[at + 2 * i]`` (price) and ``data[at + 2 * i + 1]`` (size); the asks follow.
    sequence, exchange_ts_us, feed_ts_us : int
        Of this message; those of the part that completes an event become the book's.

    Returns
    -------
    int
        What happened, and to how many messages of the channel (``books.settled[b]``, this one included):

        ==================== =========================================================================================
        EVENT_OPEN           a part was taken, more are to come; settled 0
        EVENT_DONE           an event of the venue, or one marked BAD, is complete; settled: all its parts, *applied*.
                             A features row is due if the book is valid now
        REFRESH_SAME         a REFRESH equalled the valid book; levels beyond its known ends were adopted. No event
        REFRESH_HEALED       a REFRESH replaced a book that waited for a snapshot. No event
        REFRESH_DIVERGED     a REFRESH differed: the book carries DIVERGED, its levels are as they were; its tops are in
                             ``books.tops``, the REFRESH's in ``books.refresh_tops``. No event
        REFUSED_NOT_VALID    a delta on a book that waits for a snapshot; settled 1
        REFUSED_BAD_BODY     a level is negative or beyond int64 in the book's unit: the book carries BAD. Settled: the
                             event's parts up to this one; each later part of it is refused alike, settled 1
        REFUSED_INCOMPLETE   a later part of a REFRESH whose first part never came; settled 1, the book carries GAP
        REFUSED_CAPACITY     too many REFRESHes are under way (libs.book.state.STAGES); the book is as it was
        ==================== =========================================================================================

        Besides, ``books.broken[b]`` parts of an earlier event, still open when this one began, are refused as
        incomplete (the book then carried GAP). ``books.levels[b]``: level updates of the event that this call
        completed. ``books.parts[b]``: parts still pending. Every message is settled, broken, abandoned or pending.
    """
    return _apply(
        books.prices, books.sizes, books.words, books.stage_owner, b, flags, price_exp, size_exp, cut, data, at, n_bids,
        n_asks, sequence, exchange_ts_us, feed_ts_us,
    )  # fmt: skip


@kernel
def abandon_event(books: Books, b: int) -> int:
    """Give up a book's open event, because a part of it is lost; return its parts so far (refused as incomplete).

    A book with an open event carries GAP from then on: to notice that it stopped being valid, read its flags *before*.
    Without an open event nothing changes.
    """
    base = b * WORDS
    if books.words[base + MODE] == IDLE:
        return 0
    return drop_event(books.words, books.stage_owner, base, GAP)


@kernel(inline=True)
def is_valid(books: Books, b: int) -> bool:
    """Return whether nothing says that the book is or may be wrong."""
    return books.words[b * WORDS + FLAGS] & INVALID == 0

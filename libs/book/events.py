"""From parts to events: what is open, how it ends, what is shown of it. Called by libs.book.kernels only."""

from __future__ import annotations

import numpy as np

from libs.book.flags import BAD, CROSSED, DIVERGED, GAP, INVALID, NO_SNAPSHOT, ONE_SIDED, SUSPECT, TRUNCATED
from libs.book.levels import pull_in
from libs.book.rebase import set_unit
from libs.book.state import (
    ASK_PRICE,
    BID_PRICE,
    BID_SIZE,
    BROKEN,
    COUNTERS,
    COUNTS,
    CROSSED_EVENTS,
    CUT,
    DELTA,
    EVENTS,
    EXCHANGE_TS_US,
    FEED_TS_US,
    FIRST,
    FLAGS,
    HAS_UNIT,
    HEAL,
    IDLE,
    KNOWN_SET,
    LEVELS,
    LIVES,
    MODE,
    NOTHING_CUT,
    NOTHING_KNOWN,
    OPEN_LEVELS,
    PARTS,
    PRICE_EXP,
    REFRESHES,
    REFUSAL,
    REFUSING,
    SEQUENCE,
    SETTLED,
    SIZE_EXP,
    SLACK,
    SNAPSHOT,
    STAGE,
    STAGED,
    STAGES,
    TAINT,
    TOP_FEED_TS_US,
    TOP_PRICE_EXP,
    TOP_SIDES,
    TOP_SIZE_EXP,
    TOPS,
    VALID_SINCE_US,
    VERSION,
    WORDS,
)
from libs.jit import kernel
from libs.memory import load_acquire, store_release

NEEDS_SNAPSHOT = NO_SNAPSHOT | GAP | BAD | DIVERGED
"""A book with any of these takes no delta; a completed snapshot without BAD clears them."""

SHAPE_FLAGS = CROSSED | ONE_SIDED | TRUNCATED

EVENT_OPEN, EVENT_DONE, REFRESH_SAME, REFRESH_HEALED, REFRESH_DIVERGED = range(5)
REFUSED_NOT_VALID, REFUSED_BAD_BODY, REFUSED_INCOMPLETE, REFUSED_CAPACITY = range(16, 20)


@kernel(inline=True)
def start_change(words: np.ndarray, base: int) -> None:
    """Make the version odd. The acquire load of the word just stored keeps later stores from moving before it."""
    store_release(words, base + VERSION, words[base + VERSION] + 1)
    load_acquire(words, base + VERSION)


@kernel(inline=True)
def end_change(words: np.ndarray, base: int) -> None:
    """Make the version even after every store before it."""
    store_release(words, base + VERSION, words[base + VERSION] + 1)


@kernel(inline=True)
def clear_levels(words: np.ndarray, base: int, row_length: int) -> None:
    """Empty both sides, leaving most of the row below: snapshots come best level first."""
    for side in range(2):
        words[base + COUNTS + side] = 0
        words[base + FIRST + side] = row_length - SLACK // 2
        words[base + KNOWN_SET + side] = NOTHING_CUT


@kernel(inline=True)
def free_stage(words: np.ndarray, owners: np.ndarray, base: int) -> None:
    """Give a book's staging row back, if it has one."""
    stage = words[base + STAGE]
    if stage > 0:
        owners[stage - 1] = 0
        words[base + STAGE] = 0


@kernel(inline=True)
def drop_event(words: np.ndarray, owners: np.ndarray, base: int, flags: int) -> int:
    """Give up the open event, marking the book; return its parts."""
    mode = words[base + MODE]
    parts = words[base + PARTS]
    words[base + FLAGS] |= flags | words[base + TAINT]
    if mode in (DELTA, SNAPSHOT, HEAL):
        end_change(words, base)
    free_stage(words, owners, base)
    words[base + MODE] = IDLE
    words[base + PARTS] = 0
    words[base + TAINT] = 0
    words[base + OPEN_LEVELS] = 0
    return parts


@kernel(inline=True)
def refuse(words: np.ndarray, base: int, code: int, settled: int) -> int:
    """Settle messages as refused; return the code."""
    words[base + SETTLED] = settled
    return code


@kernel
def refuse_event(words: np.ndarray, owners: np.ndarray, base: int, code: int, flags: int, last: bool) -> int:
    """Refuse an event at the present part, and the parts of it that are still to come."""
    parts = drop_event(words, owners, base, flags)
    if not last:
        words[base + MODE] = REFUSING
        words[base + REFUSAL] = code
    return refuse(words, base, code, parts + 1)


@kernel
def start_stage(words: np.ndarray, owners: np.ndarray, base: int, b: int, row_length: int) -> bool:
    """Take a spare book for a REFRESH of ``b``; False when none is free."""
    for place in range(STAGES):
        if owners[place] == 0:
            owners[place] = b + 1
            words[base + STAGE] = place + 1
            other = len(words) + (place - STAGES) * WORDS
            clear_levels(words, other, row_length)
            words[other + PRICE_EXP] = words[base + PRICE_EXP]
            words[other + SIZE_EXP] = words[base + SIZE_EXP]
            words[other + HAS_UNIT] = 1
            return True
    return False


@kernel
def start_snapshot(words: np.ndarray, base: int, row_length: int, mode: int, price_exp: int, size_exp: int) -> None:
    """Empty the book for a snapshot. One that waits for it returns to its instrument's unit."""
    start_change(words, base)
    clear_levels(words, base, row_length)
    if words[base + HAS_UNIT] == 0 or words[base + FLAGS] & NEEDS_SNAPSHOT:
        set_unit(words, base, price_exp, size_exp)
    words[base + MODE] = mode


@kernel
def set_known_ends(prices: np.ndarray, words: np.ndarray, base: int, cut: int) -> None:
    """End what a cut snapshot makes known at its last levels; ``prices`` is the book's, a row a side."""
    for side in range(2):
        if cut >> side & 1:
            if words[base + COUNTS + side] == 0:
                words[base + KNOWN_SET + side] = NOTHING_KNOWN
            else:
                pull_in(words, base, side, 1 - 2 * side, prices[side, words[base + FIRST + side]])


@kernel(inline=True)
def write_tops(prices: np.ndarray, sizes: np.ndarray, words: np.ndarray, base: int, at: int, feed_ts_us: int) -> int:
    """Write the best levels and the unit to eight words; return 1 for a bid plus 2 for an ask."""
    sides = 0
    for side in range(2):
        count = words[base + COUNTS + side]
        price = 0
        size = 0
        if count > 0:
            place = words[base + FIRST + side] + count - 1
            price = prices[side, place]
            size = sizes[side, place]
            sides |= 1 << side
        words[at + BID_PRICE + 2 * side] = price
        words[at + BID_SIZE + 2 * side] = size
    words[at + TOP_PRICE_EXP] = words[base + PRICE_EXP]
    words[at + TOP_SIZE_EXP] = words[base + SIZE_EXP]
    words[at + TOP_FEED_TS_US] = feed_ts_us
    words[at + TOP_SIDES] = sides
    return sides


@kernel(inline=True)
def show(prices: np.ndarray, sizes: np.ndarray, words: np.ndarray, base: int) -> None:
    """Publish the tops and the flags that follow from the levels."""
    sides = write_tops(prices, sizes, words, base, base + TOPS, words[base + FEED_TS_US])
    flags = words[base + FLAGS] & ~SHAPE_FLAGS
    if sides != 3:
        flags |= ONE_SIDED
    elif words[base + TOPS + BID_PRICE] >= words[base + TOPS + ASK_PRICE]:
        flags |= CROSSED
    if words[base + KNOWN_SET] != NOTHING_CUT or words[base + KNOWN_SET + 1] != NOTHING_CUT:
        flags |= TRUNCATED
    words[base + FLAGS] = flags


@kernel(inline=True)
def settle(words: np.ndarray, base: int) -> None:
    """Count all parts of the event that this message completes."""
    words[base + SETTLED] = words[base + PARTS] + 1
    words[base + LEVELS] = words[base + OPEN_LEVELS]
    words[base + OPEN_LEVELS] = 0
    words[base + PARTS] = 0
    words[base + TAINT] = 0
    words[base + MODE] = IDLE


@kernel
def _end_snapshot(prices: np.ndarray, words: np.ndarray, base: int, feed_ts_us: int) -> None:
    """Fix the known ends and, unless the snapshot is BAD, make the book valid."""
    set_known_ends(prices, words, base, words[base + CUT])
    if words[base + TAINT]:
        return
    if words[base + FLAGS] & (INVALID ^ SUSPECT):
        words[base + VALID_SINCE_US] = feed_ts_us
        words[base + LIVES] += 1
    words[base + FLAGS] &= ~NEEDS_SNAPSHOT


@kernel(inline=True)
def end_event(
    prices: np.ndarray,
    sizes: np.ndarray,
    words: np.ndarray,
    base: int,
    sequence: int,
    exchange_ts_us: int,
    feed_ts_us: int,
) -> int:
    """Complete an event applied in place; ``prices`` and ``sizes`` are the book's, a row a side."""
    mode = words[base + MODE]
    tainted = words[base + TAINT] != 0
    if mode != DELTA:
        _end_snapshot(prices, words, base, feed_ts_us)
    words[base + FLAGS] |= words[base + TAINT]
    words[base + SEQUENCE] = sequence
    words[base + EXCHANGE_TS_US] = exchange_ts_us
    words[base + FEED_TS_US] = feed_ts_us
    settle(words, base)
    show(prices, sizes, words, base)
    end_change(words, base)
    if mode == HEAL and not tainted:
        words[base + COUNTERS + REFRESHES] += 1
        return REFRESH_HEALED
    words[base + COUNTERS + EVENTS] += 1
    if words[base + FLAGS] & CROSSED:
        words[base + COUNTERS + CROSSED_EVENTS] += 1
    return EVENT_DONE


@kernel(inline=True)
def break_event(words: np.ndarray, owners: np.ndarray, base: int) -> None:
    """Give up an open event that a new one interrupts: a part was lost."""
    if words[base + MODE] != REFUSING:
        words[base + BROKEN] = drop_event(words, owners, base, GAP)
    else:
        words[base + MODE] = IDLE


@kernel(inline=True)
def is_staged(words: np.ndarray, base: int) -> bool:
    """Return whether a REFRESH of the book is being collected apart from it."""
    return words[base + MODE] == STAGED

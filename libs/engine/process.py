"""The book thread: ring slots to books, features and NBBO (one thread for all symbols, batches of 16)."""

from __future__ import annotations

import numpy as np

from libs.book.kernels import M_REFRESH
from libs.engine.books import hear
from libs.engine.columns import (
    BATCH,
    BUSY_POLL,
    DIGEST,
    FEED_BACK,
    LAST_FEED_US,
    LAST_SENT_US,
    LAST_UPDATE_US,
    MESSAGES,
    REFUSED,
    REQUEST_BELL,
)
from libs.engine.conflation import flush_features
from libs.engine.control import on_heartbeat, on_instrument, on_lost, on_session, on_status, on_suspect, tick
from libs.engine.digests import note_message
from libs.engine.directory import HEARD, LEDGER, PUBLISHER_WAKE, SCRATCH, SETTINGS, WAKE, ring_of
from libs.engine.events import on_book, on_requested, on_trade, settle_waiting
from libs.engine.merged import merge_tops
from libs.engine.requests import ring_bell
from libs.engine.slots import BOOK, HEARTBEAT, INSTRUMENT, LOST, NO_BOOK, SNAPSHOT_PART, STATUS, SUSPECT, TRADE, byte_of
from libs.engine.slots import REFUSED as REFUSED_SLOT
from libs.engine.slots import SESSION as SESSION_SLOT
from libs.engine.waiting import BELL
from libs.jit import kernel
from libs.libc import CLOCK_MONOTONIC, c_read, c_write, now_ns, poll
from libs.memory import address_of, load_acquire, words1, words2_row
from libs.ring.kernels import SKIP, available, first, is_sleeping, release, set_sleeping
from libs.sequencing.state import CHANNELS

TICK_NS = 10_000_000


@kernel(inline=True)
def _clamp(slots: np.ndarray, at: int, ledger: np.ndarray) -> None:
    """Let feed time not go back on a channel: a message that would is taken as of the one before, and counted."""
    if slots[at + 5] < ledger[LAST_FEED_US]:
        slots[at + 5] = ledger[LAST_FEED_US]
        ledger[FEED_BACK] += 1


@kernel
def take_slot(p: np.ndarray, slots: np.ndarray, at: int, ch: int, mono_ns: int) -> None:
    """Process the record whose first slot starts at word ``at`` of channel ``ch``'s ring."""
    head = slots[at]
    kind = head & 0xFF
    b = head >> 32 & 0xFFFFFFFF
    ledger = words2_row(p, LEDGER, ch)
    digested = words1(p, SETTINGS)[DIGEST] != 0
    if kind <= INSTRUMENT:
        hear(p, ch, mono_ns)
        ledger[LAST_SENT_US] = slots[at + 3]
        if kind != HEARTBEAT and b != NO_BOOK:
            words1(p, HEARD)[b] = 1
    if kind == BOOK:
        ledger[MESSAGES] += 1
        _clamp(slots, at, ledger)
        if not byte_of(slots[at + 1], 0) & M_REFRESH:
            ledger[LAST_FEED_US] = slots[at + 5]
            ledger[LAST_UPDATE_US] = slots[at + 3]
        if digested:
            note_message(p, slots, at, ch, kind, b)
        on_book(p, slots, at, ch, b, mono_ns)
    elif kind == TRADE:
        ledger[MESSAGES] += 1
        ledger[LAST_UPDATE_US] = slots[at + 3]
        _clamp(slots, at, ledger)
        ledger[LAST_FEED_US] = slots[at + 5]
        if digested:
            note_message(p, slots, at, ch, kind, b)
        on_trade(p, slots, at, ch, b)
    elif kind == HEARTBEAT:
        on_heartbeat(p, slots, at, ch)
    elif kind == STATUS:
        on_status(p, slots, at, ch, b)
    elif kind == INSTRUMENT:
        on_instrument(p, slots, at, ch, b)
    elif kind == REFUSED_SLOT:
        ledger[REFUSED + slots[at + 1]] += 1
    elif kind == LOST:
        on_lost(p, ch, slots[at + 1], slots[at + 2], slots[at + 3], mono_ns)
    elif kind == SUSPECT:
        on_suspect(p, ch, slots[at + 1])
    elif kind == SESSION_SLOT:
        on_session(p, ch, slots[at + 1], slots[at + 2])
    elif kind == SNAPSHOT_PART:
        on_requested(p, slots, at, ch, b, mono_ns)


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
        if done > 0 and words1(p, SETTINGS)[DIGEST] != 0:
            merge_tops(p, False)
        if mono_ns >= next_tick:
            tick(p, mono_ns)
            next_tick = mono_ns + TICK_NS
        if words1(p, SCRATCH)[BELL] != 0:
            words1(p, SCRATCH)[BELL] = 0
            ring_bell(words1(p, SETTINGS)[REQUEST_BELL], words1(p, SCRATCH), 13)
        if done > 0:
            _wake_publisher(p, publisher_eventfd)
        elif load_acquire(control, 0) != 0:
            break
        elif words1(p, SETTINGS)[BUSY_POLL] == 0:
            _sleep(p, eventfd, 5)
    if load_acquire(control, 0) != 0:
        settle_waiting(p)
        flush_features(p, 0, True)
        if words1(p, SETTINGS)[DIGEST] != 0:
            merge_tops(p, True)
        _wake_publisher(p, publisher_eventfd)
    return total

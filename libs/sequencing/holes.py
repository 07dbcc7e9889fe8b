"""Holes of a channel: opened by what comes too early, closed by what comes late, given up when they stay open."""

from __future__ import annotations

from libs.jit import kernel
from libs.sequencing.state import (
    EXPECTED,
    GAPS,
    HEALED_LINE,
    HEALED_RETRANSMISSION,
    HIGH,
    HIGHEST,
    HOLD_MESSAGES,
    HOLE_WORDS,
    HOLES_LOST,
    LOST,
    LOST_MEMORY,
    LOW,
    MAX_HOLES,
    MISSING,
    N_HOLES,
    OPENED_NS,
    REQUESTED,
    REQUESTED_RANGES,
    Sequencer,
)

LINE, RECOVERY = 0, 1
"""Where a message came from."""


@kernel
def open_hole(s: Sequencer, ch: int, low: int, high: int, now_ns: int) -> None:
    """Open low..high; with all places taken, the newest hole grows to hold it, and none is opened."""
    channel = s.channels[ch]
    n = channel[N_HOLES]
    if n == MAX_HOLES:
        hole = s.holes[ch, n - 1]
        hole[MISSING] += high - low + 1
        hole[HIGH] = high
        return
    channel[GAPS] += 1
    hole = s.holes[ch, n]
    hole[LOW] = low
    hole[HIGH] = high
    hole[MISSING] = high - low + 1
    hole[OPENED_NS] = now_ns
    hole[REQUESTED] = 0
    channel[N_HOLES] = n + 1


@kernel
def _drop_hole(s: Sequencer, ch: int, index: int) -> None:
    n = s.channels[ch, N_HOLES]
    for i in range(index, n - 1):
        for k in range(HOLE_WORDS):
            s.holes[ch, i, k] = s.holes[ch, i + 1, k]
    s.channels[ch, N_HOLES] = n - 1


@kernel
def fill(s: Sequencer, ch: int, sequence: int, now_ns: int, source: int) -> int:
    """Take a sequence out of its hole; return how long the hole was open (ns) when that closed it, else -1.

    ``source``, LINE or RECOVERY, is where the message came from: the last one says what healed the hole.
    """
    for i in range(s.channels[ch, N_HOLES]):
        hole = s.holes[ch, i]
        if hole[LOW] <= sequence <= hole[HIGH]:
            hole[MISSING] -= 1
            if hole[MISSING] > 0:
                return -1
            open_ns = now_ns - hole[OPENED_NS]
            _drop_hole(s, ch, i)
            s.channels[ch, HEALED_RETRANSMISSION if source == RECOVERY else HEALED_LINE] += 1
            return open_ns
    return -1


@kernel
def announce(s: Sequencer, ch: int, highest: int, now_ns: int) -> None:
    """Take in that everything up to ``highest`` was sent: what is not here is a hole."""
    channel = s.channels[ch]
    if highest > channel[HIGHEST]:
        open_hole(s, ch, channel[HIGHEST] + 1, highest, now_ns)
        channel[HIGHEST] = highest


@kernel
def hole_is_due(s: Sequencer, ch: int, now_ns: int, timeout_ns: int) -> bool:
    """Return whether the oldest hole has been open for longer than ``timeout_ns``."""
    return s.channels[ch, N_HOLES] > 0 and now_ns - s.holes[ch, 0, OPENED_NS] > timeout_ns


@kernel
def is_suspect(s: Sequencer, ch: int, now_ns: int, gap_timeout_ns: int, reorder_window: int) -> bool:
    """Return whether a hole is old enough, or enough came after it, for the channel's books to be doubted."""
    channel = s.channels[ch]
    if channel[N_HOLES] == 0:
        return False
    return (
        now_ns - s.holes[ch, 0, OPENED_NS] > gap_timeout_ns or channel[HIGHEST] - s.holes[ch, 0, HIGH] >= reorder_window
    )


@kernel
def next_request(
    s: Sequencer, ch: int, now_ns: int, gap_timeout_ns: int, reorder_window: int, limit: int
) -> tuple[int, int, int]:
    """Find the next run of missing messages to ask the sender for.

    A hole is asked for once it is as old, or as far behind, as :func:`is_suspect` says; each run of it once. Call again
    until there is nothing.

    Parameters
    ----------
    limit : int
        Messages a request at the most.

    Returns
    -------
    tuple of int
        First, last, and when the hole was opened; 0, 0, 0: nothing is to be asked for.
    """
    channel = s.channels[ch]
    for i in range(channel[N_HOLES]):
        hole = s.holes[ch, i]
        if hole[REQUESTED] > hole[HIGH]:
            continue
        if now_ns - hole[OPENED_NS] <= gap_timeout_ns and channel[HIGHEST] - hole[HIGH] < reorder_window:
            continue
        first = max(hole[REQUESTED], hole[LOW], channel[EXPECTED])
        # No farther than what can be held: the rest is given up or asked for when its turn comes.
        end = min(hole[HIGH] + 1, channel[EXPECTED] + HOLD_MESSAGES)
        while first < end and s.hold_sequence[ch, first & (HOLD_MESSAGES - 1)] == first:
            first += 1
        last = first
        while last + 1 < end and s.hold_sequence[ch, (last + 1) & (HOLD_MESSAGES - 1)] != last + 1:
            last += 1
        last = min(last, first + limit - 1)
        if first >= end:
            if first > hole[HIGH]:
                hole[REQUESTED] = first
            continue
        hole[REQUESTED] = last + 1
        channel[REQUESTED_RANGES] += 1
        return first, last, hole[OPENED_NS]
    return 0, 0, 0


@kernel
def give_up(s: Sequencer, ch: int) -> int:
    """Declare the oldest hole's missing messages lost, up to the next message that is here.

    The caller hands on what next_held gives and calls this again until it returns 0, then stops doubting the channel if
    no hole is left.

    Returns
    -------
    int
        How many became lost now; 0: the hole is closed, or a held message comes first.
    """
    channel = s.channels[ch]
    if channel[N_HOLES] == 0:
        return 0
    hole = s.holes[ch, 0]
    sequence = channel[EXPECTED]
    lost = 0
    while sequence <= hole[HIGH] and hole[MISSING] > 0:
        if s.hold_sequence[ch, sequence & (HOLD_MESSAGES - 1)] == sequence:
            break
        if hole[MISSING] == hole[HIGH] - sequence + 1 and hole[HIGH] - sequence >= LOST_MEMORY:
            # None of the rest is here: skip to what the memory of lost sequences can hold.
            skip = hole[HIGH] - LOST_MEMORY + 1 - sequence
            sequence += skip
            lost += skip
            hole[MISSING] -= skip
        s.lost_sequence[ch, sequence & (LOST_MEMORY - 1)] = sequence
        sequence += 1
        lost += 1
        hole[MISSING] -= 1
    channel[EXPECTED] = sequence
    channel[LOST] += lost
    if hole[MISSING] == 0:
        channel[HOLES_LOST] += 1
        _drop_hole(s, ch, 0)
    return lost

"""Decide what becomes of each message: apply, hold, duplicate, late, foreign (wire.md, *Sequence, sessions, recovery*).

The caller asks :func:`arrive` about a message and does as told: on APPLY it hands the message on and then calls
:func:`applied`; on HOLD it calls :func:`hold`. After either, and on a timer, it hands on what :func:`next_held` gives. A hole
that has been open for too long is closed by :func:`give_up`.
"""

from __future__ import annotations

import numpy as np

from libs.jit import kernel
from libs.sequencing.state import (
    BEFORE_JOIN,
    DUPLICATE,
    EXPECTED,
    FOREIGN_SESSION,
    GAPS,
    HEALED_LINE,
    HEARD_NS,
    HEARTBEATS,
    HELD,
    HIGH,
    HIGHEST,
    HOLD_BYTES,
    HOLD_MESSAGES,
    HOLES_LOST,
    JOINED,
    LATE,
    LOST,
    LOST_MEMORY,
    LOW,
    MAX_HOLES,
    MISSING,
    N_HOLES,
    OPENED_NS,
    RECEIVED,
    RELEASED,
    SENT_BEFORE,
    SEQUENCE_BACK,
    SESSION,
    SESSIONS,
    SUSPECT,
    Sequencer,
)

APPLY = 0
HOLD = 1
DUPLICATED = 2
CAME_LATE = 3
FOREIGN = 4
HOLD_FULL = 5

SAME_SESSION = 0
JOINED_SESSION = 1
NEW_SESSION = 2
FOREIGN_HEARTBEAT = 3

SILENCE_NS = 300_000_000
"""A smaller session is believed only after the current one has been silent for this long."""


@kernel
def _open_hole(s: Sequencer, ch: int, low: int, high: int, now_ns: int) -> None:
    """Open low..high; with all places taken, the newest hole grows to hold it."""
    channel = s.channels[ch]
    channel[GAPS] += 1
    n = channel[N_HOLES]
    if n == MAX_HOLES:
        hole = s.holes[ch, n - 1]
        hole[MISSING] += high - low + 1
        hole[HIGH] = high
        return
    hole = s.holes[ch, n]
    hole[LOW] = low
    hole[HIGH] = high
    hole[MISSING] = high - low + 1
    hole[OPENED_NS] = now_ns
    channel[N_HOLES] = n + 1


@kernel
def _drop_hole(s: Sequencer, ch: int, index: int) -> None:
    n = s.channels[ch, N_HOLES]
    for i in range(index, n - 1):
        for k in range(4):
            s.holes[ch, i, k] = s.holes[ch, i + 1, k]
    s.channels[ch, N_HOLES] = n - 1


@kernel
def _fill(s: Sequencer, ch: int, sequence: int, now_ns: int) -> int:
    """Take a sequence out of its hole; return how long the hole was open (ns) when that closed it, else -1."""
    for i in range(s.channels[ch, N_HOLES]):
        hole = s.holes[ch, i]
        if hole[LOW] <= sequence <= hole[HIGH]:
            hole[MISSING] -= 1
            if hole[MISSING] > 0:
                return -1
            open_ns = now_ns - hole[OPENED_NS]
            _drop_hole(s, ch, i)
            s.channels[ch, HEALED_LINE] += 1
            return open_ns
    return -1


@kernel
def arrive(s: Sequencer, ch: int, sequence: int, timestamp_us: int, now_ns: int) -> int:
    """Say what becomes of a message read from a line.

    Parameters
    ----------
    ch, sequence : int
        Channel and sequence of the header.
    timestamp_us : int
        The header's; before the session's start: the message is of an older one.
    now_ns : int
        Monotonic.

    Returns
    -------
    int
        APPLY, HOLD, DUPLICATED, CAME_LATE, FOREIGN, or HOLD_FULL: give up the first hole and ask again. APPLY and HOLD
        change nothing yet: a message that then finds no room is as if it had never been read.
    """
    channel = s.channels[ch]
    if channel[JOINED] == 0:
        channel[JOINED] = 1
        channel[EXPECTED] = sequence
        channel[HIGHEST] = sequence - 1
        channel[BEFORE_JOIN] += sequence - 1
        channel[SESSIONS] += 1
    if timestamp_us < channel[SESSION] // 1000:
        channel[FOREIGN_SESSION] += 1
        return FOREIGN
    channel[HEARD_NS] = now_ns
    expected = channel[EXPECTED]
    if sequence == expected:
        if s.hold_sequence[ch, sequence & (HOLD_MESSAGES - 1)] == sequence:
            channel[RECEIVED] += 1
            channel[DUPLICATE] += 1
            return DUPLICATED
        return APPLY
    if sequence < expected:
        channel[RECEIVED] += 1
        place = sequence & (LOST_MEMORY - 1)
        if s.lost_sequence[ch, place] == sequence:
            channel[LATE] += 1
            return CAME_LATE
        channel[DUPLICATE] += 1
        return DUPLICATED
    if sequence - expected >= HOLD_MESSAGES:
        announce(s, ch, sequence - 1, now_ns)
        return HOLD_FULL
    if s.hold_sequence[ch, sequence & (HOLD_MESSAGES - 1)] == sequence:
        channel[RECEIVED] += 1
        channel[DUPLICATE] += 1
        return DUPLICATED
    return HOLD


@kernel
def applied(s: Sequencer, ch: int, sequence: int, now_ns: int) -> int:
    """Note that the expected message was handed on; return the ns that its hole had been open if that closed one, else -1."""
    channel = s.channels[ch]
    channel[RECEIVED] += 1
    channel[RELEASED] += 1
    channel[EXPECTED] = sequence + 1
    if sequence > channel[HIGHEST]:
        channel[HIGHEST] = sequence
        return -1
    return _fill(s, ch, sequence, now_ns)


@kernel
def hold(
    s: Sequencer, ch: int, sequence: int, buf: np.ndarray, start: int, length: int, recv_ns: int, now_ns: int
) -> int:
    """Keep a message that came before an earlier one.

    Parameters
    ----------
    buf : uint8[:]
        The datagram; the message is ``buf[start:start + length]``, ``length`` at most HOLD_BYTES.
    recv_ns : int
        Its kernel receive time.

    Returns
    -------
    int
        As :func:`applied`.
    """
    channel = s.channels[ch]
    place = sequence & (HOLD_MESSAGES - 1)
    at = (ch * HOLD_MESSAGES + place) * HOLD_BYTES
    s.hold_bytes[at : at + length] = buf[start : start + length]
    s.hold_sequence[ch, place] = sequence
    s.hold_length[ch, place] = length
    s.hold_recv_ns[ch, place] = recv_ns
    channel[RECEIVED] += 1
    channel[HELD] += 1
    highest = channel[HIGHEST]
    if sequence <= highest:
        return _fill(s, ch, sequence, now_ns)
    if sequence > highest + 1:
        _open_hole(s, ch, highest + 1, sequence - 1, now_ns)
    channel[HIGHEST] = sequence
    return -1


@kernel
def next_held(s: Sequencer, ch: int) -> int:
    """Return the place of the expected message if it is held, else -1; then hand it on and call :func:`released`."""
    place = s.channels[ch, EXPECTED] & (HOLD_MESSAGES - 1)
    if s.channels[ch, HELD] > 0 and s.hold_sequence[ch, place] == s.channels[ch, EXPECTED]:
        return place
    return -1


@kernel
def released(s: Sequencer, ch: int, place: int) -> None:
    """Note that the held message at ``place`` was handed on."""
    channel = s.channels[ch]
    s.hold_sequence[ch, place] = 0
    channel[HELD] -= 1
    channel[RELEASED] += 1
    channel[EXPECTED] += 1


@kernel
def announce(s: Sequencer, ch: int, highest: int, now_ns: int) -> None:
    """Take in that everything up to ``highest`` was sent: what is not here is a hole."""
    channel = s.channels[ch]
    if highest > channel[HIGHEST]:
        _open_hole(s, ch, channel[HIGHEST] + 1, highest, now_ns)
        channel[HIGHEST] = highest


@kernel
def heartbeat(s: Sequencer, ch: int, session: int, next_sequence: int, now_ns: int) -> int:
    """Take in a heartbeat.

    Returns
    -------
    int
        SAME_SESSION; JOINED_SESSION (the first that this receiver hears of); NEW_SESSION: call :func:`give_up` and hand on
        what is held until no hole is open, then :func:`reset`, then this again; FOREIGN_HEARTBEAT.
    """
    channel = s.channels[ch]
    if channel[JOINED] == 0:
        channel[JOINED] = 1
        channel[SESSION] = session
        channel[EXPECTED] = next_sequence
        channel[HIGHEST] = next_sequence - 1
        channel[BEFORE_JOIN] += next_sequence - 1
        channel[SESSIONS] += 1
        channel[HEARD_NS] = now_ns
        channel[HEARTBEATS] += 1
        return JOINED_SESSION
    known = channel[SESSION]
    if known == 0:
        channel[SESSION] = session
    elif session > known or (session < known and now_ns - channel[HEARD_NS] > SILENCE_NS):
        return NEW_SESSION
    elif session < known:
        channel[FOREIGN_SESSION] += 1
        return FOREIGN_HEARTBEAT
    channel[HEARD_NS] = now_ns
    channel[HEARTBEATS] += 1
    if next_sequence - 1 < channel[HIGHEST]:
        channel[SEQUENCE_BACK] += 1
    announce(s, ch, next_sequence - 1, now_ns)
    return SAME_SESSION if known else JOINED_SESSION


@kernel
def reset(s: Sequencer, ch: int, session: int, now_ns: int) -> None:
    """Close the channel's ledger and begin a session at sequence 1; nothing may be held."""
    channel = s.channels[ch]
    channel[SENT_BEFORE] += channel[HIGHEST]
    channel[SESSION] = session
    channel[EXPECTED] = 1
    channel[HIGHEST] = 0
    channel[SUSPECT] = 0
    channel[SESSIONS] += 1
    channel[HEARD_NS] = now_ns
    s.lost_sequence[ch, :] = 0


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
def give_up(s: Sequencer, ch: int) -> int:
    """Declare the oldest hole's missing messages lost, up to the next message that is here.

    The caller hands on what :func:`next_held` gives and calls this again until it returns 0, then stops doubting the channel
    if no hole is left.

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

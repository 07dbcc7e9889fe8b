"""Decide what becomes of each message: apply, hold, duplicate, late, foreign (wire.md, *Sequence, sessions, recovery*).

The caller asks :func:`arrive` about a message and does as told: on APPLY it hands the message on and then calls
:func:`applied`; on HOLD it calls :func:`hold`. After either, and on a timer, it hands on what :func:`next_held` gives.
A hole that has been open for too long is closed by :func:`libs.sequencing.holes.give_up`.
"""

from __future__ import annotations

import numpy as np

from libs.jit import kernel
from libs.memory import copy_bytes
from libs.sequencing.holes import announce, fill, open_hole
from libs.sequencing.state import (
    BEFORE_JOIN,
    DUPLICATE,
    EXPECTED,
    FAR_AHEAD,
    FARTHEST_AHEAD,
    FOREIGN_SESSION,
    HEARD_NS,
    HELD,
    HIGHEST,
    HIGHEST_SENT_US,
    HOLD_BYTES,
    HOLD_MESSAGES,
    JOINED,
    JOINED_AT,
    JOINED_SENT_US,
    LATE,
    LATEST_SENT_US,
    LOST_MEMORY,
    RECEIVED,
    RELEASED,
    SESSION,
    SESSIONS,
    UNNAMED,
    Sequencer,
)

APPLY = 0
HOLD = 1
DUPLICATED = 2
CAME_LATE = 3
FOREIGN = 4
HOLD_FULL = 5
UNBELIEVABLE = 6
WITHOUT_NAME = 7

UNHEARD_US = 100_000
"""Heartbeats come at least so often, and three before a session's first message: what is sent later than this after the
last that was heard may be another session's."""

BACKWARD_US = 50_000
"""Header times rise with sequences. What is stamped by more than this before a lower sequence is another session's,
whose clock was set back. (Of a session that no heartbeat has named: anything earlier.)"""


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
        APPLY, HOLD, DUPLICATED, CAME_LATE, FOREIGN, UNBELIEVABLE (its sequence cannot be), WITHOUT_NAME (a heartbeat
        must say first whose it is; it is as if it had never been read), or HOLD_FULL: give up the first hole and ask
        again. APPLY and HOLD change nothing yet: a message that then finds no room is as if it had never been read.
    """
    channel = s.channels[ch]
    if channel[JOINED] == 0:
        channel[JOINED] = 1
        channel[EXPECTED] = sequence
        channel[JOINED_AT] = sequence
        channel[JOINED_SENT_US] = timestamp_us
        channel[LATEST_SENT_US] = timestamp_us
        channel[HIGHEST] = sequence - 1
        channel[BEFORE_JOIN] += sequence - 1
        channel[SESSIONS] += 1
    if timestamp_us < channel[SESSION] // 1000:
        channel[FOREIGN_SESSION] += 1
        return FOREIGN
    if timestamp_us - channel[LATEST_SENT_US] > UNHEARD_US:
        channel[UNNAMED] += 1
        return WITHOUT_NAME
    if sequence > channel[HIGHEST]:
        if timestamp_us < channel[HIGHEST_SENT_US] - (BACKWARD_US if channel[SESSION] else 0):
            channel[UNNAMED] += 1
            return WITHOUT_NAME
        channel[HIGHEST_SENT_US] = timestamp_us
    channel[LATEST_SENT_US] = max(channel[LATEST_SENT_US], timestamp_us)
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
    if sequence - expected > FARTHEST_AHEAD:
        channel[FAR_AHEAD] += 1
        return UNBELIEVABLE
    if sequence - expected >= HOLD_MESSAGES:
        announce(s, ch, sequence - 1, now_ns)
        return HOLD_FULL
    if s.hold_sequence[ch, sequence & (HOLD_MESSAGES - 1)] == sequence:
        channel[RECEIVED] += 1
        channel[DUPLICATE] += 1
        return DUPLICATED
    return HOLD


@kernel
def applied(s: Sequencer, ch: int, sequence: int, now_ns: int, source: int) -> int:
    """Note that the expected message was handed on; return the ns that a hole it closed had been open, else -1.

    ``source``: LINE or RECOVERY of libs.sequencing.holes.
    """
    channel = s.channels[ch]
    channel[RECEIVED] += 1
    channel[RELEASED] += 1
    channel[EXPECTED] = sequence + 1
    if sequence > channel[HIGHEST]:
        channel[HIGHEST] = sequence
        return -1
    return fill(s, ch, sequence, now_ns, source)


@kernel
def hold(
    s: Sequencer,
    ch: int,
    sequence: int,
    buf: np.ndarray,
    start: int,
    length: int,
    recv_ns: int,
    now_ns: int,
    source: int,
) -> int:
    """Keep a message that came before an earlier one.

    Parameters
    ----------
    buf : uint8[:]
        The datagram; the message is ``buf[start:start + length]``, ``length`` at most HOLD_BYTES.
    recv_ns : int
        Its kernel receive time.
    source : int
        LINE or RECOVERY of libs.sequencing.holes.

    Returns
    -------
    int
        As :func:`applied`.
    """
    channel = s.channels[ch]
    place = sequence & (HOLD_MESSAGES - 1)
    at = (ch * HOLD_MESSAGES + place) * HOLD_BYTES
    copy_bytes(s.hold_bytes, at, buf, start, length)
    s.hold_sequence[ch, place] = sequence
    s.hold_length[ch, place] = length
    s.hold_recv_ns[ch, place] = recv_ns
    channel[RECEIVED] += 1
    channel[HELD] += 1
    highest = channel[HIGHEST]
    if sequence <= highest:
        return fill(s, ch, sequence, now_ns, source)
    if sequence > highest + 1:
        open_hole(s, ch, highest + 1, sequence - 1, now_ns)
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

"""Sessions of a channel: heartbeats announce them, and what they have sent so far (wire.md, *Sessions*)."""

from __future__ import annotations

import numpy as np

from libs.jit import kernel
from libs.sequencing.holes import announce
from libs.sequencing.state import (
    BACK_HIGHEST,
    BACK_SINCE_NS,
    BEFORE_JOIN,
    EXPECTED,
    FAR_AHEAD,
    FARTHEST_AHEAD,
    FOREIGN_SESSION,
    HEARD_NS,
    HEARTBEATS,
    HIGHEST,
    HIGHEST_SENT_US,
    JOINED,
    JOINED_AT,
    JOINED_SENT_US,
    LATEST_SENT_US,
    SENT_BEFORE,
    SEQUENCE_BACK,
    SESSION,
    SESSIONS,
    SUSPECT,
    UNNAMED,
    Sequencer,
)

SAME_SESSION = 0
JOINED_SESSION = 1
NEW_SESSION = 2
FOREIGN_HEARTBEAT = 3

BACK_NS = 1_000_000_000
"""When heartbeats of the session have announced less than was seen for this long, and nothing new came meanwhile, the
sender has begun again under its old session number."""
SILENCE_NS = 300_000_000
"""A smaller session is believed only after the current one has been silent for this long."""


@kernel
def _join_at(channel: np.ndarray, next_sequence: int) -> None:
    channel[EXPECTED] = next_sequence
    channel[JOINED_AT] = next_sequence
    channel[HIGHEST] = next_sequence - 1
    channel[BEFORE_JOIN] += next_sequence - 1


@kernel
def heartbeat(s: Sequencer, ch: int, session: int, next_sequence: int, now_ns: int) -> int:
    """Take in a heartbeat.

    Returns
    -------
    int
        SAME_SESSION; JOINED_SESSION (the first that this receiver hears of); NEW_SESSION: give up holes and hand on
        what is held until no hole is open, then call :func:`reset`, then this again; FOREIGN_HEARTBEAT, also for a
        next sequence that cannot be.
    """
    channel = s.channels[ch]
    if channel[JOINED] == 0:
        channel[JOINED] = 1
        channel[SESSION] = session
        _join_at(channel, next_sequence)
        channel[SESSIONS] += 1
        channel[HEARD_NS] = now_ns
        channel[HEARTBEATS] += 1
        return JOINED_SESSION
    known = channel[SESSION]
    if known == 0 and (
        next_sequence < channel[EXPECTED] or channel[JOINED_SENT_US] < session // 1000 or channel[UNNAMED] > 0
    ):
        # What was joined is ahead of the first session heard of, or older, or what followed may have been another's:
        # it is not this session's. (Or it is; then little is lost so early.)
        return NEW_SESSION
    if known == 0:
        channel[SESSION] = session
    elif session > known or (session < known and now_ns - channel[HEARD_NS] > SILENCE_NS):
        return NEW_SESSION
    elif session < known:
        channel[FOREIGN_SESSION] += 1
        return FOREIGN_HEARTBEAT
    if next_sequence - channel[EXPECTED] > FARTHEST_AHEAD:
        channel[FAR_AHEAD] += 1
        return FOREIGN_HEARTBEAT
    channel[HEARD_NS] = now_ns
    channel[HEARTBEATS] += 1
    if next_sequence - 1 >= channel[HIGHEST]:
        channel[BACK_SINCE_NS] = 0
    else:
        channel[SEQUENCE_BACK] += 1
        if channel[BACK_SINCE_NS] == 0 or channel[BACK_HIGHEST] != channel[HIGHEST]:
            channel[BACK_SINCE_NS] = now_ns
            channel[BACK_HIGHEST] = channel[HIGHEST]
        elif now_ns - channel[BACK_SINCE_NS] > BACK_NS:
            return NEW_SESSION
    announce(s, ch, next_sequence - 1, now_ns)
    return SAME_SESSION if known else JOINED_SESSION


@kernel
def name_until(s: Sequencer, ch: int, sent_us: int) -> None:
    """Note that the session spoke at a header time (a heartbeat's): messages soon after it are its own."""
    s.channels[ch, LATEST_SENT_US] = max(s.channels[ch, LATEST_SENT_US], sent_us)
    s.channels[ch, HIGHEST_SENT_US] = 0


@kernel
def reset(s: Sequencer, ch: int, session: int, next_sequence: int, now_ns: int) -> None:
    """Close the channel's ledger and begin a session at sequence 1; nothing may be held.

    A sender that begins again under the same number is joined where it is: what came before cannot be told from what it
    had sent the first time. So is one that is heard of for the first time, after messages that are not its own.
    """
    channel = s.channels[ch]
    channel[SENT_BEFORE] += channel[HIGHEST]
    _join_at(channel, next_sequence if channel[SESSION] in (0, session) else 1)
    channel[SESSION] = session
    channel[BACK_SINCE_NS] = 0
    channel[LATEST_SENT_US] = 0
    channel[HIGHEST_SENT_US] = 0
    channel[SUSPECT] = 0
    channel[SESSIONS] += 1
    channel[HEARD_NS] = now_ns
    s.lost_sequence[ch, :] = 0

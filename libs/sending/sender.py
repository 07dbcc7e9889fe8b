"""The sending thread: plays the outbox at its pace, numbers and stamps, keeps heartbeats going. One kernel, no GIL.

Open loop: a message's timestamp is when it was to be sent; a late sender shows as latency, never as a lower rate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from libs.jit import kernel
from libs.libc import CLOCK_REALTIME, now_ns
from libs.memory import copy_bytes, load_acquire, store_i64, store_release
from libs.recovery.history import History, begin, remember
from libs.sending.outbox import (
    AT,
    COUNTS,
    END,
    ENDED,
    FEED_US,
    FREE,
    LENGTH,
    READY,
    SLOTS,
    SRC,
    STATES,
    UPDATES,
    Outbox,
)
from libs.sending.pace import (
    ACTIVE,
    BEAT_NS,
    BUSY,
    COMMAND,
    DONE,
    FEED,
    GROUP_NS,
    LIVE,
    NEXT_BEAT,
    NEXT_SEQUENCE,
    OPEN,
    PAUSE,
    PAUSED,
    SESSION_MONO,
    SESSION_NS,
    STARVED,
    STOP,
    TRADES_SENT,
    UPDATES_SENT,
    due_ns,
    now,
    rebase,
    set_origin,
    sleep_until,
    take_new_pace,
    wall_us,
)
from libs.sending.transmit import CHANNEL, CHANNELS, HEARTBEATS, MAX_DATAGRAMS, MESSAGES, Lines, transmit
from libs.sending.transmit import LENGTH as OPEN_LENGTH
from libs.telemetry.hdr_kernels import record
from libs.wire.encoders import put_header, put_heartbeat, put_status
from libs.wire.layout import TYPE_HEARTBEAT, TYPE_STATUS, TYPE_TRADE

_SEQUENCE_OFF, _TIMESTAMP_OFF, _EXCHANGE_OFF, _TYPE_OFF = 4, 12, 20, 21
_SESSION_END = 5
_BEATS = 3
_MAX_GROUP = 512
_NAP_NS = 5_000_000
_STARVED_NAP_NS = 200_000


class Sender(NamedTuple):
    """Everything that the sending thread reads and writes besides the outbox; words are named in pace.py."""

    lines: Lines
    control: np.ndarray
    """int64[8]"""
    pace: np.ndarray
    """float64[2]"""
    state: np.ndarray
    """int64[64]"""
    late: np.ndarray
    """int64[1, hdr.ROW]: actual minus scheduled send"""
    scratch: np.ndarray
    """int64[4]"""
    history: History


def new_sender(
    lines: Lines, channels: list[int], ns_per_unit: float, late: np.ndarray, history: History,
    *, busy: bool = False, live: bool = False,
) -> Sender:  # fmt: skip
    """Return a sender that has not begun.

    Parameters
    ----------
    lines : Lines
    channels : list of int
        Exchange ids that speak.
    ns_per_unit : float
        Pace: nanoseconds a unit of source time.
    late : int64[1, hdr.ROW]
        Histogram of how late messages went out.
    history : History
        Gets every message that takes a sequence, as it goes out.
    busy, live : bool
        Spin instead of sleeping; source time is CLOCK_MONOTONIC.
    """
    control, state = np.zeros(8, np.int64), np.zeros(64, np.int64)
    control[BUSY], control[LIVE], control[BEAT_NS], control[GROUP_NS] = busy, live, 100_000_000, 50_000
    state[NEXT_SEQUENCE : NEXT_SEQUENCE + CHANNELS] = 1
    for channel in channels:
        state[ACTIVE + channel] = 1
    return Sender(lines, control, np.full(2, ns_per_unit), state, late, np.zeros(4, np.int64), history)


@kernel
def _speak(s: Sender, scheduled: int, kind: int) -> None:
    """Send a heartbeat, or the session's end, on every channel and line."""
    x, state, d = s.lines, s.state, 0
    stride = len(x.data) // MAX_DATAGRAMS
    for channel in range(CHANNELS):
        if state[ACTIVE + channel] == 0:
            continue
        sequence = state[NEXT_SEQUENCE + channel]
        body = put_header(x.data, d * stride, sequence, wall_us(state, scheduled), channel, kind, x.data, 0, 0)
        if kind == TYPE_HEARTBEAT:
            end = put_heartbeat(x.data, body, state[SESSION_NS], sequence, state[FEED])
            x.stats[channel, HEARTBEATS] += 1
        else:
            end = put_status(x.data, body, _SESSION_END, x.data, 0)
            remember(s.history, channel, sequence, x.data, d * stride, end - d * stride)
            x.stats[channel, MESSAGES] += 1
            state[NEXT_SEQUENCE + channel] += 1
        x.open[d, OPEN_LENGTH], x.open[d, CHANNEL] = end - d * stride, channel
        d += 1
    transmit(x, d)


@kernel
def _beat_if_due(s: Sender, moment: int) -> None:
    state = s.state
    if moment < state[NEXT_BEAT]:
        return
    at = moment - (moment - state[NEXT_BEAT]) % s.control[BEAT_NS]  # after a stall: one for all that are overdue
    _speak(s, at, TYPE_HEARTBEAT)
    state[NEXT_BEAT] = at + s.control[BEAT_NS]


@kernel
def _nap(s: Sender, until: int, longest: int) -> None:
    """Sleep, waking for heartbeats and often enough to notice a command."""
    moment = now(s.scratch)
    _beat_if_due(s, moment)
    sleep_until(s.control, s.scratch, min(until, moment + longest, s.state[NEXT_BEAT]))


@kernel
def _hold_in_pause(s: Sender) -> None:
    """Keep only heartbeats going while the command says so."""
    rebase(s.state, s.pace, now(s.scratch))
    s.state[PAUSED] = 1
    while load_acquire(s.control, COMMAND) == PAUSE:
        _nap(s, s.state[NEXT_BEAT], _NAP_NS)
    rebase(s.state, s.pace, now(s.scratch))
    s.state[PAUSED] = 0


@kernel
def _group_end(s: Sender, messages: np.ndarray, slot: int, first: int, count: int) -> int:
    """Return the end of what goes out together: due within GROUP_NS of the first, or overdue anyhow."""
    horizon = max(due_ns(s.state, s.pace, messages[slot, first, SRC]) + s.control[GROUP_NS], now(s.scratch))
    end, limit = first + 1, min(count, first + _MAX_GROUP)
    while end < limit and due_ns(s.state, s.pace, messages[slot, end, SRC]) <= horizon:
        end += 1
    return end


@kernel
def _put(s: Sender, data: np.ndarray, row: np.ndarray, d: int, due: int) -> None:
    """Append a message to an open datagram, numbered and stamped, and remember it as it is then."""
    x, state = s.lines, s.state
    at, length, channel = row[AT], row[LENGTH], x.open[d, CHANNEL]
    to = d * (len(x.data) // MAX_DATAGRAMS) + x.open[d, OPEN_LENGTH]
    copy_bytes(x.data, to, data, at, length)
    store_i64(x.data, to + _SEQUENCE_OFF, state[NEXT_SEQUENCE + channel])
    store_i64(x.data, to + _TIMESTAMP_OFF, wall_us(state, due))
    remember(s.history, channel, state[NEXT_SEQUENCE + channel], x.data, to, length)
    x.open[d, OPEN_LENGTH] += length
    x.stats[channel, MESSAGES] += 1
    state[NEXT_SEQUENCE + channel] += 1
    state[FEED] = max(state[FEED], row[FEED_US])
    state[UPDATES_SENT] += row[UPDATES]
    state[TRADES_SENT] += 1 if data[at + _TYPE_OFF] == TYPE_TRADE else 0


@kernel
def _pack(s: Sender, o: Outbox, slot: int, first: int, end: int) -> int:
    """Send messages, a channel a datagram; returns the first that found no room."""
    x, state = s.lines, s.state
    stride, datagrams, k = len(x.data) // MAX_DATAGRAMS, 0, first
    state[OPEN : OPEN + CHANNELS] = -1
    while k < end:
        row = o.messages[slot, k]
        channel = int(o.data[row[AT] + _EXCHANGE_OFF])
        d = state[OPEN + channel]
        if d < 0 or x.open[d, OPEN_LENGTH] + row[LENGTH] > stride:
            if datagrams == MAX_DATAGRAMS:
                break
            d = datagrams
            datagrams += 1
            state[OPEN + channel] = d
            x.open[d, OPEN_LENGTH], x.open[d, CHANNEL] = 0, channel
        _put(s, o.data, row, d, due_ns(state, s.pace, row[SRC]))
        k += 1
    moment = now(s.scratch)
    for sent in range(first, k):
        record(s.late, 0, moment - due_ns(state, s.pace, o.messages[slot, sent, SRC]))
    transmit(x, datagrams)
    return k


@kernel
def _play_slot(s: Sender, o: Outbox, slot: int) -> bool:
    """Send one batch; False when the end was asked for. An event that has begun is sent whole."""
    k, count = 0, o.control[COUNTS + slot]
    while k < count:
        between = k == 0 or o.messages[slot, k - 1, END] == 1
        take_new_pace(s.state, s.pace, s.control, s.scratch)
        command = load_acquire(s.control, COMMAND)
        if between and command == PAUSE:
            _hold_in_pause(s)
            continue
        if between and command == STOP:
            return False
        end = _group_end(s, o.messages, slot, k, count)
        due = due_ns(s.state, s.pace, o.messages[slot, end - 1, SRC])
        if command != STOP and now(s.scratch) < due:
            # A nap may end early, for a heartbeat or to look at the controls: then look again.
            _nap(s, due, _NAP_NS)
            if now(s.scratch) < due:
                continue
        _beat_if_due(s, due)  # receivers trust no message that a heartbeat should have come before
        k = _pack(s, o, slot, k, end)
        _beat_if_due(s, now(s.scratch))
    return True


@kernel
def _begin(s: Sender) -> None:
    """Fix the session's clocks, then three heartbeats in the 100 ms before sequence 1."""
    state = s.state
    state[SESSION_NS] = now_ns(s.scratch, CLOCK_REALTIME)
    begin(s.history, state[SESSION_NS])
    start = now(s.scratch)
    state[SESSION_MONO] = start
    for k in range(_BEATS):
        at = start + k * s.control[BEAT_NS] // _BEATS
        sleep_until(s.control, s.scratch, at)
        _speak(s, at, TYPE_HEARTBEAT)
    state[NEXT_BEAT] = start + s.control[BEAT_NS]
    sleep_until(s.control, s.scratch, state[NEXT_BEAT])


@kernel
def _finish(s: Sender) -> None:
    """Status 5 on every channel, then three heartbeats in 100 ms."""
    transmit(s.lines, 0)
    start = now(s.scratch)
    _speak(s, start, TYPE_STATUS)
    for k in range(1, _BEATS + 1):
        at = start + k * s.control[BEAT_NS] // _BEATS
        sleep_until(s.control, s.scratch, at)
        _speak(s, at, TYPE_HEARTBEAT)
    transmit(s.lines, 0)


@kernel
def run(s: Sender, o: Outbox) -> int:
    """Play the outbox until it ends or STOP is commanded; return the messages sent. Blocks without the GIL."""
    _begin(s)
    slot, first = 0, True
    while load_acquire(s.control, COMMAND) != STOP:
        if load_acquire(o.control, STATES + slot) != READY:
            if load_acquire(o.control, ENDED) == 1 and load_acquire(o.control, STATES + slot) != READY:
                break
            s.state[STARVED] += 0 if first else 1
            _nap(s, s.state[NEXT_BEAT], _STARVED_NAP_NS)
            continue
        if first:
            set_origin(s.state, s.control, s.scratch, o.messages[slot, 0, SRC])
            first = False
        if not _play_slot(s, o, slot):
            break
        store_release(o.control, STATES + slot, FREE)
        slot = (slot + 1) % SLOTS
    _finish(s)
    store_release(s.state, DONE, 1)
    return s.lines.stats[:, MESSAGES].sum()

"""The sending thread: plays the outbox at its pace, numbers and stamps, keeps heartbeats going. One kernel, no GIL.

Open loop: a message's timestamp is when it was to be sent; a late sender shows as latency, never as a lower rate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from libs.jit import kernel
from libs.libc import CLOCK_MONOTONIC, CLOCK_REALTIME, clock_nanosleep, now_ns
from libs.memory import address_of, load_acquire, store_i64, store_release
from libs.telemetry.hdr_kernels import record
from libs.wire.kernels import put_header, put_heartbeat, put_status
from libs.wire.layout import TYPE_HEARTBEAT, TYPE_STATUS, TYPE_TRADE
from services.replay.outbox import AT, END, ENDED, FEED_US, FREE, LENGTH, READY, SRC, UPDATES, Outbox
from services.replay.transmit import (
    CHANNELS,
    HEARTBEATS,
    MAX_DATAGRAMS,
    MESSAGES,
    Lines,
    flush_held,
    transmit,
)

RUN, PAUSE, STOP = 0, 1, 2
"""Commands."""

COMMAND, PACE_VERSION, BUSY, BEAT_NS, GROUP_NS = range(5)
"""Words of ``control``, written by Python. PACE_VERSION goes up when ``pace_wanted`` changes."""

(
    SESSION_NS,
    SESSION_MONO,
    BASE_SRC,
    BASE_DUE,
    PACE_SEEN,
    NEXT_BEAT,
    FEED,
    SLOT,
    PAUSED,
    DONE,
    SOURCE_NOW,
    STARVED,
    UPDATES_SENT,
    TRADES_SENT,
) = range(14)
"""Words of ``state``, written by the kernel. FEED: the watermark. STARVED: naps for want of a batch."""

_SEQUENCE_OFF, _TIMESTAMP_OFF, _EXCHANGE_OFF, _TYPE_OFF = 4, 12, 20, 21
_SESSION_END = 5
_FINAL_BEATS = 3
_FINAL_SPAN_NS = 100_000_000
_MAX_GROUP = 512
_TIMER_ABSTIME = 1
_NAP_NS = 5_000_000
_STARVED_NAP_NS = 200_000


class Sender(NamedTuple):
    """Everything that the sending thread reads and writes besides the outbox."""

    lines: Lines
    control: np.ndarray
    """int64[8]"""
    pace_wanted: np.ndarray
    """float64[1]: ns a unit of source time"""
    pace: np.ndarray
    """float64[1]: the one in force"""
    state: np.ndarray
    """int64[16]"""
    next_sequence: np.ndarray
    """int64[CHANNELS]"""
    active: np.ndarray
    """int64[CHANNELS]: 1 for a channel that has heartbeats"""
    late: np.ndarray
    """int64[1, hdr.ROW]: actual minus scheduled send"""
    open: np.ndarray
    """int64[CHANNELS]: open datagram, -1 none"""
    scratch: np.ndarray
    """int64[4]"""
    nothing: np.ndarray
    """uint8[1]: an empty symbol or text"""


def new_sender(
    lines: Lines, channels: list[int], ns_per_unit: float, late: np.ndarray, *, busy: bool = False
) -> Sender:
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
    busy : bool
        Spin instead of sleeping.
    """
    active = np.zeros(CHANNELS, np.int64)
    active[channels] = 1
    control = np.zeros(8, np.int64)
    control[BUSY], control[BEAT_NS], control[GROUP_NS] = busy, 100_000_000, 50_000
    return Sender(
        lines,
        control,
        np.array([ns_per_unit]),
        np.array([ns_per_unit]),
        np.zeros(16, np.int64),
        np.ones(CHANNELS, np.int64),
        active,
        late,
        np.full(CHANNELS, -1, np.int64),
        np.zeros(4, np.int64),
        np.zeros(1, np.uint8),
    )


@kernel
def _now(s: Sender) -> int:
    return now_ns(s.scratch, CLOCK_MONOTONIC)


@kernel
def _wall_us(s: Sender, mono_ns: int) -> int:
    """Return a moment of the monotonic clock on the session's wall clock, which nobody steps."""
    return (s.state[SESSION_NS] + (mono_ns - s.state[SESSION_MONO])) // 1000


@kernel
def _due(s: Sender, src: int) -> int:
    return s.state[BASE_DUE] + int((src - s.state[BASE_SRC]) * s.pace[0])


@kernel
def _sleep_until(s: Sender, target: int) -> None:
    if s.control[BUSY] != 0:
        while _now(s) < target:
            pass
        return
    s.scratch[2], s.scratch[3] = target // 1_000_000_000, target % 1_000_000_000
    clock_nanosleep(CLOCK_MONOTONIC, _TIMER_ABSTIME, address_of(s.scratch, 2), 0)


@kernel
def _beat(s: Sender, scheduled: int) -> None:
    """Send every channel's heartbeat on every line."""
    x = s.lines
    d = 0
    for channel in range(CHANNELS):
        if s.active[channel] == 0:
            continue
        sequence = s.next_sequence[channel]
        body = put_header(x.data[d], 0, sequence, _wall_us(s, scheduled), channel, TYPE_HEARTBEAT, s.nothing, 0, 0)
        x.lengths[d] = put_heartbeat(x.data[d], body, s.state[SESSION_NS], sequence, s.state[FEED])
        x.channels[d] = channel
        x.stats[channel, HEARTBEATS] += 1
        d += 1
    transmit(x, d)


@kernel
def _beat_if_due(s: Sender, now: int) -> None:
    if now < s.state[NEXT_BEAT]:
        return
    _beat(s, s.state[NEXT_BEAT])
    s.state[NEXT_BEAT] += s.control[BEAT_NS]
    if s.state[NEXT_BEAT] < now:
        s.state[NEXT_BEAT] = now + s.control[BEAT_NS]


@kernel
def _nap(s: Sender, until: int, longest: int) -> None:
    """Sleep, waking for heartbeats and often enough to notice a command."""
    now = _now(s)
    _beat_if_due(s, now)
    _sleep_until(s, min(until, now + longest, s.state[NEXT_BEAT]))


@kernel
def _rebase(s: Sender) -> None:
    """Make the present moment the origin of the pace. Source time stands still in a pause; what is late stays late."""
    now = _now(s)
    if s.state[PAUSED] == 0:
        s.state[BASE_SRC] += int((now - s.state[BASE_DUE]) / s.pace[0])
    s.state[BASE_DUE] = now
    s.pace[0] = s.pace_wanted[0]


@kernel
def _obey(s: Sender) -> None:
    """Follow a new pace or a pause; returns when messages may flow again or the end is wanted."""
    version = load_acquire(s.control, PACE_VERSION)
    if version != s.state[PACE_SEEN]:
        s.state[PACE_SEEN] = version
        _rebase(s)
    if load_acquire(s.control, COMMAND) != PAUSE:
        return
    _rebase(s)
    s.state[PAUSED] = 1
    while load_acquire(s.control, COMMAND) == PAUSE:
        _nap(s, s.state[NEXT_BEAT], _NAP_NS)
    _rebase(s)
    s.state[PAUSED] = 0


@kernel
def _group_end(s: Sender, o: Outbox, slot: int, first: int) -> int:
    """Return the end of what goes out together: due within GROUP_NS of the first, or overdue anyhow."""
    horizon = max(_due(s, o.messages[slot, first, SRC]) + s.control[GROUP_NS], _now(s))
    end, n = first + 1, min(o.counts[slot], first + _MAX_GROUP)
    while end < n and _due(s, o.messages[slot, end, SRC]) <= horizon:
        end += 1
    return end


@kernel
def _pack(s: Sender, o: Outbox, slot: int, first: int, end: int) -> int:
    """Copy messages into open datagrams, numbering and stamping them; returns the first that found no room."""
    x = s.lines
    s.open[:] = -1
    stride, datagrams = x.data.shape[1], 0
    k = first
    while k < end:
        row = o.messages[slot, k]
        at, length = row[AT], row[LENGTH]
        channel = np.int64(o.data[slot, at + _EXCHANGE_OFF])
        d = s.open[channel]
        if d < 0 or x.lengths[d] + length > stride:
            if datagrams == MAX_DATAGRAMS:
                break
            d = datagrams
            datagrams += 1
            s.open[channel] = d
            x.lengths[d], x.channels[d] = 0, channel
        start = x.lengths[d]
        x.data[d, start : start + length] = o.data[slot, at : at + length]
        store_i64(x.data[d], start + _SEQUENCE_OFF, s.next_sequence[channel])
        store_i64(x.data[d], start + _TIMESTAMP_OFF, _wall_us(s, _due(s, row[SRC])))
        x.lengths[d] = start + length
        s.next_sequence[channel] += 1
        x.stats[channel, MESSAGES] += 1
        s.state[FEED] = max(s.state[FEED], row[FEED_US])
        s.state[UPDATES_SENT] += row[UPDATES]
        s.state[TRADES_SENT] += 1 if o.data[slot, at + _TYPE_OFF] == TYPE_TRADE else 0
        k += 1
    now = _now(s)
    for sent in range(first, k):
        record(s.late, 0, now - _due(s, o.messages[slot, sent, SRC]))
    transmit(x, datagrams)
    return k


@kernel
def _play_slot(s: Sender, o: Outbox, slot: int) -> bool:
    """Send one batch; False when the end was asked for. An event that has begun is sent whole."""
    k, n = 0, o.counts[slot]
    while k < n:
        between = k == 0 or o.messages[slot, k - 1, END] == 1
        if between:
            _obey(s)
        stopping = load_acquire(s.control, COMMAND) == STOP
        if stopping and between:
            return False
        end = _group_end(s, o, slot, k)
        due = _due(s, o.messages[slot, end - 1, SRC])
        if not stopping and _now(s) < due:
            # A nap may end early, for a heartbeat or to look at the controls: then look again.
            _nap(s, due, _NAP_NS)
            if _now(s) < due:
                continue
        k = _pack(s, o, slot, k, end)
        s.state[SOURCE_NOW] = o.messages[slot, k - 1, SRC]
        _beat_if_due(s, _now(s))
    return True


@kernel
def _begin(s: Sender) -> None:
    """Fix the session's clocks, then three heartbeats in the 100 ms before sequence 1."""
    s.state[SESSION_NS] = now_ns(s.scratch, CLOCK_REALTIME)
    s.state[SESSION_MONO] = _now(s)
    start = s.state[SESSION_MONO]
    for k in range(_FINAL_BEATS):
        _sleep_until(s, start + k * _FINAL_SPAN_NS // _FINAL_BEATS)
        _beat(s, start + k * _FINAL_SPAN_NS // _FINAL_BEATS)
    _sleep_until(s, start + _FINAL_SPAN_NS)
    s.state[BASE_DUE] = start + _FINAL_SPAN_NS
    s.state[NEXT_BEAT] = s.state[BASE_DUE]


@kernel
def _finish(s: Sender) -> None:
    """Status 5 on every channel, then three heartbeats in 100 ms."""
    x = s.lines
    flush_held(x)
    now = _now(s)
    d = 0
    for channel in range(CHANNELS):
        if s.active[channel] == 0:
            continue
        sequence = s.next_sequence[channel]
        body = put_header(x.data[d], 0, sequence, _wall_us(s, now), channel, TYPE_STATUS, s.nothing, 0, 0)
        x.lengths[d] = put_status(x.data[d], body, _SESSION_END, s.nothing, 0)
        x.channels[d] = channel
        s.next_sequence[channel] += 1
        x.stats[channel, MESSAGES] += 1
        d += 1
    transmit(x, d)
    for k in range(1, _FINAL_BEATS + 1):
        at = now + k * _FINAL_SPAN_NS // _FINAL_BEATS
        _sleep_until(s, at)
        _beat(s, at)
    flush_held(x)


@kernel
def run(s: Sender, o: Outbox) -> int:
    """Play the outbox until it ends or STOP is commanded; return the messages sent. Blocks without the GIL."""
    _begin(s)
    slot, first = 0, True
    while load_acquire(s.control, COMMAND) != STOP:
        if load_acquire(o.state, slot) != READY:
            if load_acquire(o.flags, ENDED) == 1 and load_acquire(o.state, slot) != READY:
                break
            s.state[STARVED] += 0 if first else 1
            _nap(s, s.state[NEXT_BEAT], _STARVED_NAP_NS)
            continue
        if first:
            s.state[BASE_SRC] = o.messages[slot, 0, SRC]
            s.state[BASE_DUE] = max(_now(s), s.state[BASE_DUE])
            first = False
        if not _play_slot(s, o, slot):
            break
        store_release(o.state, slot, FREE)
        slot = (slot + 1) % len(o.state)
        s.state[SLOT] += 1
    _finish(s)
    store_release(s.state, DONE, 1)
    return s.lines.stats[:, MESSAGES].sum()

"""One datagram: walk it, put each message in its place in the channel, push what is next to the ring. Sans-I/O.

Live receiving, recovery, replay, simulation and fuzzing all come through :func:`take_datagram`.
"""

from __future__ import annotations

import numpy as np

from libs.engine.directory import (
    RECEIVE_COUNTS,
    RECEIVE_HEADER,
    RECEIVE_ROWS,
    RECEIVE_SCRATCH,
    RECEIVE_SETTINGS,
    sequencer_of,
)
from libs.engine.heartbeats import take_heartbeat
from libs.engine.held import give_up_oldest, release_held
from libs.engine.shares import hand_on
from libs.engine.slots import HEARTBEAT
from libs.engine.words import (
    HOLD_OVERFLOW,
    MALFORMED,
    OTHER_CHANNEL,
    OTHER_CHANNELS,
    ROW_HEAL,
    ROW_WIRE,
    SOURCE,
    UNBELIEVABLE,
)
from libs.jit import kernel
from libs.memory import words1, words2
from libs.sequencing import holes as gaps
from libs.sequencing import kernels as seq
from libs.sequencing import state as columns
from libs.telemetry.hdr_kernels import record
from libs.wire import kernels as wire


@kernel
def _take_message(r: np.ndarray, code: int, buf: np.ndarray, start: int, recv_ns: int, mono_ns: int) -> None:
    s = sequencer_of(r)
    m = words1(r, RECEIVE_HEADER)
    ch = m[wire.EXCHANGE]
    sequence = m[wire.SEQUENCE]
    timestamp_us = m[wire.TIMESTAMP_US]
    source = words1(r, RECEIVE_SCRATCH)[SOURCE]
    if source == gaps.LINE:
        record(words2(r, RECEIVE_ROWS), ROW_WIRE, recv_ns - timestamp_us * 1000)
    if code == wire.OK and m[wire.TYPE] == HEARTBEAT:
        take_heartbeat(r, ch, recv_ns, mono_ns, buf)
        return
    length = m[wire.NEXT_OFF] - start
    for _ in range(2 * columns.MAX_HOLES):
        verdict = seq.arrive(s, ch, sequence, timestamp_us, mono_ns)
        if verdict == seq.HOLD and length > columns.HOLD_BYTES:
            words1(r, RECEIVE_COUNTS)[HOLD_OVERFLOW] += 1
            verdict = seq.HOLD_FULL
            gaps.announce(s, ch, sequence - 1, mono_ns)
        if verdict != seq.HOLD_FULL:
            break
        if not give_up_oldest(r, ch):
            return
        # Releasing what was held decoded it into m.
        wire.next_message(buf, start, start + length, m)
    if verdict == seq.APPLY:
        if hand_on(r, ch, code, buf, m, recv_ns):
            open_ns = seq.applied(s, ch, sequence, mono_ns, source)
            if open_ns >= 0:
                record(words2(r, RECEIVE_ROWS), ROW_HEAL, open_ns)
            if s.channels[ch, columns.HELD] > 0:
                release_held(r, ch)
    elif verdict == seq.UNBELIEVABLE:
        words1(r, RECEIVE_COUNTS)[UNBELIEVABLE] += 1
    elif verdict == seq.HOLD:
        open_ns = seq.hold(s, ch, sequence, buf, start, length, recv_ns, mono_ns, source)
        if open_ns >= 0:
            record(words2(r, RECEIVE_ROWS), ROW_HEAL, open_ns)


@kernel
def take_datagram(r: np.ndarray, buf: np.ndarray, start: int, length: int, recv_ns: int, mono_ns: int) -> None:
    """Take in one binary datagram.

    Parameters
    ----------
    r : int64[n, 4]
        libs.engine.directory.
    buf : uint8[:]
        The datagram is ``buf[start:start + length]``.
    recv_ns, mono_ns : int
        Kernel receive time (CLOCK_REALTIME), and now (CLOCK_MONOTONIC).
    """
    others = words1(r, RECEIVE_SETTINGS)[OTHER_CHANNELS]
    off = start
    end = start + length
    while True:
        code = wire.next_message(buf, off, end, words1(r, RECEIVE_HEADER))
        if code in (wire.END, wire.PADDING):
            return
        if code not in (wire.OK, wire.UNKNOWN_TYPE):
            words1(r, RECEIVE_COUNTS)[MALFORMED + code] += 1
            return
        following = words1(r, RECEIVE_HEADER)[wire.NEXT_OFF]
        if code == wire.UNKNOWN_TYPE:
            # Its length is not known, so the walk ends; it takes its sequence all the same.
            words1(r, RECEIVE_HEADER)[wire.NEXT_OFF] = min(end, off + columns.HOLD_BYTES)
        if others != 0 and others >> words1(r, RECEIVE_HEADER)[wire.EXCHANGE] & 1 != 0:
            words1(r, RECEIVE_COUNTS)[OTHER_CHANNEL] += 1
        else:
            _take_message(r, code, buf, off, recv_ns, mono_ns)
        if code == wire.UNKNOWN_TYPE:
            return
        off = following

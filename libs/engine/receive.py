"""The receive thread: drain the sockets, walk the datagrams, put each channel in order, push to the rings.

:func:`take_datagram` is sans-I/O and is what replay, simulation and fuzzing call too; :func:`receive_loop` adds the
sockets and the clock.
"""

from __future__ import annotations

import numpy as np

from libs.engine.directory import (
    RECEIVE_ALLOWED,
    RECEIVE_BODY,
    RECEIVE_COUNTS,
    RECEIVE_HEADER,
    RECEIVE_ROWS,
    RECEIVE_SCRATCH,
    RECEIVE_SETTINGS,
    WAKE,
    ring_of,
    sequencer_of,
    table_of,
)
from libs.engine.heartbeats import take_heartbeat
from libs.engine.held import give_up_oldest, release_held
from libs.engine.push import push_message, put_control
from libs.engine.slots import HEARTBEAT, SUSPECT
from libs.jit import kernel
from libs.libc import CLOCK_MONOTONIC, CLOCK_REALTIME, c_write, now_ns
from libs.memory import address_of, load_acquire, words1, words2
from libs.multicast.receiver import ReceiveBatch, receive
from libs.multicast.waiting import wait_readable
from libs.ring.kernels import is_sleeping
from libs.sequencing import holes as gaps
from libs.sequencing import kernels as seq
from libs.sequencing import state as columns
from libs.sequencing.state import CHANNELS
from libs.telemetry.hdr_kernels import record
from libs.wire import kernels as wire

# Words of ``receive_settings``.
GAP_TIMEOUT_NS = 0
HEAL_TIMEOUT_NS = 1
REORDER_WINDOW = 2
BUSY_POLL = 3
RECEIVE_SETTINGS_WORDS = 8

# Words of ``receive_counts``.
BYTES = 0  # by line
FOREIGN_SOURCE = 8
TEXT = 9
TOO_LONG = 10  # datagrams that the receive buffer cut
KERNEL_DROPS = 11  # by line: last SO_RXQ_OVFL
HOLD_OVERFLOW = 15
MALFORMED = 16  # by code of libs.wire.kernels: MALFORMED + code
DATAGRAMS = 64  # by line and channel: DATAGRAMS + 8 * line + channel; 7: not a known channel
COUNTS = 96

ROW_WIRE, ROW_HEAL = 0, 1


@kernel
def _take_message(r: np.ndarray, code: int, buf: np.ndarray, start: int, recv_ns: int, mono_ns: int) -> None:
    s = sequencer_of(r)
    m = words1(r, RECEIVE_HEADER)
    ch = m[wire.EXCHANGE]
    sequence = m[wire.SEQUENCE]
    timestamp_us = m[wire.TIMESTAMP_US]
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
        if push_message(ring_of(r, ch), table_of(r), code, buf, m, words1(r, RECEIVE_BODY), recv_ns):
            open_ns = seq.applied(s, ch, sequence, mono_ns)
            if open_ns >= 0:
                record(words2(r, RECEIVE_ROWS), ROW_HEAL, open_ns)
            if s.channels[ch, columns.HELD] > 0:
                release_held(r, ch)
    elif verdict == seq.HOLD:
        open_ns = seq.hold(s, ch, sequence, buf, start, length, recv_ns, mono_ns)
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
        _take_message(r, code, buf, off, recv_ns, mono_ns)
        if code == wire.UNKNOWN_TYPE:
            return
        off = following


@kernel
def run_timers(r: np.ndarray, mono_ns: int) -> None:
    """Doubt channels whose holes stay open, give up those open for too long, and hand on what waits."""
    s = sequencer_of(r)
    for ch in range(CHANNELS):
        c = s.channels[ch]
        if c[columns.N_HOLES] == 0 and c[columns.SUSPECT] == 0 and c[columns.HELD] == 0:
            continue
        release_held(r, ch)
        while gaps.hole_is_due(s, ch, mono_ns, words1(r, RECEIVE_SETTINGS)[HEAL_TIMEOUT_NS]):
            if not give_up_oldest(r, ch):
                break
        doubt = gaps.is_suspect(
            s, ch, mono_ns, words1(r, RECEIVE_SETTINGS)[GAP_TIMEOUT_NS], words1(r, RECEIVE_SETTINGS)[REORDER_WINDOW]
        )
        if doubt and c[columns.SUSPECT] == 0 and put_control(ring_of(r, ch), SUSPECT, ch, 1, 0):
            c[columns.SUSPECT] = 1
        if c[columns.N_HOLES] == 0 and c[columns.SUSPECT] == 1 and put_control(ring_of(r, ch), SUSPECT, ch, 0, 0):
            c[columns.SUSPECT] = 0


@kernel
def _is_allowed(allowed: np.ndarray, source: int) -> bool:
    if len(allowed) == 0:
        return True
    for i in range(len(allowed)):  # noqa: SIM110 - numba compiles no generator expressions
        if allowed[i] == source:
            return True
    return False


@kernel
def _wake_book_thread(r: np.ndarray, eventfd: int) -> None:
    if is_sleeping(words1(r, WAKE)):
        words1(r, RECEIVE_SCRATCH)[4] = 1
        c_write(eventfd, address_of(words1(r, RECEIVE_SCRATCH), 4), 8)


@kernel
def _take_batch(r: np.ndarray, batch: ReceiveBatch, n: int, line: int, text_fd: int, mono_ns: int) -> None:
    stride = len(batch.data) // len(batch.lengths)
    words1(r, RECEIVE_COUNTS)[KERNEL_DROPS + line] = batch.drops[0]
    for i in range(n):
        length = batch.lengths[i]
        exchange = batch.data[i * stride + 20] if length >= 24 else 7
        words1(r, RECEIVE_COUNTS)[DATAGRAMS + 8 * line + (exchange if exchange < CHANNELS else 7)] += 1
        words1(r, RECEIVE_COUNTS)[BYTES + line] += length
        if not _is_allowed(words1(r, RECEIVE_ALLOWED), batch.source_ip[i]):
            words1(r, RECEIVE_COUNTS)[FOREIGN_SOURCE] += 1
            continue
        recv_ns = batch.recv_ts_ns[i]
        if length > 0 and batch.data[i * stride] == 0x7B and text_fd >= 0:  # '{'
            words1(r, RECEIVE_COUNTS)[TEXT] += 1
            c_write(text_fd, address_of(batch.data, i * stride), length)
            continue
        if recv_ns == 0:
            recv_ns = now_ns(words1(r, RECEIVE_SCRATCH), CLOCK_REALTIME)
        take_datagram(r, batch.data, i * stride, length, recv_ns, mono_ns)


@kernel
def _take_translated(r: np.ndarray, batch: ReceiveBatch, n: int, mono_ns: int) -> None:
    """Take in datagrams that came as text: counted, and their source looked at, on the line that they came by."""
    stride = len(batch.data) // len(batch.lengths)
    recv_ns = now_ns(words1(r, RECEIVE_SCRATCH), CLOCK_REALTIME)
    for i in range(n):
        take_datagram(r, batch.data, i * stride, batch.lengths[i], recv_ns, mono_ns)


@kernel
def receive_loop(
    r: np.ndarray, fds: np.ndarray, batch: ReceiveBatch, text_fd: int, eventfd: int, control: np.ndarray, turns: int
) -> int:
    """Receive until told to stop.

    Parameters
    ----------
    fds : int32[:]
        Sockets, line A first; one more that brings back datagrams translated from text mode may follow.
    batch : ReceiveBatch
    text_fd : int
        Where datagrams in text mode are written, to be translated; -1: refuse them as malformed.
    eventfd : int
        Written to when the book thread sleeps.
    control : int64[:]
        Word 0: not zero stops the loop; word 1: monotonic ns of the last turn, a sign of life.
    turns : int
        How many turns at the most; -1: no limit.

    Returns
    -------
    int
        0 when stopped, else -errno of a socket.
    """
    busy = words1(r, RECEIVE_SETTINGS)[BUSY_POLL] == 1
    while turns != 0 and load_acquire(control, 0) == 0:
        turns -= 1
        total = 0
        mono_ns = now_ns(words1(r, RECEIVE_SCRATCH), CLOCK_MONOTONIC)
        control[1] = mono_ns
        for line in range(len(fds)):
            n = receive(fds[line], batch)
            if n < 0:
                return n
            if n > 0 and fds[line] == text_fd:
                _take_translated(r, batch, n, mono_ns)
            elif n > 0:
                _take_batch(r, batch, n, line, text_fd, mono_ns)
            total += n
        run_timers(r, mono_ns)
        _wake_book_thread(r, eventfd)
        if total == 0 and not busy:
            wait_readable(fds, len(fds), 500, words1(r, RECEIVE_SCRATCH))
    return 0

"""The receive thread: drain the sockets, hand each datagram on with its line and its time, look at the clock."""

from __future__ import annotations

import numpy as np

from libs.engine.datagrams import take_datagram
from libs.engine.directory import RECEIVE_ALLOWED, RECEIVE_COUNTS, RECEIVE_SCRATCH, RECEIVE_SETTINGS, WAKE
from libs.engine.lines import first_so_far, note_line
from libs.engine.recovered import take_recovered
from libs.engine.shares import is_other_channel
from libs.engine.timers import run_timers
from libs.engine.words import BUSY_POLL, BYTES, DATAGRAMS, FOREIGN_SOURCE, KERNEL_DROPS, TEXT
from libs.jit import kernel
from libs.libc import CLOCK_MONOTONIC, CLOCK_REALTIME, c_write, now_ns
from libs.memory import address_of, load_acquire, load_i64, words1
from libs.multicast.receiver import ReceiveBatch, receive
from libs.multicast.waiting import wait_readable
from libs.ring.kernels import is_sleeping
from libs.sequencing.state import CHANNELS

_TIMESTAMP_OFF, _EXCHANGE_OFF, _HEADER_BYTES = 12, 20, 24


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
        at = i * stride
        exchange = np.int64(batch.data[at + _EXCHANGE_OFF]) if length >= _HEADER_BYTES else 7
        words1(r, RECEIVE_COUNTS)[DATAGRAMS + 8 * line + (exchange if exchange < CHANNELS else 7)] += 1
        words1(r, RECEIVE_COUNTS)[BYTES + line] += length
        if not _is_allowed(words1(r, RECEIVE_ALLOWED), batch.source_ip[i]):
            words1(r, RECEIVE_COUNTS)[FOREIGN_SOURCE] += 1
            continue
        recv_ns = batch.recv_ts_ns[i]
        if length > 0 and batch.data[at] == 0x7B and text_fd >= 0:  # '{'
            words1(r, RECEIVE_COUNTS)[TEXT] += 1
            c_write(text_fd, address_of(batch.data, at), length)
            continue
        if recv_ns == 0:
            recv_ns = now_ns(words1(r, RECEIVE_SCRATCH), CLOCK_REALTIME)
        if exchange >= CHANNELS or is_other_channel(r, exchange):
            take_datagram(r, batch.data, at, length, recv_ns, mono_ns)
            continue
        before = first_so_far(r, exchange)
        take_datagram(r, batch.data, at, length, recv_ns, mono_ns)
        transit_ns = recv_ns - load_i64(batch.data, at + _TIMESTAMP_OFF) * 1000
        note_line(r, line, exchange, transit_ns, first_so_far(r, exchange) - before, mono_ns)


@kernel
def _take_own(r: np.ndarray, batch: ReceiveBatch, n: int, recovered: bool, mono_ns: int) -> None:
    """Take in what this process wrote itself: deliveries of recovery, or datagrams that came as text.

    Text was counted, and its source looked at, on the line that it came by.
    """
    stride = len(batch.data) // len(batch.lengths)
    recv_ns = now_ns(words1(r, RECEIVE_SCRATCH), CLOCK_REALTIME)
    for i in range(n):
        if recovered:
            take_recovered(r, batch.data, i * stride, batch.lengths[i], recv_ns, mono_ns)
        else:
            take_datagram(r, batch.data, i * stride, batch.lengths[i], recv_ns, mono_ns)


@kernel
def receive_loop(
    r: np.ndarray,
    fds: np.ndarray,
    batch: ReceiveBatch,
    text_fd: int,
    recovered_fd: int,
    eventfd: int,
    control: np.ndarray,
    turns: int,
) -> int:
    """Receive until told to stop.

    Parameters
    ----------
    fds : int32[:]
        Sockets, line A first; then ``text_fd`` and ``recovered_fd`` where they are in use.
    batch : ReceiveBatch
    text_fd : int
        Where datagrams in text mode are written to be translated, and come back; -1: refuse them as malformed.
    recovered_fd : int
        Brings deliveries of recovery, one a datagram; -1: none.
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
            own = fds[line] == text_fd or fds[line] == recovered_fd
            if not own:
                # The kernel tells a count only once there is one: without this a line would show the other's.
                batch.drops[0] = words1(r, RECEIVE_COUNTS)[KERNEL_DROPS + line]
            n = receive(fds[line], batch)
            if n < 0:
                return n
            if n > 0 and own:
                _take_own(r, batch, n, fds[line] == recovered_fd, mono_ns)
            elif n > 0:
                _take_batch(r, batch, n, line, text_fd, mono_ns)
            total += n
        run_timers(r, mono_ns)
        _wake_book_thread(r, eventfd)
        if total == 0 and not busy:
            wait_readable(fds, len(fds), 500, words1(r, RECEIVE_SCRATCH))
    return 0

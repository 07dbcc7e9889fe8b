"""Take in what the recovery server gave: messages of a hole, or a book's snapshot, checked by who asked for it."""

from __future__ import annotations

import numpy as np

from libs.engine.datagrams import take_datagram
from libs.engine.directory import (
    RECEIVE_BODY,
    RECEIVE_COUNTS,
    RECEIVE_HEADER,
    RECEIVE_SCRATCH,
    ring_of,
    sequencer_of,
    table_of,
)
from libs.engine.push import push_snapshot_part
from libs.engine.slots import BOOK
from libs.engine.words import FOREIGN_RECOVERY, SNAPSHOT_AHEAD, SOURCE
from libs.jit import kernel
from libs.memory import load_i64, words1
from libs.sequencing import holes as gaps
from libs.sequencing import state as columns
from libs.sequencing.state import CHANNELS
from libs.wire import kernels as wire

PREFIX_BYTES = 16
"""Before the messages: kind (u8), exchange (u8), six zero bytes, session (u64)."""
RANGE, SNAPSHOT = 1, 2
"""Kinds, as in libs.wire.recovery."""


@kernel
def _take_snapshot(r: np.ndarray, ch: int, buf: np.ndarray, start: int, end: int, recv_ns: int) -> None:
    """Push the parts of one book's snapshot; it stands between the messages that it contains and those after it."""
    s = sequencer_of(r)
    m = words1(r, RECEIVE_HEADER)
    off = start
    while wire.next_message(buf, off, end, m) == wire.OK and m[wire.TYPE] == BOOK and m[wire.EXCHANGE] == ch:
        off = m[wire.NEXT_OFF]
        sequence = m[wire.SEQUENCE]
        if sequence >= s.channels[ch, columns.EXPECTED] or sequence < s.channels[ch, columns.JOINED_AT] - 1:
            words1(r, RECEIVE_COUNTS)[SNAPSHOT_AHEAD] += 1
            return
        if not push_snapshot_part(ring_of(r, ch), table_of(r), buf, m, words1(r, RECEIVE_BODY), recv_ns):
            return


@kernel
def take_recovered(r: np.ndarray, buf: np.ndarray, start: int, length: int, recv_ns: int, mono_ns: int) -> None:
    """Take in one delivery.

    Parameters
    ----------
    r : int64[n, 4]
        libs.engine.directory.
    buf : uint8[:]
        The delivery is ``buf[start:start + length]``: PREFIX_BYTES, then whole messages.
    recv_ns, mono_ns : int
        Now: CLOCK_REALTIME and CLOCK_MONOTONIC.
    """
    if length <= PREFIX_BYTES:
        return
    ch = buf[start + 1]
    if ch >= CHANNELS or load_i64(buf, start + 8) != sequencer_of(r).channels[ch, columns.SESSION]:
        words1(r, RECEIVE_COUNTS)[FOREIGN_RECOVERY] += 1
        return
    if buf[start] == SNAPSHOT:
        _take_snapshot(r, ch, buf, start + PREFIX_BYTES, start + length, recv_ns)
        return
    words1(r, RECEIVE_SCRATCH)[SOURCE] = gaps.RECOVERY
    take_datagram(r, buf, start + PREFIX_BYTES, length - PREFIX_BYTES, recv_ns, mono_ns)
    words1(r, RECEIVE_SCRATCH)[SOURCE] = gaps.LINE

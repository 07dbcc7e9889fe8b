"""The receive thread from the socket to the ring, beside a loop in C that only counts what it drains.

The socket's buffer is filled first and only the draining is timed, so that the sender's cost is not in it.
"""

from __future__ import annotations

import ctypes
import socket
import statistics
import time
from collections.abc import Callable

import numpy as np

from libs.engine import receive, state
from libs.engine.words import BUSY_POLL, BYTES, DATAGRAMS
from libs.multicast.receiver import BATCH, SO_RCVBUFFORCE, SO_RXQ_OVFL, SO_TIMESTAMPNS, new_batch
from libs.ring.state import CLAIMED, HEAD, TAIL, TAIL_SEEN
from libs.sequencing import state as seq
from libs.wire.messages import Instrument, OrderBook, encode, encode_datagram
from tests.bench import native
from tests.bench.runner import Row, Scale, compare, cpu_ns

WHAT = "a datagram drained from a full UDP socket, decoded, sequenced and pushed to the ring; CPU time"
UNIT = "ns/datagram"
GOALS = {1: 1.3, 15: 1.2}
"""By messages a datagram."""

SYMBOLS = 100
LEVELS = 2
"""A message: so many 15 of fit into a datagram of 1,472 bytes."""
DATAGRAM_COUNT, FILLS = 768, 8
BUFFER = 8 << 20


class Receiver:
    """A loopback socket with prepared datagrams, and an engine that takes them from it."""

    def __init__(self, messages: int, datagrams: int) -> None:
        self.messages, self.n = messages, datagrams
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        except PermissionError:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
        self.socket.bind(("127.0.0.1", 0))
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sender.connect(self.socket.getsockname())
        self.engine = state.new(ring_capacity=65_536, max_books=SYMBOLS, max_symbols=SYMBOLS, depth=64)
        self.arrays = dict(self.engine.arrays)
        self.arrays["receive_settings"][BUSY_POLL] = 1
        self.batch = new_batch()
        self.fds = np.array([self.socket.fileno()], np.int32)
        self.control = np.zeros(2, np.int64)
        self.counts = np.zeros(3, np.int64)
        self.drain_in_c = native.function(
            native.build("receive"), "drain", ctypes.c_int, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p
        )
        now_us = time.time_ns() // 1000
        for k in range(SYMBOLS):
            self.sender.send(encode(Instrument(1 + k, now_us, 0, _symbol(k), 0, -2, -3, 0, 1, 1, 1)))
        self._turn(SYMBOLS)
        self.first = SYMBOLS + 1
        self.payloads = [
            encode_datagram(_book(self.first + i * messages + j, now_us) for j in range(messages))
            for i in range(datagrams)
        ]
        self.bytes = sum(map(len, self.payloads))

    def close(self) -> None:
        """Close both sockets."""
        self.socket.close()
        self.sender.close()

    def _turn(self, datagrams: int) -> int:
        turns = -(-datagrams // BATCH)
        return int(receive.receive_loop(self.engine.directory, self.fds, self.batch, -1, -1, -1, self.control, turns))

    def fill(self) -> None:
        """Put every datagram into the socket's buffer."""
        for payload in self.payloads:
            self.sender.send(payload)

    def rewind(self) -> None:
        """Empty the ring and expect the first prepared message again."""
        channel = self.arrays["sequencer_channels"][0]
        channel[seq.EXPECTED], channel[seq.HIGHEST] = self.first, self.first - 1
        control = self.arrays["ring_controls"][0]
        control[TAIL] = control[TAIL_SEEN] = control[CLAIMED] = control[HEAD]

    def ours(self) -> float:
        """Return our CPU ns a datagram, and see that every message reached the ring."""
        counts = self.arrays["receive_counts"]
        self.rewind()
        before = counts.copy()
        self.fill()
        began = cpu_ns()
        code = self._turn(self.n)
        took = cpu_ns() - began
        grown = counts - before
        next_sequence = self.arrays["sequencer_channels"][0, seq.EXPECTED]
        taken = (code, int(grown[DATAGRAMS]), int(grown[BYTES]), int(next_sequence))
        expected = (0, self.n, self.bytes, self.first + self.n * self.messages)
        if taken != expected:
            raise AssertionError(f"code, datagrams, bytes, next sequence: expected {expected}, found {taken}")
        return took / self.n

    def theirs(self, asking: bool) -> float:
        """Return C's CPU ns a datagram, and see that it counted all."""
        self.counts[:] = 0
        self.fill()
        began = cpu_ns()
        code = self.drain_in_c(
            self.socket.fileno(), native.pointer(self.batch.data), int(asking), native.pointer(self.counts)
        )
        took = cpu_ns() - began
        if code != 0 or self.counts[0] != self.n or self.counts[1] != self.bytes:
            raise AssertionError(f"C drained {self.counts[0]} of {self.n} datagrams, code {code}")
        return took / self.n


def _symbol(k: int) -> str:
    return f"S{k:03}-USD"


def _book(sequence: int, now_us: int) -> OrderBook:
    bids = ((10_000 - sequence % 7, 5),)
    asks = ((10_010 + sequence % 7, 5),)
    return OrderBook(sequence, now_us, 0, _symbol(sequence % SYMBOLS), 2, -2, -3, 0, 0, now_us, bids, asks)


def sides(receiver: Receiver, fills: int) -> dict[str, Callable[[], float]]:
    """Return what drains the same datagrams with ours and both loops in C, in ns a datagram.

    Parameters
    ----------
    fills : int
        How often a measurement fills the socket.
    """

    def one(drain: Callable[[], float]) -> Callable[[], float]:
        return lambda: statistics.mean(drain() for _ in range(fills))

    return {
        "ours": one(receiver.ours),
        "c": one(lambda: receiver.theirs(True)),
        "c, no receive time": one(lambda: receiver.theirs(False)),
    }


def measured(messages: int, scale: Scale) -> Row:
    """Drain the same datagrams in turns."""
    receiver = Receiver(messages, scale.pick(DATAGRAM_COUNT, 100))
    runs = sides(receiver, scale.pick(FILLS, 1))
    try:
        case = f"{messages} message{'s' if messages > 1 else ''} a datagram ({receiver.bytes // receiver.n} bytes)"
        return compare(case, UNIT, runs, scale.repeats, GOALS.get(messages))
    finally:
        receiver.close()


def rows(scale: Scale) -> list[Row]:
    """Measure every case."""
    return [measured(messages, scale) for messages in GOALS]

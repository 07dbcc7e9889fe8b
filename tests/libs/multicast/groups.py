"""Sockets on loopback groups of their own: support for the tests here."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import numpy as np

from libs.multicast.receiver import ReceiveBatch, ReceiverSocket, open_receiver, receive
from libs.multicast.sender import open_sender
from libs.multicast.waiting import wait_readable

LOOPBACK = "127.0.0.1"
GROUP_A, GROUP_B = "239.192.79.1", "239.192.79.2"
BUFFER = 4 << 20
WAIT_S = 30.0


def udp_port() -> int:
    """Return a UDP port that nothing is bound to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def receiver(group: str, port: int, buffer_size: int = BUFFER) -> Iterator[ReceiverSocket]:
    """Join a group for a while."""
    sock = open_receiver(group, port, LOOPBACK, buffer_size)
    try:
        yield sock
    finally:
        sock.close()


@contextlib.contextmanager
def line(group: str, buffer_size: int = BUFFER) -> Iterator[tuple[ReceiverSocket, socket.socket]]:
    """Give a receiver and a sender of one group on a port that is free."""
    port = udp_port()
    with receiver(group, port, buffer_size) as sock, open_sender(group, port, LOOPBACK) as sender:
        yield sock, sender


def readable(sock: ReceiverSocket, timeout_us: int) -> bool:
    """Return whether a socket can be read within a time."""
    return bool(wait_readable(np.array([sock.fd], np.int32), 1, timeout_us, np.zeros(16, np.int64)) > 0)


def drain(sock: ReceiverSocket, batch: ReceiveBatch, n: int) -> list[bytes]:
    """Return the next ``n`` datagrams, failing when they do not come."""
    found: list[bytes] = []
    stride = len(batch.data) // len(batch.lengths)
    deadline = time.monotonic() + WAIT_S
    while len(found) < n:
        assert time.monotonic() < deadline, f"{len(found)} of {n} datagrams came"
        readable(sock, 100_000)
        got = receive(sock.fd, batch)
        assert got >= 0
        found += [batch.data[i * stride : i * stride + batch.lengths[i]].tobytes() for i in range(got)]
    return found

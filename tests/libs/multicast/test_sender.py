"""The sender keeps datagrams on the interface and the host that it was told."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import numpy as np
import pytest

from libs.multicast.receiver import new_batch
from libs.multicast.sender import BATCH, STRIDE, new_send_batch, open_sender, send, set_length
from tests.libs.multicast.groups import GROUP_A, LOOPBACK, drain, line, udp_port

pytestmark = pytest.mark.integration

OPEN = Path("/proc/self/fd")


def test_the_interface_is_set_and_nothing_leaves_the_host() -> None:
    """IP_MULTICAST_IF names the interface, the TTL is 0 unless asked for, and this host hears it."""
    port = udp_port()
    with open_sender(GROUP_A, port, LOOPBACK) as sock, open_sender(GROUP_A, port, LOOPBACK, 3) as far:
        assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, 4) == socket.inet_aton(LOOPBACK)
        assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL) == 0
        assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP) == 1
        assert sock.getpeername() == (GROUP_A, port)
        assert far.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL) == 3


def test_a_range_of_a_batch_is_sent() -> None:
    """Only the datagrams asked for go out, each with its own length."""
    out, batch = new_send_batch(8), new_batch(8)
    for i in range(8):
        out.data[i * STRIDE : (i + 1) * STRIDE] = i
        set_length(out, i, 100 * i + 1)
    with line(GROUP_A) as (sock, sender):
        assert send(sender.fileno(), out, 3, 4) == 4
        assert drain(sock, batch, 4) == [bytes([i]) * (100 * i + 1) for i in range(3, 7)]
        assert send(sender.fileno(), out, 0, 1) == 1
        assert drain(sock, batch, 1) == [b"\0"]


def test_a_full_batch_of_full_datagrams_is_sent() -> None:
    """64 datagrams of 1,472 bytes go out in one call."""
    out, batch = new_send_batch(), new_batch()
    out.data[:] = np.arange(len(out.data)) % 251
    for i in range(BATCH):
        set_length(out, i, 1472)
    with line(GROUP_A) as (sock, sender):
        assert send(sender.fileno(), out, 0, BATCH) == BATCH
        found = drain(sock, batch, BATCH)
    assert found == [out.data[i * STRIDE : i * STRIDE + 1472].tobytes() for i in range(BATCH)]


def test_a_failure_is_a_negative_errno() -> None:
    """A closed socket says so by number; the caller counts it."""
    out = new_send_batch(1)
    set_length(out, 0, 1)
    assert send(-1, out, 0, 1) == -errno.EBADF


def test_a_refused_option_leaves_no_socket_open() -> None:
    """An interface that is not here raises and closes what was opened."""
    before = len(list(OPEN.iterdir()))
    with pytest.raises(OSError, match="Cannot assign requested address"):
        open_sender(GROUP_A, 9001, "192.0.2.1")
    assert len(list(OPEN.iterdir())) == before

"""Waiting says how many sockets can be read, and holds no interpreter meanwhile."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from libs.multicast.receiver import new_batch
from libs.multicast.sender import open_sender
from libs.multicast.waiting import wait_readable
from tests.libs.multicast.groups import GROUP_A, GROUP_B, LOOPBACK, drain, receiver, udp_port

pytestmark = pytest.mark.integration


def test_either_of_two_sockets_wakes() -> None:
    """The count says how many sockets can be read; only the first ``n`` are looked at."""
    port, scratch, batch = udp_port(), np.zeros(16, np.int64), new_batch(4)
    with (
        receiver(GROUP_A, port) as a,
        receiver(GROUP_B, port) as b,
        open_sender(GROUP_A, port, LOOPBACK) as to_a,
        open_sender(GROUP_B, port, LOOPBACK) as to_b,
    ):
        fds = np.array([a.fd, b.fd], np.int32)
        to_b.send(b"b")
        assert wait_readable(fds, 2, 5_000_000, scratch) == 1
        assert wait_readable(fds, 1, 0, scratch) == 0
        to_a.send(b"a")
        assert wait_readable(fds, 1, 5_000_000, scratch) == 1
        assert wait_readable(fds, 2, 0, scratch) == 2
        drain(a, batch, 1)
        assert wait_readable(fds, 2, 0, scratch) == 1


def test_python_goes_on_while_a_kernel_waits() -> None:
    """The wait releases the interpreter: this thread sends the datagram that ends it."""
    port, scratch = udp_port(), np.zeros(16, np.int64)
    found: list[int] = []
    with receiver(GROUP_A, port) as sock, open_sender(GROUP_A, port, LOOPBACK) as sender:
        fds = np.array([sock.fd], np.int32)
        wait_readable(fds, 1, 0, scratch)
        thread = threading.Thread(target=lambda: found.append(wait_readable(fds, 1, 20_000_000, scratch)))
        start = time.monotonic()
        thread.start()
        time.sleep(0.05)
        assert thread.is_alive()
        sender.send(b"wake")
        thread.join(10)
        assert found == [1]
        assert time.monotonic() - start < 10

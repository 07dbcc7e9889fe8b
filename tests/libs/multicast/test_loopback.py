"""Real multicast on the loopback interface: what is sent arrives, once, with its kernel time, and drops are counted."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pytest

from libs.errors import ConfigError
from libs.multicast.drops import receive_queue
from libs.multicast.receiver import ReceiveBatch, ReceiverSocket, new_batch, open_receiver, receive
from libs.multicast.sender import BATCH, STRIDE, new_send_batch, open_sender, send, set_length
from libs.multicast.waiting import wait_readable

pytestmark = pytest.mark.integration

A, B = "239.192.77.1", "239.192.77.2"
LOOPBACK = "127.0.0.1"
BUFFER = 4 << 20
PATIENCE_S = 30.0


class Lines:
    """Sockets of a test, closed at its end."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((LOOPBACK, 0))
            self.port = probe.getsockname()[1]

    def receiver(self, group: str, buffer_size: int = BUFFER) -> ReceiverSocket:
        found = open_receiver(group, self.port, LOOPBACK, buffer_size)
        self.stack.callback(found.close)
        return found

    def sender(self, group: str) -> socket.socket:
        return self.stack.enter_context(open_sender(group, self.port, LOOPBACK))


@pytest.fixture
def lines() -> Iterator[Lines]:
    with ExitStack() as stack:
        yield Lines(stack)


def take(receiver: ReceiverSocket, count: int, batch: ReceiveBatch | None = None) -> list[tuple[bytes, int, int]]:
    """Return (bytes, receive time, source) of ``count`` datagrams, or of as many as come in time."""
    batch = batch or new_batch()
    stride = len(batch.data) // len(batch.lengths)
    found: list[tuple[bytes, int, int]] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(found) < count and time.monotonic() < deadline:
        got = receive(receiver.fd, batch)
        assert got >= 0
        for i in range(got):
            data = batch.data[i * stride : i * stride + batch.lengths[i]].tobytes()
            found.append((data, int(batch.recv_ts_ns[i]), int(batch.source_ip[i])))
        if not got:
            time.sleep(0.001)
    return found


def send_numbered(sock: socket.socket, count: int, start: int = 0) -> list[bytes]:
    """Send ``count`` datagrams of different lengths in batches by the kernel that services use."""
    batch = new_send_batch()
    sent: list[bytes] = []
    while len(sent) < count:
        n = min(BATCH, count - len(sent))
        for i in range(n):
            data = f"{start + len(sent):06d}".encode() * (1 + (start + len(sent)) % 240)
            batch.data[i * STRIDE : i * STRIDE + len(data)] = np.frombuffer(data, np.uint8)
            set_length(batch, i, len(data))
            sent.append(data)
        first = 0
        while first < n:
            done = send(sock.fileno(), batch, first, n - first)
            assert done > 0
            first += done
    return sent


def test_a_thousand_datagrams_arrive_in_order(lines: Lines) -> None:
    """A thousand datagrams of 6 to 1,440 bytes arrive whole and in order, with kernel times of now and their source."""
    receiver, sender = lines.receiver(A), lines.sender(A)
    before = time.time_ns()
    sent: list[bytes] = []
    found: list[tuple[bytes, int, int]] = []
    # In rounds that fit the smallest buffer that a system may grant.
    for _ in range(20):
        sent += send_numbered(sender, 50, len(sent))
        found += take(receiver, 50)
    assert len(sent) == 1000
    assert [data for data, _, _ in found] == sent
    times = [ts for _, ts, _ in found]
    assert before - 1_000_000_000 < times[0] <= times[-1] < time.time_ns() + 1_000_000_000
    assert times == sorted(times)
    assert {source for _, _, source in found} == {0x7F000001}
    assert receive(receiver.fd, new_batch()) == 0


def test_two_groups_on_one_port_do_not_mix(lines: Lines) -> None:
    """Line A and line B share a port, and each receiver gets its own group's datagrams only."""
    a, b = lines.receiver(A), lines.receiver(B)
    lines.sender(A).send(b"on A")
    lines.sender(B).send(b"on B")
    assert [data for data, _, _ in take(a, 1)] == [b"on A"]
    assert [data for data, _, _ in take(b, 1)] == [b"on B"]
    time.sleep(0.02)
    assert receive(a.fd, new_batch()) == receive(b.fd, new_batch()) == 0


def test_two_receivers_of_one_group_both_get_everything(lines: Lines) -> None:
    """A second receiver may join the same group and port, and both get each datagram."""
    first, second = lines.receiver(A), lines.receiver(A)
    sent = send_numbered(lines.sender(A), 50)
    assert [data for data, _, _ in take(first, 50)] == sent
    assert [data for data, _, _ in take(second, 50)] == sent


def test_a_datagram_larger_than_a_slot_is_marked(lines: Lines) -> None:
    """A datagram cut to its slot is marked as truncated, its neighbours are not."""
    receiver, sender = lines.receiver(A), lines.sender(A)
    for data in (b"x" * 10, b"y" * 300, b"z" * 256):
        sender.send(data)
    batch = new_batch(4, 256)
    found = take(receiver, 3, batch)
    assert [len(data) for data, _, _ in found] == [10, 256, 256]
    assert batch.truncated[:3].tolist() == [0, 1, 0]


@pytest.mark.parametrize("group", ["10.0.0.1", "224.0.0.256", "localhost", "240.0.0.1", ""])
def test_no_multicast_group_is_refused_by_name(group: str) -> None:
    """An address that is no multicast group is refused by both ends, and the message names it."""
    for open_it in (lambda: open_receiver(group, 9001, LOOPBACK, 1), lambda: open_sender(group, 9001, LOOPBACK)):
        with pytest.raises(ConfigError, match="multicast") as caught:
            open_it()
        assert caught.value.key == "group"
        assert group in caught.value.found


@pytest.mark.parametrize(("port", "interface", "key"), [(0, LOOPBACK, "port"), (9001, "lo", "interface")])
def test_wrong_port_or_interface_is_refused_by_name(port: int, interface: str, key: str) -> None:
    """A port out of range or an interface that is no address is refused by name."""
    with pytest.raises(ConfigError) as caught:
        open_receiver(A, port, interface, 1)
    assert caught.value.key == key


def test_drops_are_counted_twice_over(lines: Lines) -> None:
    """What a full buffer drops shows in /proc/net/udp at once, and with the next datagram as SO_RXQ_OVFL."""
    receiver, sender = lines.receiver(A, 4096), lines.sender(A)
    assert receive_queue(receiver.inode) == (0, 0)
    sent = send_numbered(sender, 500)
    queue = receive_queue(receiver.inode)
    assert queue is not None and 0 < queue.drops < len(sent)
    assert queue.waiting > 0
    dropped = queue.drops
    batch = new_batch()
    assert len(take(receiver, len(sent) - dropped, batch)) == len(sent) - dropped
    sender.send(b"after")
    assert take(receiver, 1, batch)[0][0] == b"after"
    assert int(batch.drops[0]) == dropped


def test_granted_buffer_is_told(lines: Lines) -> None:
    """The socket says what buffer the kernel granted, at least what was asked for where the system allows it."""
    assert lines.receiver(A, 65_536).rcvbuf >= 65_536
    assert receive_queue(999_999_999_999) is None


def test_waiting_ends_at_its_time_or_with_a_datagram(lines: Lines) -> None:
    """wait_readable gives 0 when its time is over, and wakes for a datagram on any of its sockets."""
    a, b = lines.receiver(A), lines.receiver(B)
    fds, scratch = np.array([a.fd, b.fd], np.int32), np.zeros(16, np.int64)
    assert wait_readable(fds, 2, 0, scratch) == 0
    start = time.monotonic()
    assert wait_readable(fds, 2, 50_000, scratch) == 0
    assert 0.045 < time.monotonic() - start < 2
    sender = lines.sender(B)
    wake = threading.Timer(0.05, sender.send, [b"wake"])
    wake.start()
    start = time.monotonic()
    assert wait_readable(fds, 2, 10_000_000, scratch) == 1
    assert time.monotonic() - start < 5
    wake.join()
    assert wait_readable(fds, 1, 0, scratch) == 0

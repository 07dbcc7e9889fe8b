"""What a receive does at its limits; what it takes from a group is in test_loopback."""

from __future__ import annotations

import errno
import socket

import pytest

from libs.multicast.receiver import new_batch, open_receiver, receive
from tests.libs.multicast.groups import BUFFER, GROUP_A, LOOPBACK, drain, line, readable, udp_port

pytestmark = pytest.mark.integration

LARGEST = 65_507


def test_a_batch_takes_no_more_than_it_holds() -> None:
    """The rest waits in the socket for the next call; an empty socket gives 0."""
    batch = new_batch(8)
    with line(GROUP_A) as (sock, sender):
        assert receive(sock.fd, batch) == 0
        for number in range(10):
            sender.send(bytes([number]))
        assert readable(sock, 5_000_000)
        assert [receive(sock.fd, batch) for _ in range(3)] == [8, 2, 0]


def test_the_largest_datagram_is_taken_whole() -> None:
    """A datagram may have as many bytes as UDP allows."""
    batch, payload = new_batch(2), bytes(range(1, 252)) * 261
    with line(GROUP_A) as (sock, sender):
        sender.send(payload[:LARGEST])
        assert drain(sock, batch, 1) == [payload[:LARGEST]]
        assert batch.truncated[0] == 0


def test_an_empty_datagram_has_no_bytes() -> None:
    """UDP may carry nothing; it counts as a datagram of length 0."""
    batch = new_batch(4)
    with line(GROUP_A) as (sock, sender):
        sender.send(b"before")
        sender.send(b"")
        assert drain(sock, batch, 2) == [b"before", b""]


def test_what_is_sent_to_the_host_itself_stays_out() -> None:
    """The socket is bound to the group: a datagram to the same port of the host's own address is not taken."""
    batch = new_batch(4)
    with line(GROUP_A) as (sock, sender), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"unicast", (LOOPBACK, sender.getpeername()[1]))
        sender.send(b"multicast")
        assert drain(sock, batch, 1) == [b"multicast"]
        assert receive(sock.fd, batch) == 0


def test_a_bad_descriptor_gives_its_errno() -> None:
    """An error is a negative errno, not an exception."""
    assert receive(-1, new_batch(1)) == -errno.EBADF


def test_an_interface_that_is_not_here_is_an_error() -> None:
    """Joining through an address that no interface has fails instead of falling back to the default route."""
    with pytest.raises(OSError, match="No such device"):
        open_receiver(GROUP_A, udp_port(), "192.0.2.1", BUFFER)

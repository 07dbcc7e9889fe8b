"""The recovery server on TCP: what receivers may do to it, and what they may not."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.recovery.connection import ConnectionLimits
from libs.recovery.history import new_history
from libs.recovery.listener import Listener
from libs.recovery.server import Limits, RecoveryServer
from libs.wire.recovery import BAD_REQUEST, OK, RATE_LIMITED
from tests.libs.recovery.filled import expected, filled
from tests.libs.recovery.talking import SENT, dial, dial_at_once, eventually, is_closed, listening, request, take

pytestmark = pytest.mark.integration


def test_requests_are_answered_in_order_however_they_are_cut() -> None:
    """Byte by byte, or many in one piece."""
    with listening() as listener, dial(listener) as sock:
        for byte in request(10, 19, 5):
            sock.sendall(bytes([byte]))
        ((answer, messages),) = take(sock)
        assert (answer.status, answer.request_id, messages) == (OK, 5, expected(10, 19))
        sock.sendall(b"".join(request(n, n, n) for n in range(1, 301)))
        found = take(sock, 300)
        assert [a.request_id for a, _ in found] == list(range(1, 301))
        assert b"".join(data for _, data in found) == expected(1, 300)
        assert listener.status()["requests"] == {"range": {"ok": 301}}
        assert listener.status()["received_bytes"] == 301 * 40
        assert listener.status()["sent_bytes"] == 301 * 48 + len(expected(1, 300)) + len(expected(10, 19))


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"HFRQ\x02" + bytes(35), b"\x00" * 40, b"H\xff"])
def test_bytes_that_are_no_request_end_the_connection(data: bytes) -> None:
    """What came before is answered, then BAD_REQUEST, then the end; other connections are not touched."""
    with listening() as listener, dial(listener) as other, dial(listener) as sock:
        sock.sendall(request(1, 1) + data)
        found = take(sock, 3)
        assert [a.status for a, _ in found] == [OK, BAD_REQUEST]
        assert listener.traffic.outcomes["malformed"] == 1
        other.sendall(request(2, 2))
        assert take(other)[0][1] == expected(2, 2)


@pytest.mark.parametrize("begun", [b"H", request(1, 1)[:39]])
def test_a_half_written_request_does_not_keep_its_place(begun: bytes) -> None:
    """Nor one that comes byte by byte for too long; a receiver that says nothing at all may stay longer."""
    with listening(request_s=0.3, idle_s=30.0) as listener, dial(listener) as quiet, dial(listener) as sock:
        sock.sendall(request(1, 1) + begun)
        assert take(sock)[0][0].status == OK
        assert is_closed(sock)
        slow = dial(listener)
        with pytest.raises(OSError):
            for byte in request(1, 1):
                slow.sendall(bytes([byte]))
                time.sleep(0.05)
        slow.close()
        assert listener.traffic.outcomes["stalled"] == 2
        quiet.sendall(request(3, 3))
        assert take(quiet)[0][1] == expected(3, 3)
        assert eventually(lambda: listener.connections == 1)


def test_an_idle_connection_is_closed() -> None:
    """Its place is another one's."""
    with listening(idle_s=0.2, connections=1) as listener, dial(listener) as sock:
        sock.sendall(request(1, 1))
        take(sock)
        assert is_closed(sock)
        assert listener.traffic.outcomes["idle"] == 1
        with dial(listener) as second:
            second.sendall(request(1, 1))
            assert take(second)[0][0].status == OK


def test_a_receiver_that_reads_nothing_costs_bounded_memory() -> None:
    """Its requests are not even looked at while too much is unread, and then it is closed."""
    with listening(unsent_bytes=1 << 16, unread_s=1.0) as listener:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect((listener.host, listener.port))
        sock.settimeout(0.5)
        with pytest.raises(OSError):
            for n in range(200_000):
                sock.sendall(request(1, 300, n))
        assert eventually(lambda: listener.traffic.outcomes["unread"] == 1)
        # Besides the limit and one answer, what the kernel buffers for both sockets.
        assert listener.traffic.sent_bytes < 12 << 20
        assert listener.traffic.received_bytes < 1 << 16
        sock.close()
        assert eventually(lambda: listener.connections == 0)


def test_one_too_many_is_closed_at_once() -> None:
    """The others stay, and a place that becomes free can be had."""
    with listening(connections=2) as listener, dial(listener) as first:
        second = dial(listener)
        assert eventually(lambda: listener.connections == 2)
        with dial(listener) as third:
            assert is_closed(third)
        assert listener.traffic.outcomes["refused"] == 1
        second.close()
        assert eventually(lambda: listener.connections == 1)
        with dial(listener) as fourth:
            for sock in (first, fourth):
                sock.sendall(request(1, 1))
                assert take(sock)[0][0].status == OK


def test_who_asks_too_often_is_not_listened_to_for_a_while() -> None:
    """One refusal is all the work that a flood makes in 20 ms."""
    with listening(limits=Limits(client_requests_per_s=20)) as listener, dial(listener) as sock:
        began = time.monotonic()
        sock.sendall(b"".join(request(1, 1, n) for n in range(60)))
        statuses = [a.status for a, _ in take(sock, 60)]
        seconds = time.monotonic() - began
        assert statuses[:20] == [OK] * 20
        assert statuses.count(RATE_LIMITED) > 10
        assert statuses.count(RATE_LIMITED) <= seconds / 0.02 + 1
        assert listener.status()["requests"]["range"]["rate_limited"] == statuses.count(RATE_LIMITED)


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let this process open more than a thousand sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_a_thousand_connections_at_once_are_refused_one_by_one() -> None:
    """Sixteen get in, memory does not grow, and those that are in are answered meanwhile."""
    with listening() as listener, dial(listener) as inside:
        inside.sendall(request(1, 1))
        take(inside)
        answered = 0
        before = _resident_bytes()
        flood = dial_at_once(listener, 1000)
        while listener.traffic.outcomes["refused"] < 1000 - 15:
            inside.sendall(request(1, 100))
            answered += take(inside)[0][0].status == OK
        assert listener.traffic.outcomes["accepted"] == 16
        assert answered > 20
        assert _resident_bytes() - before < 32 << 20
        for sock in flood:
            sock.close()
        assert eventually(lambda: listener.connections == 1)


def _resident_bytes() -> int:
    with Path("/proc/self/statm").open(encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def test_an_address_that_is_taken_is_said() -> None:
    """At construction, before any thread runs."""
    with listening() as listener, pytest.raises(OSError, match="in use"):
        type(listener)(listener.server, "127.0.0.1", listener.port, listener.limits)


def test_stop_ends_connections_and_frees_the_port() -> None:
    """At once, though a receiver is connected; one that never started stops too."""
    with listening() as listener:
        sock = dial(listener)
        sock.sendall(request(1, SENT // 3))
        take(sock)
        began = time.monotonic()
        listener.stop()
        assert time.monotonic() - began < 1.0
        assert is_closed(sock)
        again = type(listener)(listener.server, "127.0.0.1", listener.port, listener.limits)
        again.stop()


def test_what_breaks_is_kept_for_the_owner() -> None:
    """A request that cannot be answered costs its connection; a mirror that breaks ends the thread. Both are told."""
    server = RecoveryServer(filled(new_history(), 10), None, Limits())
    listener = Listener(server, "127.0.0.1", 0, ConnectionLimits())
    listener.start()
    with dial(listener) as fine, dial(listener) as sock:
        answer, server.answer = server.answer, None  # type: ignore[assignment, method-assign]
        sock.sendall(request(1, 1))
        assert is_closed(sock)
        assert isinstance(listener.error, TypeError)
        server.answer = answer  # type: ignore[method-assign]
        fine.sendall(request(1, 1))
        assert take(fine)[0][0].status == OK
    listener.stop()

    def follow() -> None:
        raise ArithmeticError("book")

    listener = Listener(server, "127.0.0.1", 0, ConnectionLimits(), follow=follow)
    listener.start()
    listener.join(5.0)
    assert not listener.is_alive()
    assert isinstance(listener.error, ArithmeticError)

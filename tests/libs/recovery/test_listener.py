"""The TCP side of the recovery server: who may come, how long, and how much."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from libs.recovery.listener import ListenerLimits, RecoveryListener, Reply
from libs.wire.recovery import (
    ANSWER_BYTES,
    BAD_REQUEST,
    BUSY,
    OK,
    RANGE,
    Answer,
    Request,
    decode_answer,
    encode_answer,
    encode_request,
)

BODY = b"x" * 200


def _echo(request: Request, client: str) -> Reply:
    answer = Answer(
        request.kind, request.exchange, OK, request.session, request.first, request.last, request.request_id
    )
    return Reply(encode_answer(answer, BODY))


@pytest.fixture
def listening() -> Iterator[Callable[..., RecoveryListener]]:
    """Start listeners; all end with the test."""
    begun: list[RecoveryListener] = []

    def begin(respond: Callable[[Request, str], Reply] = _echo, **limits: float) -> RecoveryListener:
        begun.append(RecoveryListener(respond, lambda: None, "127.0.0.1", 0, ListenerLimits(**limits)))  # type: ignore[arg-type]
        begun[-1].listen()
        return begun[-1]

    yield begin
    for each in begun:
        each.stop()
        assert not each.is_alive()


def _request(number: int) -> bytes:
    return encode_request(Request(RANGE, 0, 7, 1, 2, number))


def _read(link: socket.socket) -> tuple[Answer, bytes] | None:
    """Read one answer and not a byte more; None when the connection ends before that."""
    data = b""
    wanted = ANSWER_BYTES
    while (found := decode_answer(data)) is None:
        if len(data) == ANSWER_BYTES:
            wanted += int.from_bytes(data[40:44], "little")
        chunk = link.recv(wanted - len(data))
        if not chunk:
            return None
        data += chunk
    return found


def test_requests_are_answered_in_turn(listening: Callable[..., RecoveryListener]) -> None:
    """Several requests in one write, or one byte at a time, each get their own answer."""
    server = listening()
    with socket.create_connection(server.address, 2.0) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.sendall(_request(1))
        for byte in _request(2):
            link.sendall(bytes([byte]))
        for number in (1, 2):
            found = _read(link)
            assert found is not None and (found[0].request_id, found[1]) == (number, BODY)
    assert server.counters.requests == 2


def test_nonsense_is_answered_and_closed(listening: Callable[..., RecoveryListener]) -> None:
    """Bytes that are no request get BAD_REQUEST, and the connection ends."""
    server = listening()
    with socket.create_connection(server.address, 2.0) as link:
        link.sendall(b"GET / HTTP/1.1\r\n\r\n" * 3)
        found = _read(link)
        assert found is not None and found[0].status == BAD_REQUEST
        assert link.recv(1) == b""
    assert server.counters.malformed == 1


def test_a_half_written_request_ends_in_time(listening: Callable[..., RecoveryListener]) -> None:
    """Half a request holds a place for request_s only; one byte now and then does not prolong it."""
    server = listening(request_s=0.3)
    began = time.monotonic()
    with socket.create_connection(server.address, 5.0) as link:
        for byte in _request(1)[:20]:
            try:
                link.sendall(bytes([byte]))
            except OSError:
                break
            time.sleep(0.05)
        assert link.recv(1) == b""
    assert time.monotonic() - began < 3.0
    assert server.counters.timed_out == 1


def test_a_thousand_connections_at_once_are_bounded(listening: Callable[..., RecoveryListener]) -> None:
    """Only so many are served, the others are told BUSY and closed; memory stays, and a place is free again later."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    server = listening(connections=8)
    before = _rss_kib()
    links = []
    for _ in range(1000):
        link = socket.socket()
        link.settimeout(5.0)
        link.connect(server.address)
        links.append(link)
    told = []
    for link in links[8:]:
        found = _read(link)
        assert found is not None
        told.append(found[0].status)
    assert told == [BUSY] * 992
    assert (server.counters.open, server.counters.refused) == (8, 992)
    assert _rss_kib() - before < 20_000
    for link in links:
        link.close()
    deadline = time.monotonic() + 5
    while server.counters.open:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with socket.create_connection(server.address, 2.0) as link:
        link.sendall(_request(9))
        assert _read(link) is not None


def test_a_client_that_reads_nothing_is_left(listening: Callable[..., RecoveryListener]) -> None:
    """Answers that are not read fill a bounded buffer; then the client is closed, and others are served."""
    big = b"y" * 500_000
    server = listening(lambda request, _: Reply(encode_answer(Answer(RANGE, 0, OK, 7, 1, 2, 1), big)), write_s=0.3)
    with socket.create_connection(server.address, 2.0) as deaf, socket.create_connection(server.address, 2.0) as other:
        deaf.sendall(_request(1) * 60)
        deadline = time.monotonic() + 5
        while server.counters.timed_out == 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        other.sendall(_request(2))
        assert _read(other) is not None
    assert server.counters.bytes_sent < 60 * len(big)


def test_a_fault_on_purpose_closes_midway(listening: Callable[..., RecoveryListener]) -> None:
    """A reply that says so ends the connection after its bytes."""
    server = listening(lambda request, _: Reply(_echo(request, "").data[:60], close=True))
    with socket.create_connection(server.address, 2.0) as link:
        link.sendall(_request(1))
        assert _read(link) is None


def test_a_taken_port_is_an_error(listening: Callable[..., RecoveryListener]) -> None:
    """Two cannot listen on one port."""
    taken = listening().address
    other = RecoveryListener(_echo, lambda: None, *taken)
    with pytest.raises(OSError, match="in use"):
        other.listen()


def _rss_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4

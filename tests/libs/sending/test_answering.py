"""A running playback answers its receivers, and sends on whatever they do."""

from __future__ import annotations

import contextlib
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import pytest

from libs.errors import MissingError
from libs.recovery.listener import Listener
from libs.sending.answering import Recovery, series, warm
from libs.sending.pace import NEXT_SEQUENCE
from libs.wire.recovery import NOT_YET, OK, RANGE, SNAPSHOT, Answer, MalformedRecoveryError, Request, encode_request
from tests.libs.recovery.talking import dial, dial_at_once, eventually, is_closed, take
from tests.libs.sending.listen import Heard
from tests.oracles.hftp import BOOK, HEARTBEAT, REFRESH, STATUS, Message, PlainBook, messages

pytestmark = pytest.mark.integration


def of(heard: Heard, **settings: int) -> Recovery:
    """Return a recovery server of a playback."""
    changed = msgspec.structs.replace(heard.settings, **settings)
    return Recovery(changed, heard.playback.history, len(heard.playback.source.listing.rows), "replay")


@contextmanager
def answering(port: int, **settings: object) -> Iterator[tuple[Heard, Recovery]]:
    """Give a playback that has begun, and its recovery server."""
    heard = Heard(port, **settings)
    warm()
    recovery = of(heard, recovery_port=0)
    recovery.start()
    heard.playback.resume()
    try:
        yield heard, recovery
    finally:
        heard.finish()
        recovery.stop()
    assert recovery.error is None


def session_of(heard: Heard) -> int:
    """Return the session that the heartbeats tell."""
    return next(int(m.body["session"]) for m in heard.messages() if m.kind == HEARTBEAT)


def ask(listener: Listener, **fields: object) -> tuple[Answer, bytes]:
    """Ask on a connection of its own; an event that is half sent is waited for."""
    request = Request(**{"first": 0, "last": 0, "request_id": 9} | fields)  # type: ignore[arg-type]
    with dial(listener) as sock:
        for _ in range(100):
            sock.sendall(encode_request(request))
            ((answer, data),) = take(sock)
            if answer.status != NOT_YET:
                break
            time.sleep(0.001)
        return answer, data


def raw(heard: Heard, channel: int) -> dict[int, bytes]:
    """Return what was heard of a channel, by sequence, heartbeats apart."""
    found = {}
    for _, _, data in heard.datagrams:
        at = 0
        for m in messages(data):
            if m.exchange == channel and m.kind != HEARTBEAT:
                found[m.sequence] = data[at : at + m.size]
            at += m.size
    return found


def test_a_range_is_what_was_multicast(free_port: int) -> None:
    """Byte for byte, up to the end of the session, Status 5 included."""
    with answering(free_port) as (heard, recovery):
        heard.listen(0.6)
        session = session_of(heard)
        heard.playback.stop()
        heard.listen(0.05)
        for channel in range(5):
            sent = raw(heard, channel)
            last = len(sent)
            assert last > 100
            answer, data = ask(
                recovery.listener, kind=RANGE, exchange=channel, session=session, first=last - 80, last=last + 20
            )
            assert (answer.status, answer.first, answer.last) == (OK, last - 80, last)
            assert data == b"".join(sent[n] for n in range(last - 80, last + 1))
            assert list(messages(data))[-1].kind == STATUS


def test_a_snapshot_is_the_book_as_of_its_sequence(free_port: int) -> None:
    """An independent book that follows what was heard up to exactly that sequence holds exactly that."""
    with answering(free_port, rate=4000, refresh_round_s=0.5) as (heard, recovery):
        heard.listen(0.5)
        session, taken = session_of(heard), []
        symbols = sorted({m.symbol for m in heard.messages() if m.kind == BOOK})
        for n in range(200):
            heard.listen(0.003)
            symbol = symbols[n % 7 % len(symbols)]
            answer, data = ask(recovery.listener, kind=SNAPSHOT, exchange=n % 5, session=session, symbol=symbol)
            assert answer.status == OK
            taken.append((n % 5, symbol, answer, data))
        heard.listen(0.2)
        assert recovery.status()["passed_by"] == 0
        for channel, symbol, answer, data in taken:
            assert answer.first == answer.last
            parts = list(messages(data))
            assert len(parts) == answer.count
            assert {(m.sequence, m.exchange, m.symbol, m.size <= 1472) for m in parts} == {
                (answer.last, channel, symbol, True)
            }
        check(heard, taken)


def check(heard: Heard, taken: list[tuple[int, str, Answer, bytes]]) -> None:
    """Compare each snapshot with a plain book of what was heard."""
    due = {}
    for channel, symbol, answer, data in taken:
        due.setdefault((channel, answer.last), []).append((symbol, list(messages(data))))
    books: dict[tuple[int, str], PlainBook] = {}
    compared = 0
    for m in heard.messages():
        if m.kind == BOOK:
            books.setdefault((m.exchange, m.symbol), PlainBook()).take(m)
        for symbol, parts in due.pop((m.exchange, m.sequence), []) if m.kind != HEARTBEAT else []:
            assert not books[m.exchange, symbol].parts
            take_refresh(books[m.exchange, symbol], parts)
            compared += 1
    assert not due
    assert compared == len(taken)


def take_refresh(book: PlainBook, parts: list[Message]) -> None:
    """Compare, as the book does with every REFRESH of the feed."""
    assert all(m.body["flags"] & REFRESH for m in parts)
    for m in parts:
        book.take(m)
    assert not book.parts


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let this process open more than a thousand sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def sent_by_the_schedule(heard: Heard, during: Callable[[], object]) -> float:
    """Return the messages sent, as a share of those that were due, in a second and more in which something is done."""
    state = heard.playback.sender.state
    before, began = int(state[NEXT_SEQUENCE : NEXT_SEQUENCE + 5].sum()), time.monotonic()
    during()
    heard.listen(max(0.1, began + 1.0 - time.monotonic()))
    # Instruments and REFRESH come on top of the rate; what is due in the last moment may still be on its way.
    due = heard.settings.rate * (time.monotonic() - began - 0.1)
    return (int(state[NEXT_SEQUENCE : NEXT_SEQUENCE + 5].sum()) - before) / due


@pytest.mark.usefixtures("many_files")
def test_a_thousand_connections_do_not_touch_the_schedule(free_port: int) -> None:
    """While they knock, as many messages go out as are due."""
    with answering(free_port, rate=5000) as (heard, recovery):
        heard.listen(0.5)

        def knock() -> None:
            flood = dial_at_once(recovery.listener, 1000)
            while recovery.listener.traffic.outcomes["refused"] < 1000 - 16:
                heard.listen(0.02)
            for sock in flood:
                sock.close()

        assert sent_by_the_schedule(heard, knock) > 1.0
        assert heard.playback.status()["starved"] == 0


def test_a_flood_of_requests_does_not_touch_the_schedule(free_port: int) -> None:
    """Sixteen receivers ask for as much as they can, and read nothing."""
    with answering(free_port, rate=5000) as (heard, recovery):
        heard.listen(0.8)
        fields = {"kind": RANGE, "exchange": 0, "session": session_of(heard), "first": 1, "last": 300}
        requests = 1000 * encode_request(Request(**fields, request_id=1))  # type: ignore[arg-type]
        socks = [dial(recovery.listener) for _ in range(16)]

        def press() -> None:
            end = time.monotonic() + 1.0
            while time.monotonic() < end:
                for sock in socks:
                    sock.setblocking(False)
                    with contextlib.suppress(BlockingIOError):
                        sock.send(requests)
                heard.listen(0.005)

        assert sent_by_the_schedule(heard, press) > 1.0
        assert recovery.status()["requests"]["range"]["ok"] >= 16
        for sock in socks:
            sock.close()


def check_wrong(listener: Listener, fields: dict[str, int], fine: tuple[Answer, bytes]) -> None:
    """Three answers in turn: another sequence under a right checksum, another range, a byte that is not right."""
    answer, data = ask(listener, **fields)
    assert answer == fine[0]
    assert next(messages(data)).sequence != 3
    answer, data = ask(listener, **fields)
    assert (answer.first != 3, data) == (True, fine[1])
    with pytest.raises(MalformedRecoveryError, match="checksum"):
        ask(listener, **fields)


def test_faults_are_those_asked_for(free_port: int) -> None:
    """Late, wrong, cut off, dead, and as before."""
    with answering(free_port) as (heard, recovery):
        heard.listen(0.4)
        fields = {"kind": RANGE, "exchange": 0, "session": session_of(heard), "first": 3, "last": 40}
        fine = ask(recovery.listener, **fields)
        assert fine[0].status == OK
        recovery.inject("slow")
        began = time.monotonic()
        assert ask(recovery.listener, **fields) == fine
        assert time.monotonic() - began >= 0.2
        recovery.inject("wrong")
        check_wrong(recovery.listener, fields, fine)
        recovery.inject("close")
        with dial(recovery.listener) as sock:
            sock.sendall(encode_request(Request(**fields, request_id=1)))  # type: ignore[arg-type]
            assert take(sock) == []
        with dial(recovery.listener) as sock:
            assert eventually(lambda: recovery.listener.connections == 1)
            recovery.inject("off")
            assert is_closed(sock)
        with dial(recovery.listener) as sock:
            assert is_closed(sock)
        recovery.inject("on")
        assert ask(recovery.listener, **fields) == fine
        assert recovery.status()["injected"] == 5


def test_every_counter_has_a_metric() -> None:
    """Each kind and status that can be answered, each outcome of a connection."""
    names = [s.name for s in series("replay")]
    assert names.count("replay_recovery_requests_total") == 2 * 12 + 1
    assert names.count("replay_recovery_connections_total") == 6


def test_a_port_that_is_taken_is_named(free_port: int) -> None:
    """With the setting to change."""
    with answering(free_port) as (heard, recovery):
        port = recovery.listener.port
        with pytest.raises(MissingError, match=rf"127\.0\.0\.1:{port}: Address already in use; .*recovery_port"):
            of(heard, recovery_port=port)

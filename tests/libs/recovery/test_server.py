"""What is answered: every range and session that can be asked for, and the limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.recovery.history import MIN_BYTES, MIN_MESSAGES, begin, new_history, oldest
from libs.recovery.server import Limits, RecoveryServer
from libs.wire.recovery import (
    ANSWER_BYTES,
    BAD_RANGE,
    BAD_REQUEST,
    NO_SNAPSHOT,
    NOT_YET,
    OK,
    RANGE,
    RATE_LIMITED,
    SNAPSHOT,
    STATUSES,
    TOO_MANY,
    TOO_OLD,
    UNKNOWN_CHANNEL,
    UNKNOWN_SESSION,
    Answer,
    Request,
    decode_answer,
)
from tests.libs.recovery.filled import SESSION_NS, expected, filled

SENT = 3000
U64 = 2**64 - 1


@pytest.fixture(scope="module")
def server() -> RecoveryServer:
    """Give a server whose history has lost its oldest messages."""
    return RecoveryServer(filled(new_history(1024, 4 << 20), SENT), None, Limits())


def ask(server: RecoveryServer, now_ns: int = 0, client: object = None, **fields: object) -> tuple[Answer, bytes]:
    """Return the answer to a range (or what the fields say), decoded."""
    request = Request(**{"kind": RANGE, "exchange": 0, "session": SESSION_NS, "request_id": 77} | fields)  # type: ignore[arg-type]
    client = object() if client is None else client
    data = server.answer(request, now_ns, client)  # type: ignore[arg-type]
    found = decode_answer(data)
    assert found is not None
    answer, messages = found
    assert len(data) == ANSWER_BYTES + len(messages)
    assert (answer.request_id, answer.kind, answer.exchange) == (77, request.kind, request.exchange)
    return answer, messages


@pytest.mark.parametrize(
    ("first", "last", "status"),
    [
        (0, 0, BAD_RANGE),
        (0, 5, BAD_RANGE),
        (2900, 2899, BAD_RANGE),
        (U64, 0, BAD_RANGE),
        (SENT + 1, SENT + 1, NOT_YET),
        (SENT + 1, SENT + 1024, NOT_YET),
        (2**63, 2**63, NOT_YET),
        (2**63 - 1, 2**63, NOT_YET),
        (U64, U64, NOT_YET),
        (1, 1, TOO_OLD),
        (1, 1024, TOO_OLD),
        (2500, 2500 + 1024, TOO_MANY),
        (1, U64, TOO_MANY),
        (2**63, U64, TOO_MANY),
        (SENT, SENT, OK),
        (2500, 2509, OK),
    ],
)
def test_each_range_has_its_status(server: RecoveryServer, first: int, last: int, status: int) -> None:
    """Of 0, reversed, not sent, beyond int64, evicted, too long; and messages come only with OK."""
    answer, messages = ask(server, first=first, last=last)
    assert STATUSES[answer.status] == STATUSES[status]
    if status == OK:
        assert (answer.first, answer.last, answer.count) == (first, last, last - first + 1)
        assert messages == expected(first, last)
        assert answer.session == SESSION_NS
    else:
        assert (answer.count, messages) == (0, b"")


@given(st.integers(0, U64), st.integers(0, U64), st.integers(0, U64), st.integers(0, 255), st.booleans())
def test_any_request_is_answered(first: int, last: int, session: int, exchange: int, right_session: bool) -> None:
    """Whatever the 64 bits say, there is an answer, and it never has messages of another session or channel."""
    server = RecoveryServer(filled(new_history(MIN_MESSAGES, MIN_BYTES), 50), None, Limits())
    of = SESSION_NS if right_session else session
    answer, messages = ask(server, first=first, last=last, session=of, exchange=exchange)
    if answer.status == OK:
        assert (of, exchange) == (SESSION_NS, 0)
        assert messages == expected(answer.first, answer.last)
    else:
        assert messages == b""


def test_a_tail_that_is_not_sent_yet_is_left_out(server: RecoveryServer) -> None:
    """The answer says how far it goes."""
    answer, messages = ask(server, first=SENT - 1, last=SENT + 50)
    assert (answer.status, answer.first, answer.last, answer.count) == (OK, SENT - 1, SENT, 2)
    assert messages == expected(SENT - 1, SENT)


def test_an_answer_has_at_most_so_many_bytes() -> None:
    """The rest is to be asked for again; a message longer than an answer is never had."""
    server = RecoveryServer(filled(new_history(), 100), None, Limits(answer_bytes=5000))
    answer, messages = ask(server, first=1, last=100)
    assert answer.status == OK
    assert messages == expected(1, answer.last)
    assert len(messages) <= 5000 < len(expected(1, answer.last + 1))
    assert ask(RecoveryServer(server.history, None, Limits(answer_bytes=10)), first=1, last=1)[0].status == TOO_OLD
    with pytest.raises(ValueError, match="answer_bytes: expected at most 1048576, found 1048577"):
        RecoveryServer(server.history, None, Limits(answer_bytes=1048577))


def test_too_old_says_what_is_left(server: RecoveryServer) -> None:
    """The oldest sequence that can be had stands in the answer."""
    answer, _ = ask(server, first=1, last=1)
    assert answer.first == oldest(server.history, 0)
    assert ask(server, first=answer.first, last=answer.first)[0].status == OK


def test_other_sessions_and_channels(server: RecoveryServer) -> None:
    """An old, a future, no session: unknown. A channel that is none is said so, a silent one has nothing yet."""
    for session in (0, SESSION_NS - 1, SESSION_NS + 1, U64):
        answer, _ = ask(server, first=2990, last=2990, session=session)
        assert (answer.status, answer.session) == (UNKNOWN_SESSION, SESSION_NS)
    assert ask(server, first=1, last=1, exchange=5)[0].status == UNKNOWN_CHANNEL
    assert ask(server, first=1, last=1, exchange=255)[0].status == UNKNOWN_CHANNEL
    assert ask(server, first=1, last=1, exchange=4)[0].status == NOT_YET


def test_before_the_first_session_and_after_a_new_one() -> None:
    """Nothing is answered for session 0; the old session is gone with all that it sent."""
    history = new_history()
    server = RecoveryServer(history, None, Limits())
    assert ask(server, first=1, last=1, session=0)[0].status == UNKNOWN_SESSION
    assert ask(server, kind=SNAPSHOT, first=0, last=0, session=0, symbol="A")[0].status == UNKNOWN_SESSION
    filled(history, 10)
    assert ask(server, first=1, last=10)[0].status == OK
    begin(history, SESSION_NS + 5)
    assert ask(server, first=1, last=10)[0].status == UNKNOWN_SESSION
    assert ask(server, first=1, last=10, session=SESSION_NS + 5)[0].status == NOT_YET


def test_requests_a_second_of_one_client() -> None:
    """As many as the limit at once, then as time passes; another client is not hindered."""
    server = RecoveryServer(filled(new_history(), 10), None, Limits(client_requests_per_s=10, requests_per_s=1000))
    at = 5_000_000_000

    def ok(n: int, now_ns: int, client: str) -> int:
        return sum(ask(server, now_ns, client, first=1, last=1)[0].status == OK for _ in range(n))

    assert ok(30, at, "a") == 10
    assert ask(server, at, "a", first=1, last=1)[0].status == RATE_LIMITED
    assert ok(5, at, "b") == 5
    assert ok(30, at + 500_000_000, "a") == 5
    assert ok(30, at + 3_600_000_000_000, "a") == 10
    assert ok(5, at, "a") == 0
    assert server.answered[("range", "rate_limited")] == 20 + 1 + 25 + 20 + 5


def test_requests_a_second_in_all() -> None:
    """Many clients together get no more than the limit."""
    server = RecoveryServer(filled(new_history(), 10), None, Limits(client_requests_per_s=10, requests_per_s=25))
    given_ = sum(ask(server, 1, client, first=1, last=1)[0].status == OK for client in range(10) for _ in range(10))
    assert given_ == 25


def test_clients_are_forgotten() -> None:
    """The table of clients is bounded, and one that is gone leaves nothing behind."""
    server = RecoveryServer(filled(new_history(), 10), None, Limits(clients=3))
    for client in range(100):
        ask(server, 1, client, first=1, last=1)
    assert list(server._clients) == [97, 98, 99]
    server.forget(98)
    server.forget(5)
    assert list(server._clients) == [97, 99]


def test_answers_are_counted_by_kind_and_status(server: RecoveryServer) -> None:
    """Each under its name; bytes that were no request under none."""
    before, messages = dict(server.answered), server.messages
    ask(server, first=2990, last=2994)
    ask(server, first=0, last=0)
    ask(server, kind=SNAPSHOT, first=0, last=0, symbol="BTC-USDT")
    ask(server, kind=SNAPSHOT, first=1, last=1, symbol="BTC-USDT")
    grown = {key: n - before[key] for key, n in server.answered.items() if n != before[key] and key[0] != "none"}
    assert grown == {
        ("range", "ok"): 1,
        ("range", "bad_range"): 1,
        ("snapshot", "no_snapshot"): 1,
        ("snapshot", "bad_range"): 1,
    }
    assert server.messages - messages == 5
    bad = decode_answer(server.bad_request())
    assert bad is not None
    assert (bad[0].status, bad[0].request_id) == (BAD_REQUEST, 0)
    assert server.answered[("none", "bad_request")] > before[("none", "bad_request")]


@pytest.mark.parametrize(("status", "data"), [(OK, b"x" * 6000), (NOT_YET, b""), (NO_SNAPSHOT, b"")])
def test_a_snapshot_is_what_the_mirror_says(status: int, data: bytes) -> None:
    """Its status, sequence and messages, if they fit into an answer."""

    class Fixed:
        def snapshot(self, channel: int, of: int, symbol: str) -> tuple[int, int, int, bytes]:
            assert (channel, of, symbol) == (3, SESSION_NS, "ETH-€")
            return status, 42, 2, data

    history = filled(new_history(), 1)
    fields = {"kind": SNAPSHOT, "exchange": 3, "first": 0, "last": 0, "symbol": "ETH-€"}
    answer, messages = ask(RecoveryServer(history, Fixed(), Limits()), **fields)
    assert (answer.status, messages) == (status, data)
    if status == OK:
        assert (answer.first, answer.last, answer.count, answer.session) == (42, 42, 2, SESSION_NS)
        small = RecoveryServer(history, Fixed(), Limits(answer_bytes=5999))
        assert ask(small, **fields)[0].status == NO_SNAPSHOT

"""The recovery client asks within its limits and believes nothing that it did not ask for."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from libs.recovery.client import RecoveryClient
from libs.recovery.wants import FOREVER, MS, Limits
from libs.wire.recovery import (
    BUSY,
    NOT_YET,
    OK,
    RANGE,
    SNAPSHOT,
    STATUSES,
    TOO_MANY,
    TOO_OLD,
    MalformedRecoveryError,
    Request,
    decode_answer,
)
from tests.libs.recovery import model

SESSION = 77
SMALL = Limits(
    messages=8,
    requests_per_second=20,
    in_flight=5,
    wants=12,
    held=2,
    held_ns=300 * MS,
    buffer_bytes=4096,
    want_ns=2000 * MS,
    snapshot_timeout_ns=40 * MS,
)
SENT = 60


class Rig:
    """A client, the position of its receiver, and a clock."""

    def __init__(self, limits: Limits = SMALL) -> None:
        self.now_ns = 1
        self.session = [SESSION, SESSION]
        self.expected = [1, 1]
        self.client = RecoveryClient(limits, lambda exchange: (self.session[exchange], self.expected[exchange]))

    def want(self, first: int, last: int) -> None:
        """Want a range of channel 0."""
        self.client.want_range(0, SESSION, first, last, self.now_ns)

    def due(self) -> list[Request]:
        """Return what is due now."""
        return self.client.due(self.now_ns)

    def answer(self, data: bytes) -> None:
        """Hand a whole answer in."""
        answer, rest = decode_answer(data)[0], decode_answer(data)[1]
        self.client.on_answer(answer, rest, self.now_ns)

    def delivered(self) -> list[bytes]:
        """Return what comes out now."""
        return self.client.deliveries(self.now_ns)

    def count(self, name: str) -> int:
        """Return a counter."""
        return self.client.counters[name]


class Misbehaving(RuleBasedStateMachine):
    """A server that loses, delays, repeats, cuts, changes and invents; a connection that breaks at any byte."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig()
        self.asked: set[tuple[int, int, int]] = set()
        self.asked_books: set[tuple[int, int, str]] = set()
        self.sent_ns: list[int] = []
        self.pending: list[Request] = []
        self.stream = bytearray()
        self.arrived = bytearray()

    @rule(exchange=st.integers(0, 1), first=st.integers(1, SENT), length=st.integers(1, 20))
    def want_range(self, exchange: int, first: int, length: int) -> None:
        session = self.rig.session[exchange]
        self.rig.client.want_range(exchange, session, first, min(first + length - 1, SENT), self.rig.now_ns)

    @rule(exchange=st.integers(0, 1), symbol=st.sampled_from(model.SYMBOLS))
    def want_snapshot(self, exchange: int, symbol: str) -> None:
        self.rig.client.want_snapshot(exchange, self.rig.session[exchange], symbol, self.rig.now_ns)

    @rule(wait_ns=st.sampled_from([1, MS // 10, MS, 7 * MS, 60 * MS, 1100 * MS]))
    def wait(self, wait_ns: int) -> None:
        self.rig.now_ns += wait_ns

    @rule(exchange=st.integers(0, 1), by=st.integers(1, 15))
    def receiver_moves(self, exchange: int, by: int) -> None:
        self.rig.expected[exchange] += by

    @rule(exchange=st.integers(0, 1))
    def session_changes(self, exchange: int) -> None:
        self.rig.session[exchange] += 1
        self.rig.expected[exchange] = 1

    @precondition(lambda self: self.pending)
    @rule(data=st.data(), kind=st.sampled_from(["right", "part", "twice", "status", "other", "changed", "cut", "lost"]))
    def serve(self, data: st.DataObject, kind: str) -> None:
        request = self.pending.pop(data.draw(st.integers(0, len(self.pending) - 1)))
        answer = model.answer_to(request, data.draw(st.integers(1, SENT)))
        if kind == "part":
            answer = model.answer_to(request, SENT, at_most=data.draw(st.integers(1, 4)))
        elif kind == "twice":
            answer += answer
        elif kind == "status":
            answer = model.refusal(request, data.draw(st.integers(1, len(STATUSES) - 1)))
        elif kind == "other":
            changes = {"first": request.first + data.draw(st.integers(1, 3)), "last": request.last + 3}
            answer = model.answer_to(Request(**(vars(request) | changes)), SENT)
        elif kind == "changed":
            at = data.draw(st.sampled_from(model.bytes_that_tell(answer)))
            answer = answer[:at] + bytes([answer[at] ^ data.draw(st.integers(1, 255))]) + answer[at + 1 :]
        elif kind == "cut":
            answer = answer[: data.draw(st.integers(0, len(answer) - 1))]
        self.stream += b"" if kind == "lost" else answer

    @precondition(lambda self: self.stream)
    @rule(share=st.floats(0, 1))
    def bytes_arrive(self, share: float) -> None:
        n = max(1, int(len(self.stream) * share))
        self.arrived += self.stream[:n]
        del self.stream[:n]
        self._decode()

    def _decode(self) -> None:
        try:
            while (found := decode_answer(self.arrived)) is not None:
                answer, messages = found
                del self.arrived[: 48 + len(messages)]
                self.rig.client.on_answer(answer, messages, self.rig.now_ns)
        except MalformedRecoveryError:
            self.rig.client.on_malformed(self.rig.now_ns)
            self.disconnect()
        if self.rig.client.is_distrusted:
            self.disconnect()

    @rule()
    def disconnect(self) -> None:
        self.pending.clear()
        self.stream.clear()
        self.arrived.clear()
        self.rig.client.on_disconnect(self.rig.now_ns)

    def _note(self, request: Request) -> None:
        self.pending.append(request)
        self.sent_ns.append(self.rig.now_ns)
        if request.kind == SNAPSHOT:
            self.asked_books.add((request.session, request.exchange, request.symbol))
            return
        assert 1 <= request.first <= request.last < request.first + SMALL.messages
        sequences = range(request.first, request.last + 1)
        self.asked |= {(request.session, request.exchange, sequence) for sequence in sequences}

    @invariant()
    def holds(self) -> None:
        """After every step."""
        self.only_truth_is_delivered()
        self.limits_hold()

    def only_truth_is_delivered(self) -> None:
        """What comes out was asked for, is what was sent, is of the session, and the receiver has reached it."""
        for request in self.rig.due():
            self._note(request)
        for delivery in self.rig.delivered():
            assert len(delivery) <= 60_000
            kind, exchange, session, found = model.split(delivery)
            if kind == SNAPSHOT:
                sequence = int.from_bytes(found[0][4:12], "little")
                assert sequence < self.rig.expected[exchange] and session == self.rig.session[exchange]
                books = [symbol for s, e, symbol in self.asked_books if (s, e) == (session, exchange)]
                assert delivery[16:] in [model.snapshot(session, exchange, book, sequence) for book in books]
                continue
            for message in found:
                sequence = int.from_bytes(message[4:12], "little")
                assert (session, exchange, sequence) in self.asked
                assert message == model.message(session, exchange, sequence)

    def limits_hold(self) -> None:
        """At every step everything is bounded, and the client never asks to be called at once for nothing."""
        client, now_ns = self.rig.client, self.rig.now_ns
        assert client.in_flight <= SMALL.in_flight
        assert client.wanted <= SMALL.wants
        assert client.buffered_bytes <= SMALL.buffer_bytes
        assert client.backoff.until_ns - now_ns <= SMALL.longest_backoff_ns
        assert client.next_due_ns(now_ns) > now_ns
        for at, sent_ns in enumerate(self.sent_ns[SMALL.requests_per_second :]):
            assert sent_ns - self.sent_ns[at] >= 1000 * MS

    def teardown(self) -> None:
        """Nothing is wanted for ever, though the server never answers again."""
        deadline_ns = self.rig.now_ns + SMALL.want_ns + 2000 * MS
        while (next_ns := self.rig.client.next_due_ns(self.rig.now_ns)) < FOREVER:
            self.rig.now_ns = next_ns
            self.holds()
            assert self.rig.now_ns <= deadline_ns
        assert self.rig.client.wanted == self.rig.client.in_flight == self.rig.client.buffered_bytes == 0


Misbehaving.TestCase.settings = settings(stateful_step_count=40)
test_misbehaving_server = Misbehaving.TestCase


def test_a_hole_is_asked_for_and_delivered() -> None:
    """A range goes out at once, and its messages come out as they were sent."""
    rig = Rig()
    rig.want(3, 6)
    [request] = rig.due()
    assert request == Request(RANGE, 0, SESSION, 3, 6, request.request_id)
    rig.answer(model.answer_to(request, SENT))
    [delivery] = rig.delivered()
    assert model.split(delivery) == (RANGE, 0, SESSION, [model.message(SESSION, 0, n) for n in range(3, 7)])
    assert (rig.client.wanted, rig.count("recovered_0"), rig.count("answers_ok")) == (0, 4, 1)


def test_a_long_range_is_cut_into_requests() -> None:
    """No request asks for more than the limit, and what an answer leaves out is asked for again at once."""
    rig = Rig()
    rig.want(1, 20)
    asked = []
    while requests := rig.due():
        asked += [(request.first, request.last) for request in requests]
        rig.answer(model.answer_to(requests[0], SENT, at_most=5))
    assert asked == [(1, 8), (6, 13), (11, 18), (16, 20)]
    assert sum(len(model.split(delivery)[3]) for delivery in rig.delivered()) == 20


def test_what_a_line_brought_is_not_asked_for() -> None:
    """A range shrinks with what the receiver has, and is dropped when it has all of it or is in another session."""
    rig = Rig()
    rig.want(3, 6)
    rig.want(1, 2)
    rig.expected[0] = 5
    assert [(request.first, request.last) for request in rig.due()] == [(5, 6)]
    rig.session[0] += 1
    rig.now_ns += 100 * MS
    assert rig.due() == []
    assert (rig.client.wanted, rig.count("dropped_unneeded"), rig.count("dropped_session")) == (0, 1, 1)


def test_the_same_thing_is_wanted_once() -> None:
    """Wanting again what is wanted changes nothing; more than the limit is refused and counted."""
    rig = Rig()
    for first in range(1, 20):
        rig.want(first, first)
        rig.want(first, first)
    assert (rig.client.wanted, rig.count("dropped_full")) == (SMALL.wants, 2 * (19 - SMALL.wants))


def test_ranges_go_before_snapshots() -> None:
    """Snapshots that were wanted first still leave room for ranges."""
    rig = Rig(Limits(in_flight=8))
    for number in range(20):
        rig.client.want_snapshot(0, SESSION, f"S{number}", rig.now_ns)
    assert [request.kind for request in rig.due()] == [SNAPSHOT] * 2
    for first in range(10, 30, 2):
        rig.want(first, first)
    assert [request.kind for request in rig.due()] == [RANGE] * 6


def test_a_snapshot_waits_for_the_receiver() -> None:
    """A book of the future is held back until the receiver has everything that it contains."""
    rig = Rig()
    rig.client.want_snapshot(1, SESSION, "BTC-USDT", rig.now_ns)
    [request] = rig.due()
    rig.answer(model.answer_to(request, 9))
    rig.expected[1] = 9
    assert rig.delivered() == []
    assert rig.client.next_due_ns(rig.now_ns) == rig.now_ns + MS
    rig.expected[1] = 10
    assert [delivery[16:] for delivery in rig.delivered()] == [model.snapshot(SESSION, 1, "BTC-USDT", 9)]
    assert (rig.count("snapshots_1"), rig.client.buffered_bytes) == (1, 0)


def test_a_snapshot_that_is_never_reached_is_dropped() -> None:
    """A held snapshot goes with its time, or with its session."""
    rig = Rig()
    for symbol in model.SYMBOLS:
        rig.client.want_snapshot(1, SESSION, symbol, rig.now_ns)
        rig.answer(model.answer_to(rig.due()[0], 9))
        rig.now_ns += 145 * MS
    assert rig.delivered() == [] and rig.count("dropped_old") == 0
    rig.now_ns += 10 * MS
    assert rig.delivered() == [] and rig.count("dropped_old") == 1
    rig.session[1] += 1
    assert rig.delivered() == [] and rig.count("dropped_session") == 1
    assert rig.client.buffered_bytes == 0


def test_time_outs_are_tried_again_with_backoff() -> None:
    """No answer: asked again after 2, 4, 8 ms more, under a new id, until there were enough tries."""
    rig = Rig()
    rig.want(1, 4)
    asked_ns = []
    while rig.client.wanted:
        asked_ns += [rig.now_ns for _ in rig.due()]
        rig.now_ns = min(rig.client.next_due_ns(rig.now_ns), rig.now_ns + MS)
    waits = [(after - before) // MS for before, after in pairwise(asked_ns)]
    assert waits == [17, 19, 23, 31, 47, 79, 143]
    assert (rig.count("timeouts"), rig.count("dropped_tries")) == (8, 1)


def test_a_late_answer_is_taken() -> None:
    """What comes after its time-out is as good; what was asked for again meanwhile is unneeded then."""
    rig = Rig()
    rig.want(1, 4)
    [early] = rig.due()
    rig.now_ns += 20 * MS
    assert rig.due() == []
    rig.now_ns += 20 * MS
    [again] = rig.due()
    rig.answer(model.answer_to(early, SENT))
    assert len(rig.delivered()) == 1
    rig.answer(model.answer_to(again, SENT))
    assert rig.delivered() == []
    assert (rig.count("late"), rig.count("unneeded"), rig.count("recovered_0")) == (1, 1, 4)


def test_many_failures_at_once_wait_once() -> None:
    """Requests in flight together that fail together double the wait once."""
    rig = Rig()
    for first in range(1, 6):
        rig.want(first, first)
    for request in rig.due():
        rig.answer(model.refusal(request, BUSY))
    assert rig.client.backoff.until_ns == rig.now_ns + 2 * MS
    assert rig.due() == []
    rig.now_ns += 2 * MS
    assert len(rig.due()) == 5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": SNAPSHOT}, "wrong_request"),
        ({"exchange": 1}, "wrong_request"),
        ({"session": SESSION + 1}, "wrong_request"),
        ({"first": 2}, "wrong_request"),
        ({"last": 5}, "wrong_request"),
        ({"first": 4, "last": 3}, "wrong_request"),
        ({"last": 3}, "wrong_count"),
        ({"count": 3}, "wrong_count"),
        ({"status": TOO_OLD}, "unexpected_messages"),
        ({"request_id": 999}, "unknown_request"),
    ],
)
def test_answers_that_do_not_fit_are_refused(change: dict[str, int], reason: str) -> None:
    """Each part of an answer's header is held against the request; what fails is counted and asked for again."""
    rig = Rig()
    rig.want(1, 4)
    answer, messages = decode_answer(model.answer_to(rig.due()[0], SENT))
    rig.client.on_answer(type(answer)(**(vars(answer) | change)), messages, rig.now_ns)
    assert rig.delivered() == []
    assert {name: n for name, n in rig.client.counters.items() if name.startswith("refused") and n} == {
        f"refused_{reason}": 1
    }
    rig.now_ns += 20 * MS
    rig.due()
    rig.now_ns += 20 * MS
    assert rig.client.in_flight or len(rig.due()) == 1


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(status, "dropped_status") for status in range(1, len(STATUSES)) if STATUSES[status] not in
     {"too_many", "not_yet", "rate_limited", "busy"}],
)  # fmt: skip
def test_what_cannot_be_had_is_dropped(status: int, outcome: str) -> None:
    """A refusal that will not change ends the want."""
    rig = Rig()
    rig.want(1, 1)
    rig.answer(model.refusal(rig.due()[0], status))
    assert (rig.client.wanted, rig.count(outcome), rig.count(f"answers_{STATUSES[status]}")) == (0, 1, 1)


def test_too_many_asks_for_less() -> None:
    """A server whose limit is lower is asked for half as much, down to 16 messages, until the connection ends."""
    rig = Rig(Limits())
    rig.want(1, 1000)
    lengths = []
    for _ in range(8):
        for request in rig.due():
            lengths.append(request.last - request.first + 1)
            rig.answer(model.refusal(request, TOO_MANY))
    assert lengths == [1000, 500, 250, 125, 62, 31, 16]
    assert rig.client.wanted == 0


def test_not_yet_is_asked_for_soon() -> None:
    """What the server has not sent is asked for again after 1, 2, 4 ms, and holds nobody else up."""
    rig = Rig()
    rig.want(50, 50)
    for wait_ms in (1, 2, 4):
        rig.answer(model.refusal(rig.due()[0], NOT_YET))
        assert rig.client.next_due_ns(rig.now_ns) == rig.now_ns + wait_ms * MS
        rig.want(wait_ms, wait_ms)
        rig.answer(model.answer_to(rig.due()[0], SENT))
        assert len(rig.delivered()) == 1
        rig.now_ns += wait_ms * MS


def test_distrust_ends_with_the_connection() -> None:
    """Eight failures in a row, and another connection is to be tried, which begins without distrust."""
    rig = Rig(Limits())
    for number in range(8):
        assert not rig.client.is_distrusted
        rig.client.on_malformed(rig.now_ns + number)
    assert rig.client.is_distrusted
    rig.client.on_disconnect(rig.now_ns)
    assert not rig.client.is_distrusted


def test_what_is_not_fetched_stops_the_asking() -> None:
    """With half of the buffer full nothing more is asked for; what does not fit is refused and tried again."""
    rig = Rig(Limits(messages=8, buffer_bytes=700))
    for first in range(1, 41, 8):
        rig.want(first, first + 7)
    for request in rig.due():
        rig.answer(model.answer_to(request, SENT))
    assert 350 <= rig.client.buffered_bytes <= 700
    assert rig.count("refused_no_room") > 0
    rig.now_ns += 20 * MS
    assert rig.due() == []
    sizes = Counter()
    while rig.client.wanted:
        sizes.update(len(delivery) for delivery in rig.delivered())
        rig.now_ns += MS
        for request in rig.due():
            rig.answer(model.answer_to(request, SENT))
    assert rig.count("recovered_0") == 40


def test_a_big_answer_is_cut_between_messages() -> None:
    """No delivery is longer than 60,000 bytes, and none begins or ends within a message."""
    rig = Rig(Limits())
    rig.want(1, 1024)
    [request] = rig.due()
    rig.answer(model.answer_to(request, 2000))
    found = rig.delivered()
    assert len(found) == 2 and max(map(len, found)) <= 60_000
    assert b"".join(delivery[16:] for delivery in found) == model.messages(SESSION, 0, 1, 1024)
    assert sum(len(model.split(delivery)[3]) for delivery in found) == 1024


def test_a_session_is_needed() -> None:
    """Before a session is known nothing can be asked for; a range that is none is not wanted."""
    rig = Rig()
    rig.client.want_range(0, 0, 1, 4, rig.now_ns)
    rig.want(4, 3)
    rig.want(0, 3)
    rig.client.want_snapshot(0, SESSION, "", rig.now_ns)
    assert (rig.client.wanted, rig.count("dropped_no_session")) == (0, 1)
    assert rig.client.next_due_ns(rig.now_ns) == FOREVER
    assert OK == 0

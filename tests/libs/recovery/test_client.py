"""The recovery client asks within its limits and believes nothing that it did not ask for."""

from __future__ import annotations

from collections import Counter

import pytest

from libs.recovery.wants import FOREVER, MS, Limits
from libs.wire.recovery import (
    OK,
    RANGE,
    SNAPSHOT,
    STATUSES,
    TOO_OLD,
    Request,
    decode_answer,
)
from tests.libs.recovery import model
from tests.libs.recovery.model import SENT, SESSION, SMALL, Rig


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

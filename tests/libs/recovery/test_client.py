"""The recovery client asks within its limits and believes nothing that it did not ask for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

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


def test_a_late_answer_that_is_wrong_changes_nothing() -> None:
    """What was asked for again meanwhile is not asked for a third time because the first answer is refused."""
    rig = Rig()
    rig.want(1, 4)
    [early] = rig.due()
    rig.now_ns += 40 * MS
    rig.due()
    rig.now_ns += 2 * MS
    assert len(rig.due()) == 1
    rig.answer(model.answer_to(replace(early, first=2), SENT))
    rig.now_ns += 4 * MS
    assert rig.due() == []
    assert (rig.count("refused_wrong_request"), rig.client.in_flight) == (1, 1)


def test_late_snapshots_find_no_more_room_than_others() -> None:
    """Books that come after their time-out are held within the same bounds."""
    rig = Rig(Limits(in_flight=8, held=2))
    for symbol in ("A", "B"):
        rig.client.want_snapshot(1, SESSION, symbol, rig.now_ns)
    late, _ = rig.due()
    rig.now_ns += 500 * MS
    rig.due()
    rig.now_ns += 2 * MS
    first, second = rig.due()
    rig.answer(model.refusal(first, NOT_YET))
    rig.client.want_snapshot(1, SESSION, "C", rig.now_ns)
    [third] = rig.due()
    for request in (late, second, third):
        rig.answer(model.answer_to(request, 9))
    assert [request.symbol for request in (late, second, third)] == ["A", "B", "C"]
    assert rig.count("refused_no_room") == 1
    rig.expected[1] = 10
    assert len(rig.delivered()) == 2


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

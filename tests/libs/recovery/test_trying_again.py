"""When the recovery client asks again: late, refused, too early; and whom it leaves."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from libs.recovery.wants import MS, Limits
from libs.wire.recovery import (
    BUSY,
    NOT_YET,
    RANGE,
    SNAPSHOT,
    TOO_MANY,
)
from tests.libs.recovery import model
from tests.libs.recovery.model import SENT, SESSION, Rig


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


def test_a_busy_book_holds_nobody_up() -> None:
    """A book within an event is asked for again after 1 ms; ranges go on meanwhile."""
    rig = Rig()
    rig.client.want_snapshot(0, SESSION, "BTC-USDT", rig.now_ns)
    rig.answer(model.refusal(rig.due()[0], BUSY))
    rig.want(1, 1)
    assert [request.kind for request in rig.due()] == [RANGE]
    rig.now_ns += MS
    assert [request.kind for request in rig.due()] == [SNAPSHOT]

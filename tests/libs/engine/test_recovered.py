"""What recovery gives: retransmitted messages in their place, snapshots spliced with what came after them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.engine.recovered import RANGE, SNAPSHOT
from tests.libs.engine.harness import LAST, MS, REFRESH, SESSION, Feed, Host
from tests.libs.engine.harness import SNAPSHOT as M_SNAPSHOT

Levels = list[tuple[int, int]]


def _image(feed: Feed, sequence: int, bids: Levels, asks: Levels, flags: int = M_SNAPSHOT | LAST | REFRESH) -> object:
    """Return a requested snapshot as of ``sequence``; it takes no number."""
    part = feed.book(flags, bids, asks)
    feed.next -= 1
    return replace(part, sequence=sequence)


def _begun(feed: Feed, host: Host) -> None:
    host.with_requests()
    host.take(feed.heartbeat(1), feed.instrument(), feed.snapshot())


def test_a_missing_range_is_asked_for_once_and_heals(feed: Feed, host: Host) -> None:
    """After 1 ms exactly what is missing is asked for; the answer is applied before what was held."""
    _begun(feed, host)
    missing = [feed.book(LAST, [(9_999, n)], []) for n in (1, 2)]
    host.take(feed.book(LAST, [(9_998, 7)], []))
    assert host.requests("range") == []
    host.wait(2 * MS)
    (request,) = host.requests("range")
    assert request[:5] == [RANGE, 0, SESSION, 3, 4]
    host.wait(2 * MS)
    assert host.requests("range") == []
    host.recover(RANGE, *missing)
    host.wait(0)
    assert host.valid() and host.levels()[0] | {9_999: 2, 9_998: 7} == host.levels()[0]
    found = host.ledger()
    assert found["healed_by"] == {"line": 0, "retransmission": 1, "snapshot": 0, "feed": 0}
    assert (found["lost"], found["gaps"]) == (0, 1)


def test_only_what_is_missing_is_asked_for(feed: Feed, host: Host) -> None:
    """What came meanwhile splits a hole: two runs are asked for, not what lies between them."""
    _begun(feed, host)
    numbers = [feed.status(4, "BTC-USDT") for _ in range(6)]
    host.take(feed.heartbeat())
    host.take(numbers[2])
    host.wait(2 * MS)
    assert [request[3:5] for request in host.requests("range")] == [[3, 4], [6, 8]]


def test_a_window_of_later_messages_asks_at_once(feed: Feed, host: Host) -> None:
    """With 64 messages after it a hole is asked for before its time."""
    _begun(feed, host)
    feed.status(4, "BTC-USDT")
    host.take(*(feed.status(4, "BTC-USDT") for _ in range(65)))
    host.wait(0)
    assert [request[3:5] for request in host.requests("range")] == [[3, 3]]


def test_answers_of_another_session_are_not_believed(feed: Feed, host: Host) -> None:
    """A delivery of an old session changes nothing and is counted."""
    _begun(feed, host)
    missing = feed.book(LAST, [(9_999, 1)], [])
    host.take(feed.heartbeat())
    host.recover(RANGE, missing, session=SESSION - 1)
    assert host.ledger()["missing"] == 1
    assert int(host.engine.arrays["receive_counts"][13]) == 1


def test_a_lost_range_asks_for_snapshots_and_splices(feed: Feed, host: Host) -> None:
    """Deltas wait for the snapshot: those that it contains are refused, those after it applied on top."""
    _begun(feed, host)
    feed.status(4)  # 3, lost
    host.take(feed.book(LAST, [(9_999, 1)], []))  # 4
    host.wait(51 * MS)
    assert host.flags() == ["gap"]
    (request,) = host.requests("snapshot")
    assert (request[0], request[1], request[2], request[5]) == (SNAPSHOT, 0, SESSION, host.id_of())
    host.take(feed.book(LAST, [(9_998, 2)], []), feed.book(LAST, [], [(10_001, 3)]))  # 5, 6
    assert host.ledger()["pending"] == 3
    host.recover(SNAPSHOT, _image(feed, 5, [(9_998, 2), (9_990, 1)], [(10_001, 9)]))
    assert host.valid() and host.levels() == ({9_998: 2, 9_990: 1}, {10_001: 3})
    found = host.ledger()
    assert (found["refused"], found["pending"]) == ({"not_valid": 2}, 0)
    assert found["healed_by"]["snapshot"] == 1


def test_a_snapshot_from_before_the_loss_is_not_believed(feed: Feed, host: Host) -> None:
    """A snapshot must contain what was lost; otherwise another one is asked for."""
    _begun(feed, host)
    lost = feed.status(4)
    host.take(feed.book(LAST, [(9_999, 1)], []))
    host.wait(51 * MS)
    host.requests("snapshot")
    host.recover(SNAPSHOT, _image(feed, lost.sequence - 1, [(9_998, 2)], [(10_001, 9)]))
    assert not host.valid()
    assert len(host.requests("snapshot")) == 1


def test_a_snapshot_of_what_is_still_to_come_is_not_believed(feed: Feed, host: Host) -> None:
    """A snapshot may not run ahead of the channel."""
    _begun(feed, host)
    feed.status(4)
    host.take(feed.heartbeat())
    host.wait(51 * MS)
    host.recover(SNAPSHOT, _image(feed, 9, [(9_998, 2)], [(10_001, 9)]))
    assert not host.valid() and int(host.engine.arrays["receive_counts"][14]) == 1


def test_parts_without_an_end_leave_no_trace(feed: Feed, host: Host) -> None:
    """A requested snapshot that stops midway is dropped by the next thing that happens to its book."""
    _begun(feed, host)
    feed.status(4)
    host.take(feed.heartbeat())
    host.wait(51 * MS)
    host.recover(SNAPSHOT, _image(feed, 3, [(9_998, 2)], [], M_SNAPSHOT | REFRESH))
    assert host.flags() == ["gap"] and host.ledger()["pending"] == 0
    host.take(feed.book(M_SNAPSHOT | LAST, [(9_000, 1)], [(9_001, 1)]))
    assert host.valid() and host.levels() == ({9_000: 1}, {9_001: 1})
    assert host.ledger()["healed_by"]["feed"] == 1


def test_a_feeds_own_snapshot_settles_what_waits(feed: Feed, host: Host) -> None:
    """When the venue's snapshot comes first, what waited is refused, and the requested one is not needed."""
    _begun(feed, host)
    feed.status(4)
    host.take(feed.book(LAST, [(9_999, 1)], []))
    host.wait(51 * MS)
    host.take(feed.snapshot(mid=9_000))
    assert host.valid() and host.ledger()["pending"] == 0
    host.recover(SNAPSHOT, _image(feed, 4, [(1, 1)], [(2, 1)]))
    assert 1 not in host.levels()[0]


def test_a_status_that_voids_the_book_voids_older_snapshots(feed: Feed, host: Host) -> None:
    """After "symbol invalid" a snapshot taken before it heals nothing."""
    _begun(feed, host)
    host.take(feed.status(2, "BTC-USDT"))
    host.recover(SNAPSHOT, _image(feed, 2, [(9_998, 2)], [(10_001, 9)]))
    assert host.flags() == ["bad"]
    host.recover(SNAPSHOT, _image(feed, 3, [(9_998, 2)], [(10_001, 9)]))
    assert host.valid()


def test_the_log_of_waiting_deltas_is_bounded() -> None:
    """When the log is full the oldest deltas are refused, and a snapshot from before them is not believed."""
    feed, host = Feed(), Host(ring_capacity=1024)
    _begun(feed, host)
    feed.status(4)  # 3
    host.take(feed.heartbeat())
    host.wait(51 * MS)
    host.requests("snapshot")
    host.take(*(feed.book(LAST, [(9_000 + n, 1)], []) for n in range(600)))
    found = host.ledger()
    assert found["pending"] <= 1024 // 3 and found["refused"]["not_valid"] >= 600 - 1024 // 3
    host.recover(SNAPSHOT, _image(feed, 10, [(1, 1)], [(2, 1)]))
    assert not host.valid()
    last = feed.next - 1
    host.recover(SNAPSHOT, _image(feed, last - 5, [(1, 1)], [(20_000, 1)]))
    assert host.valid() and len(host.levels()[0]) == 6


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6), st.integers(0, 3)), max_size=40), st.data())
def test_spliced_books_equal_the_senders(steps: list[tuple[int, int, int]], data: st.DataObject) -> None:
    """Whatever was lost, and whenever the snapshot was taken: the book is the sender's book, or not valid."""
    feed, host = Feed(), Host()
    _begun(feed, host)
    truth: dict[int, tuple[dict[int, int], dict[int, int]]] = {}
    bids = {9_999 - i: 10 + i for i in range(5)}
    asks = {10_001 + i: 20 + i for i in range(5)}
    truth[feed.next - 1] = (dict(bids), dict(asks))
    for kind, level, size in steps:
        price = 9_990 + level if kind == 0 else 10_001 + level
        message = feed.book(LAST, [(price, size)] if kind == 0 else [], [(price, size)] if kind else [])
        side = (bids, asks)[kind]
        side.pop(price, None)
        side |= {price: size} if size else {}
        truth[feed.next - 1] = (dict(bids), dict(asks))
        if data.draw(st.integers(0, 3)):
            host.take(message)
        else:
            host.take(feed.heartbeat())
            host.wait(51 * MS)
        if host.requests("snapshot") or data.draw(st.integers(0, 5)) == 0:
            of = data.draw(st.sampled_from(sorted(truth)))
            image = truth[of]
            host.recover(SNAPSHOT, _image(feed, of, list(image[0].items()), list(image[1].items())))
        if host.valid():
            assert host.levels() == (bids, asks)
        host.ledger()

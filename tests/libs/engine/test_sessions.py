"""Sessions and time: each thing that can happen has a rule and a counter (libs/sequencing/README.md)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from libs.engine.control import tick
from libs.engine.recovered import SNAPSHOT as REQUESTED
from libs.sequencing.sessions import BACK_NS, SILENCE_NS
from tests.libs.engine.harness import LAST, MS, REFRESH, SESSION, SNAPSHOT, Feed, Host


def test_a_restart_of_the_sender_in_the_midst_of_everything(feed: Feed, host: Host) -> None:
    """An open hole, held messages, an open event and waiting deltas are all settled when a new session begins."""
    host.with_requests()
    host.take(feed.heartbeat(1), feed.instrument(), feed.instrument("ETH-USDT"), feed.snapshot())
    feed.status(4)
    host.take(feed.heartbeat())
    host.wait(51 * MS)
    host.take(feed.book(LAST, [(9_999, 1)], []), feed.book(SNAPSHOT, [(1, 1)], [], "ETH-USDT"))
    feed.status(4)
    host.take(feed.trade())
    assert host.ledger()["pending"] == 3
    feed.restart()
    host.take(feed.heartbeat(1))
    found = host.ledger()
    assert (found["pending"], found["missing"], found["sessions"]) == (0, 0, 2)
    assert found["refused"] == {"not_valid": 1, "incomplete_event": 1}
    host.take(feed.instrument(), feed.snapshot())
    assert host.valid() and not host.valid("ETH-USDT")


def test_a_clock_set_back_before_a_restart_is_believed_after_silence(feed: Feed, host: Host) -> None:
    """A session with a smaller number is foreign while the present one speaks, and the session once it is silent."""
    host.take(feed.heartbeat(1), feed.instrument(), feed.snapshot())
    older = Feed(session=SESSION - 3_600_000_000_000)
    host.take(older.heartbeat(1))
    assert host.ledger()["foreign_session"] == 1 and host.valid()
    host.now += SILENCE_NS + 1
    host.take(older.heartbeat(1), older.instrument(), older.snapshot(mid=5_000))
    found = host.ledger()
    assert (found["session"], found["sessions"]) == (older.session, 2)
    assert host.valid() and 4_999 in host.levels()[0]
    assert found["watermark_us"] < feed.now_us, "feed time of the old session is forgotten"


def test_a_sender_that_jumps_back_within_its_session_voids_the_books(feed: Feed, host: Host) -> None:
    """What cannot be told from repetitions is never applied on top of old books: they wait for new snapshots."""
    host.take(feed.heartbeat(1), feed.instrument(), *(feed.snapshot() for _ in range(9)))
    feed.next = 3
    host.take(feed.book(LAST, [(9_999, 77)], []))
    assert host.ledger()["duplicate"] == 1 and host.levels()[0][9_999] != 77
    for _ in range(12):
        host.now += BACK_NS // 10
        host.take(feed.heartbeat())
    found = host.ledger()
    assert host.flags() == ["no_snapshot"]
    assert found["sequence_back"] >= 10 and found["sessions"] == 2
    host.take(feed.snapshot(mid=8_000))
    assert host.valid() and host.ledger()["lost"] == 0


def test_a_consumer_that_joins_late_needs_no_request(feed: Feed) -> None:
    """The first thing heard decides where the ledger begins; REFRESH brings the books."""
    for first_is_heartbeat in (True, False):
        sender = Feed()
        for _ in range(50):
            sender.snapshot()
        host = Host()
        if first_is_heartbeat:
            host.take(sender.heartbeat())
        host.take(sender.instrument(), sender.book(LAST, [(9_999, 1)], []))
        assert host.flags() == ["no_snapshot"]
        host.take(sender.book(SNAPSHOT | LAST | REFRESH, [(9_000, 1)], [(9_001, 1)]))
        found = host.ledger()
        assert host.valid()
        assert (found["before_join"], found["lost"], found["gaps"]) == (50, 0, 0)


def test_a_late_joiner_may_ask_for_a_snapshot(feed: Feed) -> None:
    """A delta of a book that never had a snapshot makes one wanted; one from before the join is not believed."""
    for _ in range(50):
        feed.snapshot()
    host = Host().with_requests()
    host.take(feed.heartbeat(), feed.instrument(), feed.book(LAST, [(9_999, 1)], []))
    assert len(host.requests("snapshot")) == 1
    image = replace(feed.book(SNAPSHOT | LAST | REFRESH, [(9_000, 1)], [(9_001, 1)]), sequence=40)
    feed.next -= 1
    host.recover(REQUESTED, image)
    assert not host.valid()
    host.recover(REQUESTED, replace(image, sequence=51))
    assert host.valid() and host.levels()[0] == {9_000: 1, 9_999: 1}


def test_quiet_is_not_mute(feed: Feed, host: Host) -> None:
    """Heartbeats without messages keep books fresh; no sign of life within the venue's own limit makes them stale."""
    other = Feed(exchange=4)
    host.engine.arrays["process_settings"][8 + 4] = 500 * MS
    host.take(feed.heartbeat(1), feed.instrument(), feed.snapshot())
    host.take(other.heartbeat(1), other.instrument(), other.snapshot())
    for _ in range(6):
        host.now += 100 * MS
        host.take(feed.heartbeat())
        tick(host.directory, host.now)
    assert host.flags() == [] and host.flags(exchange=4) == ["stale"]
    host.take(other.heartbeat())
    assert host.flags(exchange=4) == []


def test_a_sequence_that_cannot_be_changes_nothing(feed: Feed, host: Host) -> None:
    """One damaged number must not make everything after it a repetition."""
    host.take(feed.heartbeat(1), feed.instrument(), feed.snapshot())
    host.take(replace(feed.trade(), sequence=1 << 60), replace(feed.heartbeat(), next_sequence=1 << 61))
    feed.next -= 1
    host.take(feed.trade())
    found = host.ledger()
    assert (found["lost"], found["gaps"], found["far_ahead"]) == (0, 0, 2)
    assert host.valid() and int(host.engine.arrays["receive_counts"][10]) == 1


@pytest.mark.parametrize("reached", [1, 9])
def test_what_was_joined_before_any_session_was_named_is_void_when_another_one_is(reached: int) -> None:
    """A receiver that joined a dying sender's messages never takes them for those of the session it hears of first."""
    host, dying, feed = Host(), Feed(), Feed()
    host.take(dying.instrument(), dying.snapshot(), *(dying.trade() for _ in range(3)))
    assert host.valid()
    feed.restart()
    for _ in range(reached - 1):
        feed.trade()
    host.take(feed.heartbeat())
    assert host.flags() == ["no_snapshot"] and host.column("EXPECTED") == reached
    host.take(feed.instrument(), feed.snapshot(mid=8_000))
    assert host.valid() and host.ledger()["session"] == feed.session


def test_messages_before_their_own_sessions_first_heartbeat_stand() -> None:
    """A receiver that joins by a message keeps its books when the heartbeat of that session comes."""
    host, feed = Host(), Feed()
    host.take(feed.instrument(), feed.snapshot(), feed.heartbeat(), feed.trade())
    assert host.valid() and host.ledger()["sessions"] == 1


def test_messages_that_a_heartbeat_should_have_come_before_wait_for_one(feed: Feed, host: Host) -> None:
    """After an outage that a restart may hide in, nothing is applied until a heartbeat says whose it is."""
    host.take(feed.instrument(), feed.snapshot(), feed.heartbeat())
    feed.restart()
    feed.now_us += 100_000
    feed.next = 3
    host.take(feed.book(LAST, [(9_999, 77)], []))
    assert host.column("UNNAMED") == 1 and host.levels()[0][9_999] != 77
    assert host.ledger()["received"] == 2
    host.take(feed.heartbeat())
    assert host.flags() == ["no_snapshot"] and host.column("HIGHEST") == 3
    host.wait(51 * MS)
    host.take(feed.instrument(), feed.snapshot())
    assert host.valid()


def test_messages_within_a_heartbeats_interval_need_none(feed: Feed, host: Host) -> None:
    """A message up to 100 ms after the last one heard is taken, however many heartbeats are lost."""
    host.take(feed.instrument(), feed.snapshot())
    for _ in range(20):
        feed.now_us += 99_000
        host.take(feed.book(LAST, [(9_999, 77)], []))
    assert host.column("UNNAMED") == 0 and host.valid() and host.levels()[0][9_999] == 77


def test_nothing_is_taken_for_the_session_that_never_was_named() -> None:
    """A receiver that joined by messages alone takes none that come after an outage, before a heartbeat."""
    host, feed = Host(), Feed()
    host.take(feed.instrument(), feed.snapshot())
    feed.restart()
    feed.now_us += 100_000
    feed.next = 3
    host.take(feed.book(LAST, [(9_999, 77)], []))
    assert host.column("UNNAMED") == 1 and host.levels()[0][9_999] != 77
    host.take(feed.heartbeat())
    assert host.flags() == ["no_snapshot"] and host.ledger()["session"] == feed.session


@pytest.mark.parametrize(("back_us", "refused"), [(49_000, 0), (51_000, 1)])
def test_a_clock_that_was_set_back_within_the_session_names_another(
    feed: Feed, host: Host, back_us: int, refused: int
) -> None:
    """A higher sequence stamped earlier is not taken before a heartbeat; what is a little earlier is."""
    host.take(feed.heartbeat(), feed.instrument(), feed.snapshot())
    feed.now_us += 90_000
    host.take(feed.trade())
    feed.now_us -= back_us
    host.take(feed.book(LAST, [(9_999, 77)], []))
    assert host.column("UNNAMED") == refused
    assert (host.levels()[0].get(9_999) == 77) != bool(refused)


def test_without_a_name_no_clock_runs_backwards() -> None:
    """The same, however little, while no heartbeat was heard."""
    host, feed = Host(), Feed()
    host.take(feed.instrument(), feed.snapshot())
    feed.now_us -= 1_000
    host.take(feed.book(LAST, [(9_999, 77)], []))
    assert host.column("UNNAMED") == 1 and host.levels()[0].get(9_999) != 77
    feed.session -= 1_000_000_000
    host.take(feed.heartbeat())
    assert host.flags() == ["no_snapshot"] and host.ledger()["session"] == feed.session

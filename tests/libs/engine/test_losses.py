"""What a loss does to books, and what heals it."""

from __future__ import annotations

from tests.libs.engine.harness import LAST, MS, REFRESH, SNAPSHOT, Feed, Host


def test_a_lost_range_invalidates_until_the_snapshot(feed: Feed, host: Host) -> None:
    """A hole makes books suspect after 1 ms and invalid after 50 ms; each is valid again from its own snapshot on."""
    host.take(feed.instrument(), feed.instrument("ETH-USDT"), feed.snapshot(), feed.snapshot("ETH-USDT"))
    feed.book(LAST, [(9_999, 1)], [])  # lost
    host.take(feed.book(LAST, [(9_998, 1)], []))
    assert host.valid()
    host.wait(2 * MS)
    assert host.flags() == ["suspect"]
    assert host.levels()[0][9_998] == 11
    host.wait(50 * MS)
    assert host.flags() == ["gap"]
    found = host.ledger()
    assert (found["lost"], found["gaps"], found["refused"]) == (1, 1, {"not_valid": 1})
    host.take(feed.snapshot())
    assert host.valid() and not host.valid("ETH-USDT")
    host.take(feed.book(SNAPSHOT | LAST | REFRESH, [(9_000, 1)], [(9_001, 1)], "ETH-USDT"))
    assert host.valid("ETH-USDT")
    assert host.ledger()["healed_by"] == {"line": 0, "retransmission": 0, "snapshot": 1, "feed": 0}


def test_a_book_without_a_snapshot_keeps_no_hole_open(feed: Feed, host: Host) -> None:
    """A loss is healed once the books that had something to lose are; one that never had a snapshot does not count."""
    host.take(feed.instrument(), feed.instrument("ETH-USDT"), feed.snapshot())
    feed.status(4)
    host.take(feed.heartbeat())
    host.wait(51 * MS)
    assert host.flags() == ["gap"] and host.flags("ETH-USDT") == ["no_snapshot"]
    host.take(feed.snapshot())
    assert host.ledger()["healed_by"]["feed"] == 1


def test_the_other_line_heals_without_a_snapshot(feed: Feed, host: Host) -> None:
    """A message that comes late but in time is applied before what was held, and trust returns."""
    host.take(feed.instrument(), feed.snapshot())
    missing = feed.book(LAST, [(9_999, 1)], [])
    host.take(feed.book(LAST, [(9_999, 2)], []))
    host.wait(2 * MS)
    assert host.flags() == ["suspect"]
    host.take(missing, missing)
    host.wait(0)
    assert host.valid() and host.levels()[0][9_999] == 2
    found = host.ledger()
    assert (found["healed_by"]["line"], found["duplicate"], found["lost"]) == (1, 1, 0)


def test_a_part_lost_inside_an_event_refuses_the_event(feed: Feed, host: Host) -> None:
    """Parts before the loss are refused as incomplete, parts after it as not valid."""
    host.take(feed.instrument(), feed.snapshot(), feed.book(0, [(9_999, 1)], []))
    feed.book(0, [], [])
    host.take(feed.book(LAST, [], [(10_001, 1)]))
    host.wait(51 * MS)
    found = host.ledger()
    assert found["refused"] == {"not_valid": 1, "incomplete_event": 1}
    assert not host.valid()


def test_another_channel_is_never_touched(feed: Feed, host: Host) -> None:
    """A loss on one channel leaves the books of another as they are."""
    other = Feed(exchange=3)
    host.take(feed.instrument(), feed.snapshot(), other.heartbeat(1), other.instrument(), other.snapshot())
    feed.status(4)
    host.take(feed.heartbeat())
    host.wait(60 * MS)
    assert not host.valid() and host.valid(exchange=3)
    assert host.ledger(3)["lost"] == 0

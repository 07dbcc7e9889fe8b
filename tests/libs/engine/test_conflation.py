"""Features rows at most every so many milliseconds of feed time, and the flush of the last one."""

from __future__ import annotations

import numpy as np
import pytest

from libs.engine.columns import FEATURE_INTERVAL_US
from libs.engine.conflation import LAST_FEED_US, flush_features
from libs.engine.outputs import FEATURE, take_latest
from libs.streams.schemas import FEATURES
from tests.libs.engine.harness import LAST, Feed, Host

INTERVAL_US = 1_000


class Paced:
    """A host with an interval, and what a publisher that always keeps up takes from it."""

    def __init__(self, interval_us: int = INTERVAL_US) -> None:
        self.host, self.feed = Host(), Feed()
        self.host.engine.arrays["process_settings"][FEATURE_INTERVAL_US] = interval_us
        self.host.take(self.feed.heartbeat(1), self.feed.instrument(), self.feed.snapshot())
        self.began_us = self.feed.now_us

    def event(self, at_us: int) -> list[tuple[int, int]]:
        """Let an event happen at a feed time since the first; return the rows that came: (feed time, events)."""
        self.feed.now_us = self.began_us + at_us - 10
        self.host.take(self.feed.book(LAST, [(9_000, self.feed.next)], []))
        return self.taken()

    def taken(self) -> list[tuple[int, int]]:
        """Return (feed time since the first, events) of every row queued."""
        a, out = self.host.engine.arrays, np.zeros((16, FEATURES.itemsize // 8), np.int64)
        named = [a[f"out_{name}"] for name in ("feature_queue", "feature_dirty", "book_version", "features")]
        n = take_latest(named[0], a["out_controls"][FEATURE], *named[1:], out)
        rows = out[:n].view(FEATURES)[:, 0]
        return [(int(row["feed_ts_us"]) - self.began_us, int(row["events"])) for row in rows]

    def flush(self, passed_ns: int, everything: bool = False) -> list[tuple[int, int]]:
        """Let wall time pass since the last event was applied."""
        now = int(self.host.row("features")["book_ts_ns"])
        flush_features(self.host.directory, now + passed_ns, everything)
        return self.taken()


@pytest.fixture
def paced() -> Paced:
    """Give a host whose first row has been taken."""
    found = Paced()
    assert found.taken() == [(0, 1)]
    return found


def test_without_an_interval_every_event_is_a_row() -> None:
    """The default: a publisher that keeps up gets each."""
    paced = Paced(0)
    assert paced.taken() == [(0, 1)]
    assert [paced.event(t) for t in (10, 20, 30)] == [[(10, 1)], [(20, 1)], [(30, 1)]]
    assert paced.flush(10**9) == []


def test_rows_come_when_the_interval_of_feed_time_has_passed(paced: Paced) -> None:
    """Events in between are counted into the next row; the interval counts from the last row, not the last event."""
    assert [paced.event(t) for t in (10, 999)] == [[], []]
    assert paced.event(1_000) == [(1_000, 3)]
    assert paced.event(1_500) == []
    assert paced.event(2_700) == [(2_700, 2)]
    assert paced.event(3_600) == []
    assert paced.event(3_700) == [(3_700, 2)]


def test_the_last_state_is_flushed_by_the_wall_clock(paced: Paced) -> None:
    """A row that nothing follows goes out once it has waited for the interval, and only once."""
    assert paced.event(500) == []
    assert paced.flush(INTERVAL_US * 1000 - 1) == []
    assert paced.flush(INTERVAL_US * 1000) == [(500, 1)]
    assert paced.flush(10**9) == []
    assert paced.event(1_400) == []
    assert paced.event(1_500) == [(1_500, 2)]


def test_a_stop_sends_what_is_held_back(paced: Paced) -> None:
    """Whatever the clock says."""
    paced.event(500)
    assert paced.flush(0, everything=True) == [(500, 1)]


def test_feed_time_that_begins_anew_holds_nothing_back(paced: Paced) -> None:
    """A new session's clock may lie before the last row's."""
    paced.host.engine.arrays["features_pace"][paced.host.id_of(), LAST_FEED_US] += 10**9
    assert paced.event(500) == [(500, 1)]
    assert paced.event(600) == []


def test_a_row_that_waits_keeps_the_time_of_its_oldest_event(paced: Paced) -> None:
    """Its age counts from the first event in it."""
    paced.event(100)
    paced.event(600)
    paced.flush(10**9)
    row = paced.host.row("features")
    assert (row["sent_ts_us"] - paced.began_us, row["oldest_sent_ts_us"] - paced.began_us) == (600, 100)


def test_books_are_held_back_each_for_itself(paced: Paced) -> None:
    """The interval of one book says nothing of another's."""
    paced.host.take(paced.feed.instrument("ETH-USDT"), paced.feed.snapshot("ETH-USDT", 2_000))
    assert len(paced.taken()) == 1
    assert paced.event(500) == []

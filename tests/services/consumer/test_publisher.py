"""What the publisher makes of the book thread's records, with a writer that remembers."""

from __future__ import annotations

import gc
import os
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from libs.streams.schemas import SCHEMAS
from libs.streams.shards import NO_BOOK, Shard
from libs.telemetry.hdr import new_rows, summary
from services.consumer.publisher import Publisher
from tests.libs.engine.harness import LAST, Feed, Host

BATCH = 8


class Writer:
    """Takes entries as libs.streams.writer does, or refuses them."""

    def __init__(self) -> None:
        self.up = True
        self.failing = 0
        self.calls = 0
        self.on_failure: Callable[[], None] = lambda: None
        self.entries: list[tuple[str, np.ndarray]] = []
        self.kept: list[str] = []

    @property
    def connected(self) -> bool:
        """Whether Redis is there."""
        return self.up

    def ready(self) -> bool:
        """Return whether a write would be tried."""
        return self.up

    def write(self, entries: Sequence[tuple[str, int, bytes]]) -> bool:
        """Take all or nothing."""
        self.calls += 1
        if self.failing or not self.up:
            self.failing = max(0, self.failing - 1)
            self.kept += [stream for stream, _, _ in entries if stream in ("trades", "status")]
            self.on_failure()
            return False
        for stream, n, data in entries:
            rows = np.frombuffer(data, SCHEMAS[stream].dtype)
            assert len(rows) == n <= 2 * BATCH
            self.entries.append((stream, rows))
        return True

    def rows(self, stream: str) -> np.ndarray:
        """Return every row of a stream."""
        found = [rows for name, rows in self.entries if name == stream]
        return np.concatenate(found) if found else np.empty(0, SCHEMAS[stream].dtype)


class Bench:
    """An engine, its feed, a writer, and a publisher that has not started."""

    def __init__(self) -> None:
        self.host, self.feed, self.writer = Host(), Feed(), Writer()
        self.latency = new_rows(2)
        self.wake = os.eventfd(0, os.EFD_NONBLOCK)
        self.publisher = Publisher(
            self.host.engine.arrays,
            self.writer,  # type: ignore[arg-type]
            self.wake,
            self.latency,
            nbbo_interval_ms=0,
            book_interval_ms=30,
            batch=BATCH,
        )
        for symbol in ("BTC-USDT", "ETH-USDT"):
            self.host.take(self.feed.instrument(symbol))

    def delta(self, symbol: str = "BTC-USDT") -> int:
        """Apply one more event and return its send time in microseconds."""
        message = self.feed.book(LAST, [(9_000, self.feed.next)], [], symbol)
        self.host.take(message)
        return message.timestamp_us

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait for the publisher."""
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.002)

    def finish(self) -> None:
        """Stop the publisher; it must end, and not by an error."""
        self.publisher.stop()
        self.publisher.join(10)
        assert not self.publisher.is_alive()
        assert self.publisher.error is None


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Give a bench and end its thread."""
    found = Bench()
    yield found
    if found.publisher.is_alive():
        found.publisher.stop()
        found.publisher.join(10)
    os.close(found.wake)


def test_events_before_a_round_are_one_row(bench: Bench) -> None:
    """A publisher that is behind sends the latest state once, with how many events are in it and the oldest's time."""
    bench.host.take(snapshot := bench.feed.snapshot())
    bench.delta()
    newest = bench.delta()
    bench.publisher.start()
    bench.finish()
    for stream in ("features", "book"):
        (row,) = bench.writer.rows(stream)
        assert (row["events"], row["sent_ts_us"], row["oldest_sent_ts_us"]) == (3, newest, snapshot.timestamp_us)
        assert row["sequence"] == bench.feed.next - 1
    assert summary(bench.latency[0])["count"] == summary(bench.latency[1])["count"] == 1


def test_a_publisher_that_keeps_up_sends_every_event(bench: Bench) -> None:
    """Without an interval each event is a features row of its own; books wait for theirs."""
    bench.host.take(bench.feed.snapshot())
    bench.publisher.start()
    for n in range(1, 6):
        bench.wait(lambda n=n: len(bench.writer.rows("features")) == n)
        bench.delta()
    bench.wait(lambda: len(bench.writer.rows("features")) == 6)
    bench.finish()
    assert (bench.writer.rows("features")["events"] == 1).all()
    books = bench.writer.rows("book")
    assert books["events"].sum() == 6
    assert books["sequence"][-1] == bench.feed.next - 1


def test_quotes_go_out_on_change_and_opportunities_as_they_come(bench: Bench) -> None:
    """A change of the consolidated quote is a row at once; an opportunity's rows are not conflated."""
    other = Feed(1)
    bench.host.take(other.heartbeat(1), other.instrument(), bench.feed.snapshot(), other.snapshot())
    bench.publisher.start()
    bench.wait(lambda: len(bench.writer.rows("nbbo")) == 1)
    for n, mid in enumerate((10_010, 10_000), 2):
        bench.host.take(other.snapshot(mid=mid))
        bench.wait(lambda n=n: len(bench.writer.rows("nbbo")) == n)
    bench.finish()
    assert bench.writer.rows("arbitrage")["phase"].tolist() == [1, 3]
    assert len(bench.writer.rows("book")) < 4


def test_what_could_not_be_written_comes_again_unless_newer(bench: Bench) -> None:
    """After a failed write a book's newest record goes out once, and that of a quiet book is not forgotten."""
    bench.host.take(bench.feed.snapshot("ETH-USDT", 2000), bench.feed.snapshot())
    quiet = bench.feed.next - 2
    bench.writer.failing = 1
    bench.writer.on_failure = lambda: bench.delta() and None
    bench.publisher.start()
    bench.wait(lambda: len(bench.writer.rows("features")) == 2)
    bench.finish()
    for stream in ("features", "book"):
        sequences = {row["symbol"]: row["sequence"] for row in bench.writer.rows(stream)}
        assert len(bench.writer.rows(stream)) == 2
        assert sequences == {b"ETH-USDT": quiet, b"BTC-USDT": bench.feed.next - 1}
        (newest,) = (row for row in bench.writer.rows(stream) if row["symbol"] == b"BTC-USDT")
        assert newest["events"] == 2 and newest["oldest_sent_ts_us"] < newest["sent_ts_us"]


def test_an_outage_loses_no_latest_state(bench: Bench) -> None:
    """While the writer is down states stay where they are, and events go to its backlog."""
    symbols = [f"S{i}-USDT" for i in range(6)]
    bench.writer.up = False
    bench.publisher.start()
    for symbol in symbols:
        bench.host.take(bench.feed.instrument(symbol), bench.feed.snapshot(symbol))
    for _ in range(5):
        for symbol in symbols:
            bench.delta(symbol)
    bench.host.take(bench.feed.trade())
    os.eventfd_write(bench.wake, 1)
    bench.wait(lambda: "trades" in bench.writer.kept and "status" in bench.writer.kept)
    assert not bench.writer.entries
    bench.writer.up = True
    bench.wait(lambda: len(bench.writer.rows("features")) == len(symbols))
    bench.finish()
    rows = bench.writer.rows("features")
    assert (rows["events"] == 6).all()
    assert sorted(rows["sequence"]) == list(range(bench.feed.next - 1 - len(symbols), bench.feed.next - 1))


def test_everything_is_flushed_at_the_end(bench: Bench) -> None:
    """A stop waits for no interval and for no batch: the last state of each book, every trade and status goes out."""
    bench.publisher.book_interval_s = 60.0
    bench.host.take(bench.feed.snapshot(), bench.feed.snapshot("ETH-USDT", 2000))
    bench.publisher.start()
    bench.wait(lambda: len(bench.writer.rows("book")) == 2 and len(bench.writer.rows("features")) == 2)
    time.sleep(0.05)
    bench.wait(lambda: len(bench.writer.rows("nbbo")) >= 2)
    bench.delta()
    bench.host.take(*(bench.feed.trade(size=i) for i in range(1, 3 * BATCH)))
    bench.delta("ETH-USDT")
    bench.finish()
    books = bench.writer.rows("book")
    assert {row["symbol"]: row["sequence"] for row in books[2:]} == {
        b"BTC-USDT": bench.feed.next - 1 - 3 * BATCH,
        b"ETH-USDT": bench.feed.next - 1,
    }
    assert bench.writer.rows("trades")["size"].tolist() == list(range(1, 3 * BATCH))


def test_an_error_is_handed_over(bench: Bench) -> None:
    """A writer that raises ends the thread, which keeps the error for the main thread."""

    def raises(entries: object) -> bool:
        raise RuntimeError("the writer broke")

    bench.writer.write = raises  # type: ignore[method-assign]
    bench.host.take(bench.feed.snapshot())
    bench.publisher.start()
    bench.publisher.join(10)
    assert str(bench.publisher.error) == "the writer broke"


def test_rounds_leave_no_memory_behind(bench: Bench) -> None:
    """After warming up, hundreds of rounds of every kind of record grow the Python side by next to nothing."""
    bench.writer.write = lambda entries: True  # type: ignore[method-assign]
    bench.host.take(bench.feed.snapshot())

    def rounds(count: int) -> None:
        for _ in range(count):
            bench.delta()
            bench.host.take(bench.feed.trade())
            bench.publisher._round(everything=True)

    rounds(100)
    tracemalloc.start()
    try:
        rounds(50)
        before = tracemalloc.take_snapshot()
        rounds(500)
        gc.collect()
        grown = tracemalloc.take_snapshot().compare_to(before, "filename")
    finally:
        tracemalloc.stop()
    ours = sum(each.size_diff for each in grown if {"libs", "services"} & set(str(each.traceback).split("/")))
    assert ours < 16_384, [str(each) for each in grown[:5]]


def test_ids_of_a_shard_are_its_own(bench: Bench) -> None:
    """What goes out carries ids that no other shard gives; what comes back after a failure is still the same book."""
    bench.publisher.shard = Shard(2, 3)
    bench.host.take(bench.feed.heartbeat())
    for symbol in ("BTC-USDT", "ETH-USDT"):
        bench.host.take(bench.feed.snapshot(symbol), bench.feed.trade(symbol))
    bench.writer.failing = 1
    bench.publisher.start()
    bench.wait(lambda: bench.writer.calls >= 2)
    bench.finish()
    for stream in ("features", "book"):
        assert sorted(bench.writer.rows(stream)["book_id"].tolist()) == [1, 4]
    assert sorted(bench.writer.rows("nbbo")["symbol_id"].tolist()) == [1, 4]
    assert {*bench.writer.rows("status")["book_id"].tolist()} <= {1, 4, NO_BOOK}

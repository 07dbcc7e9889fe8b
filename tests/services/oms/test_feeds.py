"""The reading threads and the writing one, with readers and writers of the test's own."""

from __future__ import annotations

import time
from typing import Any

from libs.errors import SchemaError
from libs.execution.rows import Rows
from libs.streams.reader import Batch, Record
from services.oms.feeds import MarketFeed, SignalFeed
from services.oms.items import Command, Items, Signals
from services.oms.outbox import Outbox
from tests.oracles.shown import book_row


class Reader:
    """Gives what it was told to, then nothing."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.acknowledged: list[Any] = []

    def read(self) -> Any:
        """The next answer."""
        if not self.answers:
            time.sleep(0.005)
            return []
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ack(self, records: list[Record]) -> None:
        """Remember what was acknowledged."""
        self.acknowledged += records


def stop(feed: Any) -> None:
    """End a thread."""
    feed.stopping.set()
    feed.join(2)
    assert not feed.is_alive()


def test_signals_are_acknowledged_only_when_done() -> None:
    """A batch that the desk has not finished stays unacknowledged, also when the service stops."""
    records = [Record("signals", "1-0", {}), Record("signals", "2-0", {})]
    reader = Reader(records[:1], records[1:])
    items = Items()
    feed = SignalFeed(reader, items)  # type: ignore[arg-type]
    feed.start()
    first = items.take(2.0)
    assert isinstance(first, Signals)
    time.sleep(0.02)
    assert reader.acknowledged == []
    first.done.set()
    assert isinstance(items.take(2.0), Signals)
    assert reader.acknowledged == records[:1]
    stop(feed)
    assert reader.acknowledged == records[:1]


def test_a_full_queue_holds_the_reader_back() -> None:
    """A reader waits for room instead of dropping or piling up, and can be stopped while it waits."""
    items = Items(most_rows=1)
    feed = MarketFeed("market", Reader(*[[Batch("book", "1-0", "9", book_row(n))] for n in range(3)]), items)  # type: ignore[arg-type]
    feed.start()
    time.sleep(0.05)
    seen = []
    for _ in range(2):
        rows = items.take(2.0)
        assert isinstance(rows, Rows)
        seen.append(int(rows.streams["book"]["book_id"][0]))
    assert seen == [0, 1]
    stop(feed)


def test_a_reader_that_fails_tells_the_main_thread() -> None:
    """An unknown schema ends the thread with its error kept for the main thread."""
    feed = MarketFeed("market", Reader(SchemaError("version 2")), Items())  # type: ignore[arg-type]
    feed.start()
    feed.join(2)
    assert isinstance(feed.error, SchemaError)
    assert feed.items.take(0.0) is None


def test_urgent_items_go_first() -> None:
    """Signals and commands overtake rows and keep their own order; each kind has a bound."""
    items = Items(most_rows=2, most_urgent=2)
    rows = Rows("1", {})
    first, second = Signals([]), Command(list, lambda *_: None)
    assert items.put_rows(rows, 0.0)
    assert items.put(first)
    assert items.put(second)
    assert not items.put(first)
    assert items.put_rows(rows, 0.0)
    assert not items.put_rows(rows, 0.01)
    assert [items.take(0.0) for _ in range(5)] == [first, second, rows, rows, None]


class Writer:
    """Takes records, slowly."""

    def __init__(self) -> None:
        self.written: list[Any] = []
        self.waiting = 0
        self.dropped = 0
        self.connected = True

    def write(self, records: list[Any]) -> bool:
        """Take them."""
        time.sleep(0.02)
        self.written += records
        return True

    def close(self) -> None:
        """Say that it was closed."""
        self.connected = False


def test_the_outbox_keeps_order_and_writes_everything_at_a_stop() -> None:
    """Records are written in their order, what waits at a stop too; what finds no room is counted."""
    writer = Writer()
    outbox = Outbox(writer)  # type: ignore[arg-type]
    outbox.start()
    batches = [[("orders", {"n": str(n)}), ("fills", {"n": str(n)})] for n in range(50)]
    for batch in batches:
        outbox.put(list(batch))
    outbox.stop()
    assert writer.written == [record for batch in batches for record in batch]
    assert (outbox.dropped, writer.connected) == (0, False)
    for _ in range(4100):
        outbox.put([("orders", {})])
    assert outbox.dropped == 4

"""Features rows as the engine makes them: histories through losses, heals, sessions and bad input."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from libs.book.flags import BAD
from libs.engine.columns import FEED_BACK, LAST_FEED_US, ROWS_CUT
from libs.features.definitions import COLUMNS
from libs.wire.messages import OrderBook, Trade
from tests.libs.engine.harness import LAST, REFRESH, SNAPSHOT, Feed, Host
from tests.oracles.market import Count
from tests.oracles.past import OracleMarket

SECOND = 1_000_000
START = 1_700_000_000_000_000
STEPS = (0, 1, 99_999, 100_000, 300_000, 999_999, SECOND, SECOND + 1, 37, 2_500)
RECOVERED_SNAPSHOT = 2


def row_of(host: Host) -> Any:
    """Return the latest features record of book 0."""
    return host.row("features")


def ledger(host: Host, column: int) -> int:
    """Return a word of the book thread's ledger of Binance."""
    return int(host.engine.arrays["ledger"][0, column])


def contents(message: OrderBook) -> tuple[Any, ...]:
    """Return a message as the oracle takes it."""
    stamp = (message.sequence, 0, message.feed_timestamp_us)
    return message.flags, -2, -3, message.cut, (list(message.bids), list(message.asks)), stamp


class Followed:
    """A host and an oracle that get the same messages of one symbol."""

    def __init__(self) -> None:
        self.feed, self.host = Feed(), Host()
        self.oracle, self.count = OracleMarket(64), Count()
        self.now = START
        self.host.take(self.feed.heartbeat(1), self.feed.instrument())
        self.oracle.book.instrument(-2, -3, 1, 0)

    def at(self, message: Any) -> Any:
        """Return a message as of now."""
        return replace(message, feed_timestamp_us=self.now)

    def book(self, bits: int, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
        message = self.at(self.feed.book(bits, bids, asks))
        self.host.take(message)
        self.see(message)

    def see(self, message: OrderBook) -> None:
        """Give a book message to the oracle, and compare the row when it made one."""
        code = self.oracle.message(*contents(message))
        if code == "done" and self.oracle.book.valid:
            row = row_of(self.host)
            assert int(row["sequence"]) == message.sequence
            self.count.compare(np.array([row[name] for name in COLUMNS]), int(row["notes"]), *self.oracle.row())
            assert row["incomplete"] == bool(row["notes"] & 7)

    def trade(self, size: int, flags: int) -> Trade:
        message = self.at(self.feed.trade(size=size, flags=flags))
        self.host.take(message)
        self.oracle_trade(message)
        return message

    def oracle_trade(self, message: Trade) -> None:
        if message.size < 0:
            self.oracle.trades_missed(message.feed_timestamp_us)
        elif message.size > 0:
            side = 0 if message.flags & 2 else 1 if message.flags & 1 else -1
            size = Fraction(message.size, 1000)
            self.oracle.trade(side, size, message.sequence, message.feed_timestamp_us)


def levels(draw: random.Random, best: int, step: int) -> list[tuple[int, int]]:
    return [(best + step * draw.randrange(6), draw.choice([0, 1, 5, 7, 10**6])) for _ in range(draw.randrange(4))]


@pytest.mark.parametrize("seed", range(6))
def test_rows_are_as_defined(seed: int) -> None:
    """Deltas, snapshots, prints, statuses, heals and bad input: every row of the engine is the oracle's."""
    draw = random.Random(seed)
    f = Followed()
    f.book(SNAPSHOT | LAST, [(9_998, 5), (9_997, 3)], [(10_001, 2)])
    for _ in range(250):
        f.now += draw.choice(STEPS)
        kind = draw.choices(["delta", "trade", "snapshot", "missed", "heal", "bad"], [20, 10, 1, 1, 1, 1])[0]
        bids, asks = levels(draw, 9_999, -1), levels(draw, 9_999, 1)
        if kind == "delta":
            f.book(LAST, bids, asks)
        elif kind == "snapshot":
            f.book(SNAPSHOT | LAST, [(p, q or 1) for p, q in bids], [(p, q or 1) for p, q in asks])
        elif kind == "trade":
            f.trade(draw.choice([1, 2, 500, 0, -1]) if draw.random() < 0.2 else 3, draw.choice([0, 1, 2]))
        elif kind == "missed":
            f.host.take(f.feed.status(8, draw.choice(["", "BTC-USDT"])))
            f.oracle.trades_missed(ledger(f.host, LAST_FEED_US))
        else:
            f.host.take(f.feed.status(2, "BTC-USDT"))
            f.oracle.book.set_flags(BAD, 0)
            bits = SNAPSHOT | LAST | (REFRESH if kind == "heal" else 0)
            f.book(bits, [(9_990, 4), (9_989, 4)], [(10_010, 4)])
    assert f.count.rows > 120
    assert f.count.defined > 20 * f.count.rows


def test_what_waited_for_a_snapshot_sees_the_prints_before_it_only() -> None:
    """A delta spliced on a requested snapshot knows no print that came after it in the channel."""
    f = Followed()
    f.host.with_requests()
    f.book(SNAPSHOT | LAST, [(9_998, 5)], [(10_001, 2)])
    lost = f.feed.trade()
    f.now += 10
    first = f.at(f.feed.book(LAST, [(9_998, 6)], []))
    f.host.take(first)
    f.host.wait(51_000_000)
    assert f.host.flags() == ["gap"]
    image = replace(first, flags=SNAPSHOT | LAST | REFRESH, asks=((10_001, 2),))
    waiting = []
    for _ in range(4):
        f.now += 600_000
        waiting.append(f.at(f.feed.trade(flags=1)))
        waiting.append(f.at(f.feed.book(LAST, [(9_998, 7 + len(waiting))], [])))
        f.host.take(*waiting[-2:])
    f.oracle.book.set_flags(1 << 2, 0)
    f.oracle.trades_missed(START)
    f.host.recover(RECOVERED_SNAPSHOT, image)
    assert f.host.valid()
    assert lost.sequence < first.sequence
    f.see(image)
    for message in waiting:
        if isinstance(message, Trade):
            f.oracle_trade(message)
        else:
            f.oracle.message(*contents(message))
    row = row_of(f.host)
    f.count.compare(np.array([row[name] for name in COLUMNS]), int(row["notes"]), *f.oracle.row())
    assert row["total_buy_trades"] == 4
    assert row["tick_flow_imbalance"] == 1.0


def test_feed_time_that_goes_back_is_clamped_and_counted(feed: Feed, host: Host) -> None:
    """A message from before the last one counts as of the last one; a new session begins its own time."""
    host.take(feed.instrument(), feed.snapshot())
    at = int(row_of(host)["feed_ts_us"])
    host.take(replace(feed.book(LAST, [(9_999, 1)], []), feed_timestamp_us=at - 5_000))
    assert int(row_of(host)["feed_ts_us"]) == at
    assert ledger(host, FEED_BACK) == 1
    host.take(replace(feed.trade(), feed_timestamp_us=at - 1))
    assert ledger(host, FEED_BACK) == 2
    feed.restart()
    host.take(feed.heartbeat(1), feed.instrument(), replace(feed.snapshot(), feed_timestamp_us=77))
    assert int(row_of(host)["feed_ts_us"]) == 77
    assert ledger(host, FEED_BACK) == 2


def test_a_trade_of_size_0_is_refused_and_harms_nothing(feed: Feed, host: Host) -> None:
    """It counts as a bad body and in no window; a negative one besides makes the windows NaN for their length."""
    host.take(feed.instrument(), replace(feed.snapshot(), feed_timestamp_us=START))
    host.take(replace(feed.trade(size=0), feed_timestamp_us=START + SECOND))
    host.take(replace(feed.trade(), feed_timestamp_us=START + SECOND))
    host.take(replace(feed.book(LAST, [], []), feed_timestamp_us=START + SECOND + 9))
    assert row_of(host)["tick_flow_imbalance"] == 1.0
    assert host.ledger()["refused"] == {"bad_body": 1}
    host.take(replace(feed.trade(size=-4), feed_timestamp_us=START + SECOND + 10))
    for after, wanted in ((11, np.nan), (SECOND + 10, np.nan), (SECOND + 11, 1.0)):
        host.take(replace(feed.trade(), feed_timestamp_us=START + SECOND + after))
        host.take(replace(feed.book(LAST, [], []), feed_timestamp_us=START + SECOND + after))
        np.testing.assert_equal(row_of(host)["tick_flow_imbalance"], wanted)


def test_trades_missed_lasts_as_long_as_the_windows_are_nan(feed: Feed, host: Host) -> None:
    """The flag goes with the first event whose window lies after the loss."""
    host.take(feed.instrument(), replace(feed.snapshot(), feed_timestamp_us=START))
    host.take(feed.status(8, "BTC-USDT"))
    for after in (500, SECOND + 499, SECOND + 500):
        assert host.flags() == ["trades_missed"]
        host.take(replace(feed.trade(), feed_timestamp_us=START + after))
        host.take(replace(feed.book(LAST, [], []), feed_timestamp_us=START + after))
        whole = after == SECOND + 500
        assert np.isfinite(row_of(host)["tick_flow_imbalance"]) == whole
    assert host.flags() == []


def test_a_history_that_overflows_is_counted(feed: Feed) -> None:
    """A row with a window that is cut is incomplete, says why, and counts."""
    host = Host(history={"trades": 2})
    host.take(feed.instrument(), replace(feed.snapshot(), feed_timestamp_us=START))
    for after in (1, 2, 3, SECOND + 2):
        host.take(replace(feed.trade(), feed_timestamp_us=START + after))
    host.take(replace(feed.book(LAST, [], []), feed_timestamp_us=START + SECOND + 2))
    assert (row_of(host)["incomplete"], row_of(host)["notes"] & 4) == (0, 0)
    host.take(*(replace(feed.trade(), feed_timestamp_us=START + SECOND + 2) for _ in range(2)))
    host.take(replace(feed.book(LAST, [], []), feed_timestamp_us=START + SECOND + 3))
    row = row_of(host)
    assert (row["incomplete"], row["notes"] & 4) == (1, 4)
    assert np.isnan(row["tick_flow_imbalance"])
    assert row["total_buy_trades"] == 6
    assert int(host.engine.arrays["totals"][ROWS_CUT]) == 1

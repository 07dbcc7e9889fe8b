"""Consumers beside each other: two that share the symbols, one that takes one channel, one that takes everything."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from libs.execution.market import Market
from libs.execution.rows import by_run
from libs.market.exchanges import EXCHANGES
from libs.streams.reader import PackedReader
from libs.streams.schemas import SCHEMAS
from libs.streams.shards import Shard
from tests.libs.engine.harness import LAST, Feed
from tests.services.consumer.running import Line, Service, feed

pytestmark = pytest.mark.integration

NAMES = [f"{base}-USDT" for base in ("BTC", "ETH", "SOL", "XRP", "ADA", "DOGE")]
SHARES = {"whole": "", "one": 'shard = "1/2"\n', "two": 'shard = "2/2"\n', "okx": 'channels = ["okx"]\n'}
OWN_WAY = ("book_id", "symbol_id", "book_ts_ns", "recv_ts_ns", "oldest_sent_ts_us", "events")
"""Fields that say how a process came to a row, and not what it says of the market."""
NOTICED = ("feed_ts_us", "sent_ts_us")
"""Of NBBO: when a cross that lasts was noticed, which is by the clock (libs/nbbo/states.py)."""


class Run:
    """The services, and everything that they were sent."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url, self.line, self.services = url, Line(1), {}
        for name, text in SHARES.items():
            (folder / name).mkdir()
            prefix = "shared" if text.startswith("shard") else name
            text += f'stream_prefix = "shares-test-{prefix}-"\n'
            self.services[name] = Service(folder / name, url, self.line, settings=text, symbols=[])
        for service in self.services.values():
            service.started()
        self.feeds = {exchange: feed(exchange) for exchange in (0, 3)}
        for sender in self.feeds.values():
            self.line.send(*(sender.heartbeat() for _ in range(3)))
            for name in NAMES:
                self.line.send(sender.instrument(name), sender.snapshot(name))
        self._move(random.Random(3))
        self.line.send(*(sender.heartbeat() for sender in self.feeds.values()))
        for service in self.services.values():
            service.wait(lambda service=service: self._told_all(service))

    def _move(self, rng: random.Random) -> None:
        for at in range(600):
            sender: Feed = self.feeds[rng.choice((0, 3))]
            name = NAMES[at % len(NAMES)]
            if rng.random() < 0.2:
                self.line.send(sender.trade(name, 10_000 + rng.randint(-2, 2)))
            else:
                level = (9_990 + rng.randint(0, 9), rng.randint(0, 9))
                self.line.send(sender.book(LAST, [level], [(level[0] + 11, level[1])], name))

    def _told_all(self, service: Service) -> bool:
        """Return whether a service has taken every message of its channels, and has nothing left to publish."""
        channels = service.json("/channels")
        published = service.json("/status")["redis"]["published"]
        time.sleep(0.5)
        return (
            bool(channels)
            and all(
                found["sent"] == self.feeds[EXCHANGES.index(name)].next - 1 and found["pending"] == 0
                for name, found in channels.items()
            )
            and 0 < published == service.json("/status")["redis"]["published"]
        )

    def batches(self, prefix: str, stream: str) -> list[Any]:
        """Return every entry of a stream, oldest first; nobody is taken for one that restarted."""
        reader = PackedReader(self.url, f"shares-test-{prefix}-", [stream], start="0", block_ms=0)
        found = []
        while batches := reader.read():
            found += batches
        assert reader.breaks == 0
        reader.close()
        return found

    def last_rows(self, prefix: str, stream: str) -> dict[tuple[int, str], bytes]:
        """Return the last row of each book or symbol, without what says how a process came to it."""
        dtype = SCHEMAS[stream].dtype
        found = {}
        for batch in self.batches(prefix, stream):
            for row in batch.rows.copy():
                key = int(row["exchange"]) if "exchange" in dtype.names else -1
                for field in OWN_WAY + NOTICED * (stream == "nbbo"):
                    if field in dtype.names:
                        row[field] = 0
                found[key, row["symbol"].decode()] = row.tobytes()
        return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, redis_server: str) -> Iterator[Run]:
    """Run the services for the module."""
    found = Run(tmp_path_factory.mktemp("shares"), redis_server)
    yield found
    for service in found.services.values():
        service.process.kill()


def test_two_shards_publish_what_one_process_does(run: Run) -> None:
    """The last features, book and NBBO row of every book and symbol are the same, and so is every trade."""
    for stream, count in (("features", 12), ("book", 12), ("nbbo", 6)):
        whole = run.last_rows("whole", stream)
        assert len(whole) == count
        assert run.last_rows("shared", stream) == whole
    trades = [np.concatenate([batch.rows for batch in run.batches(prefix, "trades")]) for prefix in ("whole", "shared")]
    whole, shared = ({(int(row["exchange"]), int(row["sequence"])) for row in rows} for rows in trades)
    assert whole == shared and len(trades[0]) == len(trades[1])


def test_their_ledgers_balance(run: Run) -> None:
    """Each shard saw every message and refused exactly those that the other one took."""
    for exchange in ("binance", "okx"):
        whole, one, two = (run.services[name].json("/channels")[exchange] for name in ("whole", "one", "two"))
        for ledger in (whole, one, two):
            assert (ledger["unaccounted"], ledger["ledger_checks"]["failed"], ledger["lost"]) == (0, 0, 0)
            assert ledger["sent"] == whole["sent"]
        for own, other in ((one, two), (two, one)):
            assert own["applied"] == other["refused"]["other_shard"]
        assert one["applied"] + two["applied"] == whole["applied"]


def test_a_reader_knows_the_books_of_both(run: Run) -> None:
    """The order service's market has every book and quote once, whoever showed it."""
    market = Market(64, 32)
    for rows in by_run(run.batches("shared", "book") + run.batches("shared", "nbbo")):
        market.begin_run(rows.run, rows.shard)
        market.take_books(rows.streams["book"], rows.shard)
        market.take_nbbo(rows.streams["nbbo"])
    ids = {market.book_id(exchange, name) for exchange in ("binance", "okx") for name in NAMES}
    assert len(ids) == 12 and min(ids) >= 0 and market.overflow == 0
    assert all(market.nbbo_mid(name) is not None for name in NAMES)
    assert {run.services[name].json("/status")["shard"] for name in ("one", "two")} == {
        str(Shard(1, 2)),
        str(Shard(2, 2)),
    }


def test_a_consumer_of_one_channel_knows_no_other(run: Run) -> None:
    """It has the books and the ledger of its channel, and one number for the messages of all others."""
    status = run.services["okx"].json("/status")
    assert list(status["channels"]) == status["taken_channels"] == ["okx"]
    assert status["channels"]["okx"]["unaccounted"] == 0 and "other_shard" not in status["channels"]["okx"]["refused"]
    # Heartbeats have no sequence, and count here all the same.
    assert status["other_channel_messages"] == run.feeds[0].next - 1 + 4
    assert {key for key, _ in run.last_rows("okx", "features")} == {3}
    body = run.services["okx"].get("/metrics")[1]
    assert f"md_other_channel_messages_total {float(status['other_channel_messages'])}" in body

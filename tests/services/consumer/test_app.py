"""The consumer as a process: real multicast in; HTTP and a real Redis out."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from libs.streams.reader import PackedReader
from libs.streams.schemas import SCHEMAS, STATUS_KINDS
from libs.wire.text import to_text
from tests.libs.engine.harness import LAST, Feed
from tests.services.consumer.running import Line, Service, feed, stop_limit_s

pytestmark = pytest.mark.integration

PREFIX = "consumer-test-"
BTC, ETH = "binance/BTC-USDT", "binance/ETH-USDT"
DEEP = 30


class Run:
    """One service that the tests of this module share, its line, and what was sent."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url, self.line = url, Line(1)
        self.service = Service(folder, url, self.line, settings=f'stream_prefix = "{PREFIX}"\n')
        self.service.started()
        self.binance, self.okx = feed(0), feed(3)
        self.line.send(*(f.heartbeat() for f in (self.binance, self.okx) for _ in range(3)))
        self._open(self.binance)
        self._open(self.okx)
        self.line.send(self.binance.snapshot("ETH-USDT", 2000))
        self.line.send(self.binance.trade(size=7, flags=0), self.binance.trade("ETH-USDT", 2000))
        self.line.send_bytes(to_text(self.binance.book(LAST, [(9_998, 777)], [])))
        # Text goes round through Python; what follows must not overtake it and open a hole.
        self.service.wait_for_sequence(BTC, self.binance.next - 1)
        bids = [(9_000 - i, 1 + i) for i in range(DEEP)]
        self.line.send(self.binance.book(LAST, bids, []))
        self.line.send_bytes(b"not HFTP at all, and long enough for a header")
        self.line.send_bytes(b'{"type": "nonsense"}')
        self.line.send(self.binance.heartbeat(), self.okx.heartbeat())
        self.service.wait_for_sequence(BTC, self.binance.next - 1)

    def _open(self, feed: Feed) -> None:
        self.line.send(feed.instrument(), feed.snapshot(), feed.book(LAST, [(9_999, 0)], [(10_001, 55)]))

    def rows(self, stream: str) -> np.ndarray:
        """Return every row of a stream, oldest first."""
        reader = PackedReader(self.url, PREFIX, [stream], start="0", block_ms=0)
        found = [np.empty(0, SCHEMAS[stream].dtype)]
        while batches := reader.read():
            found += [batch.rows for batch in batches]
        reader.close()
        return np.concatenate(found)

    def rows_of(self, stream: str, symbol: str, exchange: int = 0) -> np.ndarray:
        """Return the rows of one book."""
        rows = self.rows(stream)
        return rows[(rows["symbol"] == symbol.encode()) & (rows["exchange"] == exchange)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, redis_server: str) -> Iterator[Run]:
    """Run one consumer for the module."""
    found = Run(tmp_path_factory.mktemp("consumer"), redis_server)
    yield found
    found.service.process.kill()


def test_it_is_live_and_ready(run: Run) -> None:
    """Health is answered as soon as Redis is."""
    assert run.service.json("/livez") == {"live": True}
    assert run.service.json("/readyz") == {"ready": True}


def test_a_book_is_shown_in_decimals(run: Run) -> None:
    """A book answers with best levels first, decimals as strings, and the contract's keys."""
    book = run.service.book(BTC, 3)
    feed_ts_us = book.pop("feed_ts_us")
    assert book == {
        "exchange": "binance",
        "symbol": "BTC-USDT",
        "valid": True,
        "flags": [],
        "sequence": run.binance.next - 1,
        "bids": [["99.98", "0.777"], ["99.97", "0.012"], ["99.96", "0.013"]],
        "asks": [["100.01", "0.055"], ["100.02", "0.021"], ["100.03", "0.022"]],
    }
    assert abs(feed_ts_us - time.time_ns() // 1000) < 60_000_000


def test_a_book_is_shown_as_deep_as_asked(run: Run) -> None:
    """Twenty levels without being asked; more than the published record holds come from the book itself."""
    assert len(run.service.json(f"/books/{BTC}")["bids"]) == 20
    shallow, deep = run.service.book(BTC, 20), run.service.book(BTC, 50)
    assert len(deep["bids"]) == 4 + DEEP
    assert deep["bids"][:20] == shallow["bids"]
    assert deep["bids"][-1] == ["89.71", "0.030"]
    assert {k: v for k, v in deep.items() if k != "bids"} == {k: v for k, v in shallow.items() if k != "bids"}


def test_books_has_a_line_each(run: Run) -> None:
    """/books is one document with a line for every book, those that wait for a snapshot too."""
    status, body = run.service.get("/books")
    books = json.loads(body)
    assert status == 200
    assert len(body.strip().splitlines()) == len(books) == 4
    by_name = {(book["exchange"], book["symbol"]): book for book in books}
    assert by_name["okx", "BTC-USDT"]["bid"] == "99.98"
    assert by_name["binance", "ETH-USDT"]["ask"] == "20.01"
    silent = by_name["okx", "ETH-USDT"]
    assert (silent["valid"], silent["flags"], silent["bid"]) == (False, ["no_snapshot"], None)


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("/books/binanc/BTC-USDT", "binance"),
        ("/books/binance/BTC-USDTT", "BTC-USDT"),
        ("/nbbo/ETH-USD", "ETH-USDT"),
        ("/statu", "/status"),
    ],
)
def test_what_is_not_known_is_named_with_near_misses(run: Run, path: str, near: str) -> None:
    """404 says what is not known and what was perhaps meant."""
    status, body = run.service.get(path)
    answer = json.loads(body)
    assert status == 404
    assert "is not known" in answer["error"]
    assert answer["near"][0] == near


@pytest.mark.parametrize("depth", ["abc", "0", "-1", "9999", "1.5", "", "%C2%B2"])
def test_a_depth_that_is_none_is_refused(run: Run, depth: str) -> None:
    """400 says what a depth may be."""
    status, body = run.service.get(f"/books/{BTC}?depth={depth}")
    assert (status, json.loads(body)["error"][:20]) == (400, "depth: expected 1 to")


def test_nbbo_sums_what_stands_at_the_best_price(run: Run) -> None:
    """Best bid and offer over both exchanges, with those at the price."""
    nbbo = run.service.json("/nbbo/BTC-USDT")
    assert nbbo["bid"] == {"price": "99.98", "size": pytest.approx(0.777 + 0.011), "exchanges": ["binance", "okx"]}
    assert nbbo["ask"] == {"price": "100.01", "size": pytest.approx(0.11), "exchanges": ["binance", "okx"]}
    assert nbbo["state"] == "normal"
    assert nbbo["excluded"] == dict.fromkeys(("bybit", "coinbase", "deribit"), "not_listed")


def test_channels_balance(run: Run) -> None:
    """Every sequence and every message read ends in one place."""
    channel = run.service.wait(lambda: run.service.json("/channels"))["binance"]
    assert channel["sent"] == channel["received"] == channel["applied"] == run.binance.next - 1
    for name in ("unaccounted", "pending", "lost", "before_join", "duplicate", "late", "gaps", "missing"):
        assert channel[name] == 0, name
    assert channel["refused"] == {}
    assert channel["healed_by"] == {"line": 0, "retransmission": 0, "snapshot": 0, "feed": 0}
    assert channel["session"] == run.binance.session
    assert channel["ledger_checks"]["made"] > 0 == channel["ledger_checks"]["failed"]


def test_status_has_the_keys_of_the_report(run: Run) -> None:
    """/status holds everything of the report that the consumer knows."""
    run.service.wait(lambda: _settled(run))
    status = run.service.json("/status")
    assert set(status) >= {
        "channels", "malformed", "books", "updates_applied", "trades_applied", "features_rows", "nbbo_rows",
        "latency_ns", "ring", "redis", "rss_bytes", "run", "ready", "joined", "rates", "tops", "nbbo",
    }  # fmt: skip
    assert set(status["latency_ns"]) >= {"wire", "book", "features", "publish", "conflation_age", "heal"}
    assert set(status["latency_ns"]["wire"]) == {"count", "p50_ns", "p99_ns", "p999_ns", "max_ns"}
    assert status["books"]["total"] == status["books"]["valid"] == 3
    assert (status["trades_applied"], status["updates_applied"]) == (2, 3 * 10 + 2 * 2 + 1 + DEEP)
    assert sum(status["malformed"].values()) == 1
    assert status["ring"]["capacity"] == 4096
    assert status["redis"]["dropped"] == status["redis"]["reconnects"] == 0
    assert status["rss_bytes"] > 10_000_000
    assert status["ready"] is status["joined"] is True
    assert status["nbbo"]["normal"] == 2


def _settled(run: Run) -> bool:
    status = run.service.json("/status")
    return bool(status["channels"].get("binance", {}).get("applied") == run.binance.next - 1)


def test_metrics_can_be_read(run: Run) -> None:
    """The exposition parses; its figures are those of the ledger, and a text datagram counts on the line it came by."""
    run.service.wait(lambda: _settled(run))
    # Redis is asked every two seconds.
    run.service.wait(lambda: 'md_redis_stream_length{stream="features"} 0.0' not in run.service.get("/metrics")[1])
    status, body = run.service.get("/metrics")
    assert status == 200
    samples = {
        (s.name, tuple(sorted(s.labels.items()))): s.value
        for f in text_string_to_metric_families(body)
        for s in f.samples
    }
    sent = run.binance.next - 1
    assert samples["md_messages_received_total", (("channel", "binance"),)] == sent
    assert samples["md_ready", ()] == 1
    assert samples["md_session_open", ()] == 1
    assert samples["md_decode_errors_total", (("reason", "text"),)] == 1
    assert samples["md_decode_errors_total", (("reason", "bad_magic"),)] == 1
    assert samples["md_redis_stream_length", (("stream", "features"),)] > 0
    assert samples["md_redis_memory_bytes", ()] > 100_000
    assert ("md_latency_window_seconds", (("path", "book"), ("quantile", "1"))) in samples
    line_b = [value for (name, labels), value in samples.items() if name.startswith("md_") and ("line", "B") in labels]
    assert line_b and not any(line_b)


def test_the_message_that_took_longest_has_a_name(run: Run) -> None:
    """The status says which message of which book took longest of the last ten seconds, and how much of it the wire."""
    run.service.wait(lambda: run.service.json("/status")["worst"] is not None)
    worst = run.service.json("/status")["worst"]
    assert (worst["exchange"], worst["symbol"]) in {
        ("binance", "BTC-USDT"),
        ("binance", "ETH-USDT"),
        ("okx", "BTC-USDT"),
    }
    assert 0 < worst["sequence"] < run.binance.next
    assert 0 < worst["wire_ns"] <= worst["latency_ns"]


def test_streams_hold_what_was_applied(run: Run) -> None:
    """Features, books, NBBO, trades and statuses stand on their streams, as their schemas say."""
    run.service.wait(lambda: run.rows_of("book", "BTC-USDT")[-1:]["sequence"] == run.binance.next - 1)
    features = run.rows_of("features", "BTC-USDT")
    assert features["sequence"][-1] == run.binance.next - 1
    assert (features["valid"] == 1).all()
    assert features["best_bid"][-1] == 99.98
    assert features["best_ask"][-1] == 100.01
    assert (np.diff(features["sequence"].astype(np.int64)) > 0).all()
    assert (features["session"] == run.binance.session).all()
    assert (features["recv_ts_ns"] <= features["book_ts_ns"]).all()
    book = run.rows_of("book", "BTC-USDT")[-1]
    assert (book["bid_prices"][0], book["bid_sizes"][0], book["bid_count"]) == (9_998, 777, 20)
    assert (book["price_exponent"], book["size_exponent"]) == (-2, -3)
    nbbo = run.rows("nbbo")
    last = nbbo[nbbo["symbol"] == b"BTC-USDT"][-1]
    assert (last["bid_exchanges"], last["ask_exchanges"], last["bid_price"]) == (0b1001, 0b1001, 9_998)
    trades = run.rows_of("trades", "BTC-USDT")
    assert [(t["side"], t["price"], t["size"]) for t in trades] == [(-1, 10_000, 7)]
    kinds = {STATUS_KINDS[kind] for kind in run.rows("status")["kind"]}
    assert kinds >= {"valid", "session"}


def _last_rows(run: Run, symbol: str) -> dict[str, Any]:
    return {stream: run.rows_of(stream, symbol) for stream in ("features", "book", "status")}


def test_a_gap_makes_books_invalid_until_a_snapshot(run: Run) -> None:
    """A loss makes each book of its channel invalid; no features row follows until its own snapshot."""
    run.binance.book(LAST, [(9_997, 99)], [])  # takes its number and is never sent
    delta = run.binance.book(LAST, [(9_996, 98)], [])
    run.line.send(delta)
    run.service.wait(lambda: run.service.book(BTC)["flags"] == ["gap"])
    assert run.service.book(BTC)["valid"] is run.service.book(ETH)["valid"] is False
    assert run.service.book("okx/BTC-USDT")["valid"] is True
    # It was suspect first, and each change of its flags is shown.
    run.service.wait(lambda: [run.rows_of(stream, "BTC-USDT")["flags"][-1] for stream in ("book", "status")] == [4, 4])
    rows = _last_rows(run, "BTC-USDT")
    assert rows["book"]["valid"][-1] == 0
    assert rows["features"]["sequence"][-1] < delta.sequence
    assert "invalid" in {STATUS_KINDS[kind] for kind in rows["status"]["kind"]}
    assert "binance" in run.service.json("/nbbo/BTC-USDT")["excluded"]

    run.line.send(run.binance.snapshot(), run.binance.heartbeat())
    run.service.wait(lambda: run.service.book(BTC)["valid"])
    assert run.service.book(BTC)["sequence"] == run.binance.next - 1
    assert run.service.book(ETH)["flags"] == ["gap"]
    run.service.wait(lambda: run.rows_of("features", "BTC-USDT")["sequence"][-1] == run.binance.next - 1)
    channel = run.service.json("/channels")["binance"]
    assert (channel["gaps"], channel["lost"], channel["unaccounted"]) == (1, 1, 0)
    run.line.send(run.binance.snapshot("ETH-USDT", 2000), run.binance.heartbeat())
    run.service.wait(lambda: run.service.json("/channels")["binance"]["healed_by"]["feed"] == 1)


def test_sigterm_drains_and_says_a_last_word(run: Run) -> None:
    """What was sent before SIGTERM is in Redis after it; exit 0 within 2 s, with a last stats line and all settled."""
    last = run.binance.book(LAST, [(9_995, 4_242)], [])
    run.line.send(last)
    time.sleep(0.05)
    status, seconds = run.service.stop()
    assert (status, seconds < stop_limit_s()) == (0, True), run.service.log.read_text()
    words = run.service.lines()
    assert words[-1]["event"] == "stats"
    assert (words[-1]["books"], words[-1]["lost"]) == (3, 1)
    assert [word["event"] for word in words].count("joined") == 1
    for stream in ("features", "book"):
        assert run.rows_of(stream, "BTC-USDT")["sequence"][-1] == last.sequence

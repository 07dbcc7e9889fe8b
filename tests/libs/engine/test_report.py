"""What the consumer says of itself: ledgers, the status document, metrics, the line of each second."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from libs.engine import report, state, words
from libs.telemetry.catalogue import METRICS
from libs.telemetry.segment import Segment
from services.consumer.metrics import Metrics
from services.consumer.series import series
from tests.libs.engine.harness import LAST, MS, Feed, Host

SIZES = {"ring_capacity": 4096, "max_books": 16, "max_symbols": 8, "depth": 64}


class Writer:
    """The figures of a writer."""

    connected, reconnects, published, dropped = True, 2, 7, 3

    def __init__(self) -> None:
        self.published_by_stream = {"features": 7}
        self.dropped_by_stream = {"trades": 3}


@pytest.fixture
def metrics() -> Metrics:
    """Give metrics over an engine's arrays, all zero."""
    segment = Segment.create("consumer", series(), extra=state.spec(**SIZES))
    return Metrics(segment, dict(segment.arrays))


def _value(metrics: Metrics, name: str, **labels: str) -> int:
    return int(metrics.segment.counters[metrics.segment.counter(name, **labels)])


def _gauge(metrics: Metrics, name: str, **labels: str) -> float:
    return float(metrics.segment.gauges[metrics.segment.gauge(name, **labels)])


def test_every_series_is_in_the_catalogue_with_its_labels() -> None:
    """What is exported is declared once, under a name of the catalogue and with exactly its labels."""
    catalogue = {metric.name: metric for metric in METRICS}
    found = series()
    assert len({one.key for one in found}) == len(found)
    for one in found:
        assert set(one.labels) == set(catalogue[one.name].labels), one
        assert "consumer" in catalogue[one.name].services, one


def test_a_channel_is_told_while_a_hole_is_open_and_after() -> None:
    """Messages held and missing stand apart; once given up they are lost, and the ledger balances at each step."""
    host, feed = Host(), Feed()
    host.take(feed.heartbeat(), feed.instrument(), feed.snapshot())
    feed.trade()
    host.take(feed.trade(), feed.trade())
    open_ = host.ledger()
    assert (open_["sent"], open_["received"], open_["applied"]) == (5, 4, 2)
    assert (open_["pending"], open_["missing"], open_["lost"], open_["gaps"]) == (2, 1, 0, 1)
    host.wait(51 * MS)
    given_up = host.ledger()
    assert (given_up["applied"], given_up["pending"], given_up["missing"], given_up["lost"]) == (4, 0, 0, 1)
    assert sum(given_up["healed_by"].values()) == 0
    host.take(feed.snapshot())
    assert host.ledger()["healed_by"]["feed"] == 1


def test_what_does_not_balance_is_said() -> None:
    """A message that ended nowhere shows as unaccounted, in both equations."""
    host, feed = Host(), Feed()
    host.take(feed.heartbeat(), feed.instrument(), feed.snapshot())
    arrays = host.engine.arrays
    ledger = arrays["ledger"][0].copy()
    ledger[0] -= 1  # APPLIED
    channel = arrays["sequencer_channels"][0].copy()
    assert report.channel_report(channel, ledger, arrays["sequencer_holes"][0])["pending"] == 1
    ledger[0] += 3
    assert report.channel_report(channel, ledger, arrays["sequencer_holes"][0])["unaccounted"] == 4


def test_only_channels_that_spoke_are_reported() -> None:
    """A channel is in the report once it was heard."""
    host = Host()
    assert report.channels_report(host.engine.arrays) == {}
    host.take(Feed(3).heartbeat())
    assert list(report.channels_report(host.engine.arrays)) == ["okx"]


def test_books_are_counted_by_state() -> None:
    """Books that the feed spoke of, those valid, those crossed."""
    host, feed = Host(), Feed()
    host.take(feed.instrument(), feed.snapshot(), feed.instrument("ETH-USDT"), feed.instrument("SOL-USDT"))
    host.take(feed.snapshot("SOL-USDT"), feed.book(LAST, [(10_002, 5)], [], "SOL-USDT"))
    found = report.books_report(host.engine.arrays)
    assert found == {"total": 3, "registered": 3, "valid": 2, "crossed": 1, "crossed_events": 1, "diverged": 0}


def test_malformed_is_told_by_reason() -> None:
    """Reasons have names, and one that did not happen is not told."""
    host = Host()
    assert report.malformed_report(host.engine.arrays["receive_counts"]) == {}
    host.take_bytes(b"x" * 40)
    host.engine.arrays["receive_counts"][words.FOREIGN_SOURCE] = 2
    assert report.malformed_report(host.engine.arrays["receive_counts"]) == {"bad_magic": 1, "foreign_source": 2}


def _feed_arrays(metrics: Metrics) -> Feed:
    """Run a few messages through an engine and show its arrays to the metrics."""
    host, feed = Host(), Feed()
    host.take(feed.heartbeat(), feed.instrument(), feed.snapshot(), feed.trade(), feed.heartbeat())
    metrics.arrays = dict(host.engine.arrays)
    return feed


def test_metrics_follow_the_threads(metrics: Metrics) -> None:
    """Counters and gauges are copies of what the threads counted."""
    _feed_arrays(metrics)
    metrics.text_refused = 4
    metrics.update([], Writer())  # type: ignore[arg-type]
    assert _value(metrics, "md_messages_received_total", channel="binance") == 3
    assert _value(metrics, "md_messages_applied_total", channel="binance") == 3
    assert _value(metrics, "md_messages_received_total", channel="okx") == 0
    assert _value(metrics, "md_messages_total", exchange="binance", type="book_level") == 10
    assert _value(metrics, "md_messages_total", exchange="binance", type="trade") == 1
    assert _value(metrics, "md_ledger_checks_total", channel="binance") == 2
    assert _value(metrics, "md_ledger_checks_failed_total", channel="binance") == 0
    assert _value(metrics, "md_decode_errors_total", reason="text") == 4
    assert _value(metrics, "md_redis_dropped_total", stream="trades") == 3
    assert _value(metrics, "md_redis_publish_total", stream="features") == 7
    assert _value(metrics, "md_feature_rows_total") == 1
    assert _gauge(metrics, "md_valid_books", exchange="binance") == 1
    assert _gauge(metrics, "md_ring_capacity_items", ring="binance") == SIZES["ring_capacity"]
    assert _gauge(metrics, "md_nbbo_symbols", state="normal") == 1


def test_the_line_of_each_second_is_plain(metrics: Metrics) -> None:
    """The stats line holds plain numbers only, and its rates are those of the last second."""
    _feed_arrays(metrics)
    metrics.update([], Writer())  # type: ignore[arg-type]
    line = metrics.stats_line()
    assert {type(value) for value in line.values()} == {int}
    assert (line["trades"], line["valid_books"], line["books"], line["lost"], line["messages_per_s"]) == (1, 1, 1, 0, 0)


def test_status_is_a_document(metrics: Metrics) -> None:
    """The status document is JSON, with the tops of books as decimal strings."""
    feed = _feed_arrays(metrics)
    document: dict[str, Any] = json.loads(json.dumps(metrics.status(5, Writer(), 9291)))  # type: ignore[arg-type]
    assert document["tops"] == [
        {
            "exchange": "binance",
            "symbol": "BTC-USDT",
            "valid": True,
            "bid": "99.99",
            "ask": "100.01",
            "bid_size": "0.010",
            "ask_size": "0.020",
        }
    ]
    assert document["channels"]["binance"]["applied"] == feed.next - 1
    assert document["redis"] == {"published": 7, "dropped": 3, "reconnects": 2}
    assert (document["updates_applied"], document["trades_applied"], document["features_rows"]) == (10, 1, 1)
    assert document["run"] == 5


def test_latency_rows_are_the_threads_own(metrics: Metrics) -> None:
    """Receive, book and publisher threads record into rows of their own, told under the stages' names."""
    for rows, n in ((metrics.receive_rows, 2), (metrics.process_rows, 3), (metrics.publish_rows, 2)):
        assert len(rows) == n
    total = sum(len(rows) for rows in (metrics.receive_rows, metrics.process_rows, metrics.publish_rows))
    assert total == len(metrics.rows)
    assert np.shares_memory(metrics.rows["publish"], metrics.publish_rows[0])
    assert np.shares_memory(metrics.rows["heal_by_snapshot"], metrics.process_rows[2])

"""The exposition as Prometheus reads it: every series, and a ladder that never under-states a latency."""

from __future__ import annotations

import os

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from libs.telemetry.catalogue import METRICS
from libs.telemetry.exposition import DERIVED, LADDER, ladder_counts, registry
from libs.telemetry.hdr import new_rows
from libs.telemetry.hdr_kernels import record_many
from libs.telemetry.segment import Segment, Series, Watch
from libs.version import version
from tests.libs.telemetry.series import record, segment


def samples(found: Segment) -> dict[tuple, float]:
    text = generate_latest(registry(found, os.getpid())).decode()
    families = list(text_string_to_metric_families(text))
    return {(s.name, *sorted(s.labels.items())): s.value for family in families for s in family.samples}


def test_every_series_is_exposed_with_its_value() -> None:
    """Counters, gauges and histograms come out under their names and labels with the values of the segment."""
    found = segment()
    found.add(found.counter("md_packets_received_total", channel="binance", line="b"), 12)
    found.gauges[found.gauge("md_session_open")] = 1
    record(found, "book", [2_000, 2_000_000_000, 60_000_000_000])
    read = samples(found)
    assert read["md_packets_received_total", ("channel", "binance"), ("line", "a")] == 0
    assert read["md_packets_received_total", ("channel", "binance"), ("line", "b")] == 12
    assert read["md_session_open",] == 1
    assert read["md_e2e_latency_seconds_count", ("path", "book")] == 3
    assert read["md_e2e_latency_seconds_sum", ("path", "book")] == 62.000002
    assert read["md_e2e_latency_seconds_bucket", ("le", "+Inf"), ("path", "book")] == 3
    assert read["md_e2e_latency_seconds_bucket", ("le", "5.0"), ("path", "book")] == 2
    assert read["md_e2e_latency_seconds_count", ("path", "publish")] == 0
    assert read["process_resident_memory_bytes",] > 1_000_000
    assert not [name for name, *_ in read if name.endswith("_created")]


def test_the_whole_catalogue_parses_in_both_formats() -> None:
    """A segment of every metric makes an exposition that both parsers take, help and type included."""
    columns = tuple((m.name, dict.fromkeys(m.labels, "x")) for m in METRICS if "_watch_" in m.name)
    own = [m for m in METRICS if m.name not in DERIVED and "_watch_" not in m.name]
    series = [Series(m.name, dict.fromkeys(m.labels, 'x"\n\\')) for m in own]
    found = Segment.create("consumer", series, watch=Watch(2, columns))
    found.name_watched(0, "BTC-USDT", "okx")
    found.watch_values[0] = 1.0
    collected = registry(found, os.getpid())
    plain = {f.name: f for f in text_string_to_metric_families(generate_latest(collected).decode())}
    strict = {f.name: f for f in parse_openmetrics(generate_openmetrics(collected).decode())}
    for metric in METRICS:
        name = metric.name.removesuffix("_total")
        assert strict[name].type == metric.kind, name
        assert strict[name].documentation == metric.help
        assert name in plain or metric.name in plain


def test_the_worst_message_is_an_exemplar_of_its_bucket() -> None:
    """The bucket that counts it names sequence and book; no other bucket does, and the plain format leaves it out."""
    found = segment()
    record(found, "book", [2_000_000, 40_000_000])
    row = found.row("md_e2e_latency_seconds", path="book")
    found.remark(row, 40_000_000, 4711, "okx BTC-USDT", 1_700_000_000_000_000_000)
    text = generate_openmetrics(registry(found, os.getpid())).decode()
    named = [s for f in parse_openmetrics(text) for s in f.samples if s.exemplar is not None]
    assert [s.labels["le"] for s in named] == ["0.05"]
    exemplar = named[0].exemplar
    assert exemplar is not None
    assert exemplar.labels == {"sequence": "4711", "book": "okx BTC-USDT"}
    assert (exemplar.value, float(exemplar.timestamp)) == (0.04, 1_700_000_000.0)
    assert "4711" not in generate_latest(registry(found, os.getpid())).decode()


def test_largest_and_negative_latencies_come_from_the_row() -> None:
    """The longest since the start is exact; what lay before its scheduled send is counted."""
    found = segment()
    record(found, "book", [2_000, 123_456_789, -5])
    read = samples(found)
    assert read["md_e2e_latency_max_seconds", ("path", "book")] == 0.123456789
    assert read["md_negative_latency_total", ("path", "book")] == 1
    assert read["md_negative_latency_total", ("path", "publish")] == 0


def test_watched_rows_come_out_while_they_have_a_name_and_a_number() -> None:
    """A value that is not a number, and a row without a name, are not exported: never a stale or a wrong one."""
    columns = (("md_watch_price", {"side": "bid"}), ("md_watch_spread_ratio", {}))
    found = Segment.create("consumer", [], watch=Watch(3, columns))
    found.watch_values[:] = 7.0
    found.name_watched(1, "BTC-USDT")
    found.watch_values[1] = (60_000.5, np.nan)
    read = samples(found)
    assert read["md_watch_price", ("side", "bid"), ("symbol", "BTC-USDT")] == 60_000.5
    assert len([name for name, *_ in read if name.startswith("md_watch_")]) == 1


def test_ready_needs_a_sign_of_life() -> None:
    """A service that said it is ready and then hangs is not ready any more."""
    found = segment()
    found.ready(True)
    assert samples(found)["md_ready",] == 1
    found._words[1] -= 6 * 1_000_000_000
    assert samples(found)["md_ready",] == 0


def test_the_host_is_spoken_for_by_one_service() -> None:
    """Steal and clock come from the consumer alone; CPU time by thread and the version from everybody."""
    consumer, oms = samples(segment()), samples(Segment.create("oms", []))
    assert ("md_host_steal_seconds_total",) in consumer
    assert ("md_host_steal_seconds_total",) not in oms
    for read in (consumer, oms):
        assert read["md_build_info", ("version", version())] == 1
        assert any(name == "md_thread_cpu_seconds_total" for name, *_ in read)


NEAR_EDGES = st.builds(
    lambda edge, off: round(edge * 1e9 * (1 + off / 1000)), st.sampled_from(LADDER), st.integers(-40, 40)
)
VALUES = st.lists(st.one_of(st.integers(0, 2**39), NEAR_EDGES), max_size=40)


@given(VALUES)
def test_the_ladder_never_under_states(values: list[int]) -> None:
    """A step never counts a value above its edge, misses those within 3.2 % of it at most, and +Inf is the count."""
    rows = new_rows(1)
    record_many(rows, 0, np.array(values, np.int64))
    pairs, total = ladder_counts(rows[0])
    assert [le for le, _ in pairs] == [*map(repr, LADDER), "+Inf"]
    assert pairs[-1][1] == len(values)
    assert total == sum(values) / 1e9
    counts = [count for _, count in pairs]
    assert counts == sorted(counts)
    for edge, count in zip(LADDER, counts, strict=False):
        limit = round(edge * 1e9)
        assert sum(v <= limit * 0.968 for v in values) <= count <= sum(v <= limit for v in values)


def test_the_ladder_has_every_step() -> None:
    """Steps of 1, 1.5, 2, 3, 5 and 7 from a microsecond to 0.7 s, then 1, 2 and 5 s."""
    assert len(LADDER) == 6 * 6 + 3
    assert (LADDER[0], LADDER[35], LADDER[-1]) == (1e-6, 0.7, 5.0)
    assert list(LADDER) == sorted(set(LADDER))

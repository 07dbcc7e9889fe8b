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
from libs.telemetry.exposition import LADDER, ladder_counts, registry
from libs.telemetry.hdr import new_rows
from libs.telemetry.hdr_kernels import record_many
from libs.telemetry.segment import Segment, Series
from tests.libs.telemetry.series import record, segment


def samples(found: Segment) -> dict[tuple, float]:
    text = generate_latest(registry(found, os.getpid())).decode()
    families = list(text_string_to_metric_families(text))
    return {(s.name, *sorted(s.labels.items())): s.value for family in families for s in family.samples}


def test_every_series_is_exposed_with_its_value() -> None:
    """Counters, gauges and histograms come out under their names and labels with the values of the segment."""
    found = segment()
    found.add(found.counter("md_packets_received_total", channel="binance", line="b"), 12)
    found.gauges[found.gauge("md_ready")] = 1
    record(found, "book", [2_000, 2_000_000_000, 60_000_000_000])
    read = samples(found)
    assert read["md_packets_received_total", ("channel", "binance"), ("line", "a")] == 0
    assert read["md_packets_received_total", ("channel", "binance"), ("line", "b")] == 12
    assert read["md_ready",] == 1
    assert read["md_e2e_latency_seconds_count", ("path", "book")] == 3
    assert read["md_e2e_latency_seconds_sum", ("path", "book")] == 62.000002
    assert read["md_e2e_latency_seconds_bucket", ("le", "+Inf"), ("path", "book")] == 3
    assert read["md_e2e_latency_seconds_bucket", ("le", "5.0"), ("path", "book")] == 2
    assert read["md_e2e_latency_seconds_count", ("path", "publish")] == 0
    assert read["process_resident_memory_bytes",] > 1_000_000
    assert not [name for name, *_ in read if name.endswith("_created")]


def test_the_whole_catalogue_parses_in_both_formats() -> None:
    """A segment of every metric makes an exposition that both parsers take, help and type included."""
    found = Segment.create("all", [Series(m.name, dict.fromkeys(m.labels, 'x"\n\\')) for m in METRICS])
    collected = registry(found, os.getpid())
    plain = {f.name: f for f in text_string_to_metric_families(generate_latest(collected).decode())}
    strict = {f.name: f for f in parse_openmetrics(generate_openmetrics(collected).decode())}
    for metric in METRICS:
        name = metric.name.removesuffix("_total")
        assert strict[name].type == metric.kind
        assert strict[name].documentation == metric.help
        assert name in plain or metric.name in plain


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

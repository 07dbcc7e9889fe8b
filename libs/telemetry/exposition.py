"""A segment as Prometheus metrics: what a scrape reads, computed in the front's process from shared arrays."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import groupby

import numpy as np

os.environ.setdefault("PROMETHEUS_DISABLE_CREATED_SERIES", "True")

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from libs.telemetry.catalogue import BY_NAME
from libs.telemetry.hdr import BUCKETS, SUM, upper_edges
from libs.telemetry.segment import Segment, Series

STEPS = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
LADDER = tuple(
    [float(f"{step}e{decade}") for decade in range(-6, 0) for step in STEPS if step * 10**decade < 0.8]
    + [1.0, 2.0, 5.0]
)
"""Edges in seconds, 1-1.5-2-3-5-7 a decade: within 1.3 % at the median and 6 % at p99 on average."""

_LE = np.searchsorted(np.array([round(edge * 1e9) for edge in LADDER]), upper_edges())
"""The first edge that is at least a bucket's upper one, so that no latency is ever under-stated."""


def ladder_counts(row: np.ndarray) -> tuple[list[tuple[str, float]], float]:
    """Return cumulative (le, count) pairs and the sum in seconds of one HDR row."""
    copy = np.array(row)
    counts = np.bincount(_LE, weights=copy[:BUCKETS], minlength=len(LADDER) + 1)
    cumulative = np.cumsum(counts)
    pairs = [(repr(edge), float(n)) for edge, n in zip(LADDER, cumulative, strict=False)]
    return [*pairs, ("+Inf", float(cumulative[-1]))], float(copy[SUM]) / 1e9


class SegmentCollector(Collector):
    """Collect a segment's series."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment

    def describe(self) -> list[Metric]:
        """Return nothing, so that registration does not collect."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give every metric with its series, in the order of the catalogue."""
        ordered = sorted(self.segment.series, key=lambda one: one.name)
        for name, series in groupby(ordered, key=lambda one: one.name):
            yield self._family(name, list(series))

    def _family(self, name: str, series: list[Series]) -> Metric:
        metric = BY_NAME[name]
        seg = self.segment
        if metric.kind == "histogram":
            histogram = HistogramMetricFamily(name, metric.help, labels=metric.labels)
            for one in series:
                pairs, total = ladder_counts(seg.rows[seg.row(name, **one.labels)])
                histogram.add_metric([one.labels[k] for k in metric.labels], pairs, total)
            return histogram
        if metric.kind == "counter":
            counter = CounterMetricFamily(name, metric.help, labels=metric.labels)
            for one in series:
                value = float(seg.counters[seg.counter(name, **one.labels)])
                counter.add_metric([one.labels[k] for k in metric.labels], value)
            return counter
        gauge = GaugeMetricFamily(name, metric.help, labels=metric.labels)
        for one in series:
            value = float(seg.gauges[seg.gauge(name, **one.labels)])
            gauge.add_metric([one.labels[k] for k in metric.labels], value)
        return gauge


def registry(segment: Segment, pid: int) -> CollectorRegistry:
    """Return a registry of the segment and of the service's own process, not the front's."""
    found = CollectorRegistry(auto_describe=False)
    found.register(SegmentCollector(segment))
    ProcessCollector(pid=lambda: pid, registry=found)
    return found

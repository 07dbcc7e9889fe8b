"""A segment as Prometheus metrics: what a scrape reads, computed in the front's process from shared arrays."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np

os.environ.setdefault("PROMETHEUS_DISABLE_CREATED_SERIES", "True")

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from libs.telemetry import host
from libs.telemetry.catalogue import BY_NAME
from libs.telemetry.hdr import BUCKETS, MAX, NEGATIVES, SUM, upper_edges
from libs.telemetry.segment import (
    EXEMPLAR_NS,
    EXEMPLAR_SEQUENCE,
    EXEMPLAR_WALL_NS,
    Segment,
    Series,
    text_of,
)
from libs.version import version

LATENCY = "md_e2e_latency_seconds"
DERIVED = (
    "md_ready",
    "md_build_info",
    "md_e2e_latency_max_seconds",
    "md_negative_latency_total",
    "md_thread_cpu_seconds_total",
    "md_host_steal_seconds_total",
    "md_clock_synchronised",
    "md_clock_max_error_seconds",
)
"""Metrics that no service declares: they follow from its segment, its process and the host."""

LIVE_S = 5.0
"""A service that gave no sign of life for so long is not ready, whatever it said last."""

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


Bucket = tuple[str, float] | tuple[str, float, Exemplar]


def with_exemplar(buckets: list[tuple[str, float]], words: np.ndarray, book: str) -> list[Bucket]:
    """Return buckets with the exemplar of a histogram in the one that counts its value; as they are where it has none.

    Parameters
    ----------
    words : int64[3]
        By the EXEMPLAR_ constants of libs.telemetry.segment.
    book : str
    """
    found: list[Bucket] = list(buckets)
    value_s = int(words[EXEMPLAR_NS]) / 1e9
    if value_s <= 0:
        return found
    at = next(i for i, (edge, _) in enumerate(buckets) if value_s <= float(edge))
    labels = {"sequence": str(int(words[EXEMPLAR_SEQUENCE])), "book": book}
    found[at] = (*buckets[at], Exemplar(labels, value_s, int(words[EXEMPLAR_WALL_NS]) / 1e9))
    return found


class SegmentCollector(Collector):
    """Collect a segment's series, and what follows from them."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment

    def describe(self) -> list[Metric]:
        """Return nothing, so that registration does not collect."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give every metric with its series, in the order of the catalogue."""
        ordered = sorted(self.segment.series, key=lambda one: one.name)
        for name, group in groupby(ordered, key=lambda one: one.name):
            series = list(group)
            yield self._histogram(name, series) if BY_NAME[name].kind == "histogram" else self._plain(name, series)
        yield from self._extremes()
        yield from self._watched()
        ready = self.segment.readiness()[0] and self.segment.age_s() <= LIVE_S
        yield family("md_ready", [({}, float(ready))])

    def _histogram(self, name: str, series: list[Series]) -> Metric:
        metric, seg = BY_NAME[name], self.segment
        histogram = HistogramMetricFamily(name, metric.help, labels=metric.labels)
        for one in series:
            row = seg.row(name, **one.labels)
            pairs, total = ladder_counts(seg.rows[row])
            buckets = with_exemplar(pairs, seg.exemplars[row], text_of(seg.exemplar_books[row]))
            histogram.add_metric([one.labels[k] for k in metric.labels], buckets, total)
        return histogram

    def _plain(self, name: str, series: list[Series]) -> Metric:
        seg = self.segment
        if BY_NAME[name].kind == "counter":
            return family(name, [(one.labels, float(seg.counters[seg.counter(name, **one.labels)])) for one in series])
        return family(name, [(one.labels, float(seg.gauges[seg.gauge(name, **one.labels)])) for one in series])

    def _extremes(self) -> Iterator[Metric]:
        """Give the largest latency of each path, and how many were negative."""
        rows = {one.labels["path"]: self.segment.row(LATENCY, **one.labels) for one in self.segment.series
                if one.name == LATENCY}  # fmt: skip
        if rows:
            found = self.segment.rows
            largest: list[Sample] = [({"path": path}, int(found[row, MAX]) / 1e9) for path, row in rows.items()]
            negative: list[Sample] = [({"path": path}, float(found[row, NEGATIVES])) for path, row in rows.items()]
            yield family("md_e2e_latency_max_seconds", largest)
            yield family("md_negative_latency_total", negative)

    def _watched(self) -> Iterator[Metric]:
        """Give what is a number of the watch table."""
        seg, found = self.segment, dict[str, list[Sample]]()
        for row in range(seg.watch.rows):
            symbol, exchange = seg.watched(row)
            if not symbol:
                continue
            for (name, labels), value in zip(seg.watch.columns, seg.watch_values[row].tolist(), strict=True):
                if not math.isnan(value):
                    known = {"symbol": symbol, "exchange": exchange, **labels}
                    found.setdefault(name, []).append(({k: known[k] for k in BY_NAME[name].labels}, value))
        for name, samples in found.items():
            yield family(name, samples)


Sample = tuple[Mapping[str, str], float]


def family(name: str, samples: Sequence[Sample]) -> Metric:
    """Return a counter or gauge of the catalogue with its series.

    Raises
    ------
    KeyError
        When it is not in the catalogue, or a sample lacks one of its labels.
    """
    metric = BY_NAME[name]
    make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    found = make(name, metric.help, labels=metric.labels)
    for labels, value in samples:
        found.add_metric([labels[k] for k in metric.labels], value)
    return found


class ProcessDetails(Collector):
    """Collect what Linux says of the service's process and, where the service speaks for it, of the host.

    Parameters
    ----------
    service : str
    pid : int
        Of the service, not of this process.
    """

    def __init__(self, service: str, pid: int) -> None:
        self.pid = pid
        self.host = service in BY_NAME["md_host_steal_seconds_total"].services

    def describe(self) -> list[Metric]:
        """Return nothing, so that registration does not collect."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give the version, CPU time by thread, steal, and the state of the clock."""
        yield family("md_build_info", [({"version": version()}, 1.0)])
        threads = host.thread_seconds(self.pid).items()
        yield family("md_thread_cpu_seconds_total", [({"thread": name}, seconds) for name, seconds in threads])
        if not self.host:
            return
        yield family("md_host_steal_seconds_total", [({}, host.steal_seconds())])
        clock = host.clock()
        if clock is not None:
            yield family("md_clock_synchronised", [({}, float(clock.synchronised))])
            yield family("md_clock_max_error_seconds", [({}, clock.max_error_s)])


def registry(segment: Segment, pid: int) -> CollectorRegistry:
    """Return a registry of the segment and of the service's own process, not the front's."""
    found = CollectorRegistry(auto_describe=False)
    found.register(SegmentCollector(segment))
    found.register(ProcessDetails(segment.service, pid))
    ProcessCollector(pid=lambda: pid, registry=found)
    return found

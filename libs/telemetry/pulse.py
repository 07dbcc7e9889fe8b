"""What a service notes of itself at each report: pauses, lateness of its loop, and the latencies of the last 10 s."""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Sequence

import numpy as np

from libs.telemetry import logs
from libs.telemetry.hdr import BUCKETS, note, quantile_of
from libs.telemetry.segment import Segment, Series

LATENCY = "md_e2e_latency_seconds"
WINDOW_S = 10
QUANTILES = {"0.5": 0.5, "0.99": 0.99, "0.999": 0.999, "1": 1.0}
_SECOND_NS = 1_000_000_000


def with_pulse(series: Sequence[Series]) -> list[Series]:
    """Return a service's series and those that a :class:`Pulse` keeps, which come last."""
    paths = [one.labels["path"] for one in series if one.name == LATENCY]
    windows = [
        Series("md_latency_window_seconds", {"path": path, "quantile": label}) for path in paths for label in QUANTILES
    ]
    own = [Series(name, {}) for name in ("md_gc_pause_seconds", "md_loop_lag_seconds", "md_log_suppressed_total")]
    return [*series, *windows, *own]


class Pulse:
    """Beat of a service's main loop.

    Parameters
    ----------
    segment : Segment
        Made of :func:`with_pulse`'s series.
    interval_s : float
        Between two beats, when nothing is late.
    """

    def __init__(self, segment: Segment, interval_s: float) -> None:
        self.segment = segment
        self._interval_ns = round(interval_s * _SECOND_NS)
        self._gc_row = segment.rows[segment.row("md_gc_pause_seconds")]
        self._lag_row = segment.rows[segment.row("md_loop_lag_seconds")]
        self._suppressed = segment.counter("md_log_suppressed_total")
        self._gc_began = self._last = self._sampled = 0
        paths = [one.labels["path"] for one in segment.series if one.name == LATENCY]
        self._rows = [segment.row(LATENCY, path=path) for path in paths]
        name = "md_latency_window_seconds"
        self._gauges = [[segment.gauge(name, path=path, quantile=label) for label in QUANTILES] for path in paths]
        self._past: deque[np.ndarray] = deque(maxlen=WINDOW_S)
        for gauges in self._gauges:
            segment.gauges[gauges] = np.nan
        gc.callbacks.append(self._on_gc)

    def close(self) -> None:
        """Stop noting pauses."""
        gc.callbacks.remove(self._on_gc)

    def _on_gc(self, phase: str, info: dict[str, int]) -> None:
        now = time.monotonic_ns()
        if phase == "start":
            self._gc_began = now
        elif self._gc_began:
            note(self._gc_row, now - self._gc_began)

    def beat(self) -> None:
        """Give a sign of life; note how late it is; once a second, bring the window's quantiles up to date."""
        now = time.monotonic_ns()
        self.segment.beat()
        if self._last:
            note(self._lag_row, max(0, now - self._last - self._interval_ns))
        self._last = now
        if now - self._sampled >= _SECOND_NS:
            self._sampled = now
            self._sample()
            self.segment.counters[self._suppressed] = logs.suppressed()

    def _sample(self) -> None:
        rows = self.segment.rows[self._rows, :BUCKETS]
        recent = rows - self._past[0] if self._past else rows
        for counts, gauges in zip(recent, self._gauges, strict=True):
            total = int(counts.sum())
            for q, gauge in zip(QUANTILES.values(), gauges, strict=True):
                self.segment.gauges[gauge] = quantile_of(counts, q) / 1e9 if total else np.nan
        self._past.append(rows)

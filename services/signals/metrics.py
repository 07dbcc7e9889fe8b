"""The signal service's metrics and status document."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from libs.models.protocol import PredictionModel
from libs.models.scoring import DROPPED, SETTLED, VOID, rolling
from libs.telemetry.hdr import summary
from libs.telemetry.segment import Segment, Series
from services.signals.evaluate import SKIPS, SUPERSEDED, Evaluator

PATH = "signal"
RECENT = 10
ACTIONS = ("buy", "sell")
OUTCOMES = {"settled": SETTLED, "dropped": DROPPED, "void": VOID}


def series(model: PredictionModel) -> list[Series]:
    """Return every series that the service exports, so that each exists from the start."""
    labels = {"model": model.name, "horizon": f"{model.horizon_s:g}s"}
    return [
        Series("md_e2e_latency_seconds", {"path": PATH}),
        *(Series("sig_signals_total", {"model": model.name, "side": side}) for side in ACTIONS),
        Series("sig_rows_total", {}),
        *(Series("sig_skipped_total", {"reason": reason}) for reason in (*SKIPS[1:], SUPERSEDED)),
        *(Series("sig_feature_nan_total", {"feature": name}) for name in model.feature_names),
        *(Series("sig_predictions_scored_total", {"outcome": outcome}) for outcome in OUTCOMES),
        Series("sig_rolling_ic_ratio", labels),
        Series("sig_rolling_hit_ratio", labels),
        Series("sig_rolling_calibration_ratio", labels),
        Series("sig_reader_breaks_total", {}),
        Series("sig_dropped_total", {}),
        Series("md_redis_reader_lag_seconds", {"stream": "features"}),
    ]


class Metrics:
    """Bring counters, gauges and the status document up to date from what the evaluator counted.

    Parameters
    ----------
    segment : Segment
        Made with :func:`series`.
    evaluator : Evaluator
    """

    def __init__(self, segment: Segment, evaluator: Evaluator) -> None:
        self.segment, self.evaluator = segment, evaluator
        self.row = segment.row("md_e2e_latency_seconds", path=PATH)
        self.recent: deque[dict[str, str]] = deque(maxlen=RECENT)
        model = evaluator.model
        self._labels = {"model": model.name, "horizon": f"{model.horizon_s:g}s"}

    def _set(self, name: str, value: int, **labels: str) -> None:
        self.segment.counters[self.segment.counter(name, **labels)] = value

    def _gauge(self, name: str, value: float, **labels: str) -> None:
        self.segment.gauges[self.segment.gauge(name, **labels)] = value

    def update(self, breaks: int, dropped: int, lag_s: float) -> None:
        """Copy the counts into the exported series."""
        evaluator = self.evaluator
        for side in ACTIONS:
            self._set("sig_signals_total", evaluator.by_action[side], model=evaluator.model.name, side=side)
        self._set("sig_rows_total", evaluator.rows)
        for reason in (*SKIPS[1:], SUPERSEDED):
            self._set("sig_skipped_total", evaluator.skipped[reason], reason=reason)
        for name in evaluator.model.feature_names:
            self._set("sig_feature_nan_total", evaluator.nan_features[name], feature=name)
        for outcome, at in OUTCOMES.items():
            self._set("sig_predictions_scored_total", int(evaluator.scoring.counts[at]), outcome=outcome)
        figures = rolling(evaluator.scoring)
        self._gauge("sig_rolling_ic_ratio", figures.correlation, **self._labels)
        self._gauge("sig_rolling_hit_ratio", figures.hit_rate, **self._labels)
        self._gauge("sig_rolling_calibration_ratio", figures.calibration, **self._labels)
        self._set("sig_reader_breaks_total", breaks)
        self._set("sig_dropped_total", dropped)
        self._gauge("md_redis_reader_lag_seconds", lag_s, stream="features")

    def status(self, http_port: int, redis: dict[str, Any]) -> dict[str, Any]:
        """Return the status document."""
        evaluator = self.evaluator
        model = evaluator.model
        figures = rolling(evaluator.scoring)
        return {
            "service": "signals",
            "rows": evaluator.rows,
            "signals": sum(evaluator.by_action.values()),
            "by_action": {side: evaluator.by_action[side] for side in ACTIONS},
            "skipped": {reason: n for reason, n in evaluator.skipped.items() if n},
            "nan_features": dict(evaluator.nan_features),
            "latency_ns": {"signal": summary(self.segment.rows[self.row])},
            "model": {"name": model.name, "digest": model.digest, "horizon_s": model.horizon_s},
            "costs": evaluator.settings.costs,
            "threshold_bps": evaluator.threshold_bps,
            "threshold_note": threshold_note(evaluator),
            "scored": {
                **{outcome: int(evaluator.scoring.counts[at]) for outcome, at in OUTCOMES.items()},
                "correlation": _finite(figures.correlation),
                "hit_rate": _finite(figures.hit_rate),
                "calibration": _finite(figures.calibration),
            },
            "redis": redis,
            "http_port": http_port,
            "recent": list(self.recent),
        }


def threshold_note(evaluator: Evaluator) -> str:
    """Say what the threshold is, for the screen and the report."""
    if evaluator.real:
        return f"real costs: a prediction must leave more than {evaluator.threshold_bps:g} bps after the venue's costs"
    return (
        f"demo: no costs; a prediction must be beyond {evaluator.threshold_bps:.3f} bps, "
        f"the 90th percentile of its size in training"
    )


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else value

"""The catalogue of metrics keeps to Prometheus's conventions."""

from __future__ import annotations

import re

import pytest

from libs.telemetry.catalogue import BY_NAME, METRICS, kind_of


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_follow_the_conventions(metric: object) -> None:
    """Counters end in _total, nothing else does; names and labels are valid; no histogram has a symbol as a label."""
    assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.kind in {"counter", "gauge", "histogram"}
    assert all(re.fullmatch(r"[a-z]+", label) and label != "le" for label in metric.labels)
    assert metric.kind == "gauge" or "quantile" not in metric.labels
    assert metric.kind != "histogram" or not {"symbol", "exchange"} & set(metric.labels)
    assert metric.help and metric.unit and metric.services


def test_names_are_unique_and_known() -> None:
    """No name stands twice, and a wrong one is refused with near misses."""
    assert len(BY_NAME) == len(METRICS)
    assert kind_of("md_ready") == "gauge"
    with pytest.raises(KeyError, match="md_ready"):
        kind_of("md_reddy")

"""Model inputs from feature rows."""

from __future__ import annotations

import numpy as np
import pytest

from libs.features.definitions import COLUMNS, FEATURES
from libs.models.inputs import DIMENSIONLESS, INPUTS, compute, mid
from libs.streams.schemas import FEATURES as LAYOUT


def _rows() -> np.ndarray:
    rows = np.zeros(2, LAYOUT)
    for name in COLUMNS:
        rows[name] = np.nan
    rows["best_bid"], rows["best_ask"] = [99.0, 1.0], [101.0, np.nan]
    rows["bid_size"], rows["ask_size"] = [6.0, 1.0], [2.0, np.nan]
    rows["wap_0ms"] = [100.5, np.nan]
    rows["queue_imbalance"] = [0.5, np.nan]
    rows["bid_volume_10bps"], rows["ask_volume_10bps"] = [30.0, 0.0], [10.0, 0.0]
    rows["order_flow_imbalance"] = [8.0, 8.0]
    return rows


def test_inputs_are_what_their_names_say() -> None:
    """Distances from mid are in bps of mid, imbalances in shares, flows in mean top sizes; what is undefined is NaN."""
    x = compute(_rows(), ["wap_bps", "queue_imbalance", "volume_imbalance_10bps", "order_flow_imbalance_depth"])
    assert x[0] == pytest.approx([50.0, 0.5, 0.5, 2.0], rel=1e-12)
    assert np.isnan(x[1]).all()
    assert mid(_rows())[0] == 100.0


def test_every_published_feature_may_be_named() -> None:
    """All features and all inputs without dimension compute on any row, and never give an infinity."""
    assert set(FEATURES) <= set(INPUTS)
    x = compute(_rows(), list(INPUTS))
    assert x.shape == (2, len(INPUTS))
    assert not np.isinf(x).any()


def test_inputs_without_dimension_do_not_know_the_symbol() -> None:
    """The same book at another price scale and lot size has the same inputs."""
    rows = _rows()[:1]
    for name in COLUMNS:
        if np.isnan(rows[name][0]):
            rows[name] = 0.25
    other = rows.copy()
    prices = ("best_bid", "best_ask", "wap_0ms", "wap_100ms", "wap_200ms", "wap_300ms", "microprice", "spread")
    sizes = ("bid_size", "ask_size", "order_flow_imbalance", *(f"ofi_l{k}" for k in range(1, 6)))
    volumes = tuple(f"{side}_volume_{bps}bps" for side in ("bid", "ask") for bps in (10, 20))
    for name in prices:
        other[name] *= 7.0
    for name in sizes + volumes:
        other[name] *= 1000.0
    names = list(DIMENSIONLESS)
    assert compute(other, names) == pytest.approx(compute(rows, names), rel=1e-9)

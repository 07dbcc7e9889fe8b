"""Costs, actions, confidence and size, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.models.decisions import (
    BUY,
    NONE,
    SELL,
    Sizing,
    actions,
    confidence,
    kelly_size,
    net_of_cost,
    opening_cost,
    reducing_cost,
)


def test_opening_costs_twice_what_reducing_does() -> None:
    """Spread 8 bps, fee 10 bps, slippage 0.5 bps: a trade costs 14.5 bps, there and back 29."""
    spread, fee = np.array([8.0]), np.array([10.0])
    assert reducing_cost(spread, fee, 0.5).tolist() == [14.5]
    assert opening_cost(spread, fee, 0.5).tolist() == [29.0]


def test_an_action_needs_more_than_the_threshold_after_costs() -> None:
    """The side is the prediction's; at the threshold, or below it, nothing is done."""
    mean = np.array([5.0, -5.0, 4.0, -3.9, 0.0])
    net = net_of_cost(mean, np.full(5, 3.0))
    assert net.tolist() == pytest.approx([2.0, 2.0, 1.0, 0.9, -3.0])
    assert actions(mean, net, 1.0).tolist() == [BUY, SELL, NONE, NONE, NONE]
    assert actions(np.zeros(1), np.zeros(1), 0.0).tolist() == [NONE]


def test_confidence_is_the_normal_probability_of_the_sign() -> None:
    """No prediction is a coin's toss; one deviation is 84.13 %, two are 97.72 %."""
    found = confidence(np.array([0.0, 4.0, -4.0, 8.0]), np.full(4, 4.0))
    assert found == pytest.approx([0.5, 0.8413447460685429, 0.8413447460685429, 0.9772498680518208], rel=1e-12)


def test_size_is_fractional_kelly_within_its_limits() -> None:
    """0.1 bps net against 50 bps: Kelly 0.4, a tenth of it 0.04; larger ones meet the volatility cap or the limit."""
    sizing = Sizing(kelly_fraction=0.1, target_volatility_bps=10.0, max_fraction=0.25)
    assert kelly_size(np.array([0.1]), np.array([50.0]), sizing) == pytest.approx([0.04], rel=1e-12)
    assert kelly_size(np.array([5.0]), np.array([50.0]), sizing) == pytest.approx([0.2], rel=1e-12)
    assert kelly_size(np.array([5.0]), np.array([20.0]), sizing) == pytest.approx([0.25], rel=1e-12)
    assert kelly_size(np.array([-1.0]), np.array([20.0]), sizing).tolist() == [0.0]


@given(st.floats(-50, 50), st.floats(0.5, 100), st.floats(0.5, 100))
def test_size_is_never_beyond_a_limit(net: float, sigma: float, target: float) -> None:
    """Whatever the prediction, the size is between nothing and each of its limits."""
    sizing = Sizing(0.2, target, 0.3)
    size = float(kelly_size(np.array([net]), np.array([sigma]), sizing)[0])
    assert 0.0 <= size <= min(0.3, target / sigma) * (1 + 1e-12)
    assert size <= 0.2 * max(net, 0) * 1e-4 / (sigma * 1e-4) ** 2 * (1 + 1e-9)
    assert not math.isnan(size)

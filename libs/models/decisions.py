"""From predictions to actions: costs, threshold, confidence and size. Pure functions over arrays."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

BPS = 10_000.0
BUY, NONE, SELL = 1, 0, -1
ACTIONS = {BUY: "buy", SELL: "sell", NONE: "none"}


class Sizing(NamedTuple):
    """Limits of a position's size, as fractions of capital.

    Attributes
    ----------
    kelly_fraction : float
        Share of the Kelly size that is taken.
    target_volatility_bps : float
        Deviation of the capital over one horizon that a position may cause.
    max_fraction : float
        Never more than this.
    """

    kelly_fraction: float
    target_volatility_bps: float
    max_fraction: float


def opening_cost(spread_bps: np.ndarray, taker_fee_bps: np.ndarray, slippage_bps: float) -> np.ndarray:
    """Return the cost of opening a position and leaving it again, in bps: 2 × (half spread + taker fee + slippage)."""
    return 2.0 * reducing_cost(spread_bps, taker_fee_bps, slippage_bps)


def reducing_cost(spread_bps: np.ndarray, taker_fee_bps: np.ndarray, slippage_bps: float) -> np.ndarray:
    """Return the cost of one trade, in bps: half spread + taker fee + slippage."""
    return spread_bps / 2.0 + taker_fee_bps + slippage_bps


def net_of_cost(mean_bps: np.ndarray, cost_bps: np.ndarray) -> np.ndarray:
    """Return what is left of a prediction's size after costs, in bps; below zero where it does not pay."""
    return np.abs(mean_bps) - cost_bps


def actions(mean_bps: np.ndarray, net_bps: np.ndarray, threshold_bps: float) -> np.ndarray:
    """Return BUY, SELL or NONE (int64[n]): the prediction's side where its net size is above the threshold."""
    return np.where(net_bps > threshold_bps, np.sign(mean_bps), 0.0).astype(np.int64)


_ERF = np.frompyfunc(math.erf, 1, 1)


def confidence(mean_bps: np.ndarray, sigma_bps: np.ndarray) -> np.ndarray:
    """Return the probability that a prediction's sign is right, its errors being normal with this deviation."""
    return 0.5 * (1.0 + _ERF(np.abs(mean_bps) / (sigma_bps * math.sqrt(2.0))).astype(np.float64))


def kelly_size(net_bps: np.ndarray, sigma_bps: np.ndarray, sizing: Sizing) -> np.ndarray:
    """Return the fraction of capital to hold.

    Fractional Kelly μ/σ² (μ, σ as fractions), capped by the volatility target and by the limit; 0 where nothing is left
    after costs.

    Parameters
    ----------
    net_bps, sigma_bps : float64[n]
        What is expected after costs, and the predictive deviation.
    sizing : Sizing
    """
    mu, sigma = np.maximum(net_bps, 0.0) / BPS, sigma_bps / BPS
    kelly = sizing.kelly_fraction * mu / sigma**2
    by_volatility = sizing.target_volatility_bps / sigma_bps
    return np.minimum(np.minimum(kelly, by_volatility), sizing.max_fraction)

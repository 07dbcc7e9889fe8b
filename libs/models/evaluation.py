"""How good a prediction is: targets, splits in time, and scores from windows that do not overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

BPS = 10_000.0


class Scores(NamedTuple):
    """Scores of predictions against what came.

    Attributes
    ----------
    windows : int
        Pairs scored.
    correlation : float
        Pearson, of prediction and outcome (the information coefficient); NaN where either is constant.
    hit_rate : float
        Share of right signs among the outcomes that are not zero.
    moved : float
        Share of outcomes that are not zero.
    r2 : float
        1 − Σ(y − p)²/Σy²: against the prediction that nothing happens.
    rmse_bps, outcome_bps, prediction_bps : float
        Root mean squares of the error, of the outcome, of the prediction.
    """

    windows: int
    correlation: float
    hit_rate: float
    moved: float
    r2: float
    rmse_bps: float
    outcome_bps: float
    prediction_bps: float


def targets(feed_us: np.ndarray, mid: np.ndarray, horizon_us: int) -> np.ndarray:
    """Return y = 10,000·ln(mid(t + horizon)/mid(t)) of each event of one book.

    Parameters
    ----------
    feed_us : int64[n]
        Feed times, never decreasing.
    mid : float64[n]
        In force from its event on.
    horizon_us : int

    Returns
    -------
    float64[n]
        In bps; NaN where t + horizon is past the last event, or a mid is missing.
    """
    due = feed_us + horizon_us
    at = np.searchsorted(feed_us, due, side="right") - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        y = BPS * np.log(mid[at] / mid)
    y[due > feed_us[-1]] = np.nan
    return y


def split(feed_us: np.ndarray, shares: Sequence[float], purge_us: int) -> np.ndarray:
    """Return the part (0, 1, …) that each event of one book belongs to, cut in time; -1 where it belongs to none.

    What lies within ``purge_us`` before a cut is left out, so that no target reaches into the next part.

    Parameters
    ----------
    feed_us : int64[n]
    shares : sequence of float
        Of the time; they sum to 1.
    purge_us : int
        The horizon.
    """
    first, last = int(feed_us[0]), int(feed_us[-1])
    cuts = first + np.cumsum(shares)[:-1] * (last - first)
    part = np.searchsorted(cuts, feed_us, side="right")
    for cut in cuts:
        part[(feed_us < cut) & (feed_us >= cut - purge_us)] = -1
    return part


def non_overlapping(feed_us: np.ndarray, horizon_us: int) -> np.ndarray:
    """Return indices of events of one book that are at least a horizon apart, from the first on."""
    chosen, next_us = [], -(1 << 62)
    for index, time_us in enumerate(feed_us.tolist()):
        if time_us >= next_us:
            chosen.append(index)
            next_us = time_us + horizon_us
    return np.array(chosen, np.int64)


def score(prediction: np.ndarray, outcome: np.ndarray) -> Scores:
    """Return the scores of pairs (float64[n], in bps); pairs with a NaN are left out."""
    there = np.isfinite(prediction) & np.isfinite(outcome)
    p, y = prediction[there], outcome[there]
    n = len(p)
    if n == 0:
        return Scores(0, *[math.nan] * 7)
    spread = float(p.std() * y.std())
    correlation = float(((p - p.mean()) * (y - y.mean())).mean() / spread) if spread > 0 else math.nan
    moved = y != 0
    hits = float((np.sign(p[moved]) == np.sign(y[moved])).mean()) if moved.any() else math.nan
    total = float((y**2).sum())
    errors = float(((y - p) ** 2).sum())
    r2 = 1.0 - errors / total if total > 0 else math.nan
    return Scores(
        n,
        correlation,
        hits,
        float(moved.mean()),
        r2,
        math.sqrt(errors / n),
        math.sqrt(total / n),
        float(np.sqrt((p**2).mean())),
    )

"""Targets, splits and scores."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.models.evaluation import non_overlapping, score, split, targets

H = 15


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(1, 100)), min_size=1, max_size=40))
def test_a_target_is_the_log_return_over_the_horizon(steps: list[tuple[int, float]]) -> None:
    """Each target uses the last mid at or before t + horizon; past the last event there is none."""
    feed = np.cumsum([step for step, _ in steps])
    mids = np.array([mid for _, mid in steps])
    y = targets(feed, mids, H)
    for i, t in enumerate(feed.tolist()):
        if t + H > feed[-1]:
            assert math.isnan(y[i])
        else:
            later = max(k for k in range(len(feed)) if feed[k] <= t + H)
            assert y[i] == pytest.approx(1e4 * math.log(mids[later] / mids[i]), abs=1e-9)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=80))
def test_no_target_reaches_into_the_next_part(steps: list[int]) -> None:
    """Parts come in order of time, and what lies within a horizon of a cut belongs to none."""
    feed = np.cumsum(steps)
    part = split(feed, (0.6, 0.2, 0.2), H)
    taken = part[part >= 0]
    assert (np.diff(taken) >= 0).all()
    for k in range(2):
        if (part == k).any() and (part > k).any():
            assert feed[part == k].max() + H <= feed[part > k].min() or feed[part == k].max() < feed[-1] * 0.8
    cuts = feed[0] + np.cumsum((0.6, 0.2)) * (feed[-1] - feed[0])
    for cut in cuts:
        assert not ((feed < cut) & (feed >= cut - H) & (part >= 0)).any()


@given(st.lists(st.integers(0, 20), min_size=1, max_size=60))
def test_windows_do_not_overlap(steps: list[int]) -> None:
    """Windows start at least a horizon apart, and none could be put between two of them."""
    feed = np.cumsum(steps)
    at = non_overlapping(feed, H)
    assert at[0] == 0
    assert (np.diff(feed[at]) >= H).all()
    for first, second in itertools.pairwise(at):
        assert second == np.flatnonzero(feed >= feed[first] + H)[0]


def test_scores_are_those_of_the_textbook() -> None:
    """Correlation as numpy's; hits among what moved; R² against the prediction that nothing happens."""
    rng = np.random.default_rng(7)
    p = rng.normal(size=200)
    y = 0.3 * p + rng.normal(size=200)
    y[:50] = 0.0
    s = score(np.append(p, np.nan), np.append(y, 1.0))
    assert s.windows == 200
    assert s.correlation == pytest.approx(np.corrcoef(p, y)[0, 1], rel=1e-12)
    assert s.hit_rate == pytest.approx(((p[50:] > 0) == (y[50:] > 0)).mean())
    assert s.moved == 0.75
    assert s.r2 == pytest.approx(1 - ((y - p) ** 2).sum() / (y**2).sum(), rel=1e-12)


def test_nothing_to_score_is_not_a_number() -> None:
    """Without pairs, or without movement, the figures are NaN and not zero."""
    assert score(np.array([]), np.array([])).windows == 0
    still = score(np.ones(3), np.zeros(3))
    assert math.isnan(still.correlation)
    assert math.isnan(still.hit_rate)

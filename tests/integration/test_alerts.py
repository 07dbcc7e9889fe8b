"""Alerts of a real Prometheus on a stack that is broken on purpose; waits and windows are shorter than in earnest."""

from __future__ import annotations

import pytest

from scripts.alert_trial import REPLAYED, attempts
from tests.needs import needs_prometheus

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600), needs_prometheus]


def test_exactly_the_expected_alerts_fire_and_resolve() -> None:
    """While something is broken its alerts fire and no others do; mended, they are gone; before it, none fires.

    `python -m scripts.alert_trial` does more: Redis hangs, which takes until its backlog is full, and a venue freezes.
    """
    chosen = {trial.name for trial in REPLAYED if "Redis" not in trial.name}
    calm, *broken = attempts(shorter=12, wanted=lambda trial: trial.name in chosen)
    assert (calm.unexpected, calm.missing) == (frozenset(), frozenset()), calm.texts
    assert {outcome.trial for outcome in broken} == chosen
    for outcome in broken:
        assert outcome.missing == frozenset(), outcome
        assert outcome.unexpected == frozenset(), outcome
        assert outcome.fired_s

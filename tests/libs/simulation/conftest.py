"""Fixtures of the simulator's tests."""

from __future__ import annotations

import pytest

from libs.simulation.world import Bench


@pytest.fixture(scope="session")
def bench() -> Bench:
    """Memory that schedules use one after the other."""
    return Bench()

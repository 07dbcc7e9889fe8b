"""The benches of the whole pipe, at a tiny size; what they compute from its reports."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.bench import memory, pipe, throughput
from tests.bench.runner import Scale
from tests.bench.stack import Floor
from tests.needs import needs_cc

TINY = Scale(tiny=True)


def report(rate: int, *, lost: int = 0, messages_per_s: float = 0.0, dropped: int = 0) -> dict[str, Any]:
    """As much of a report as decides whether a rate holds."""
    return {
        "channels": {"okx": {"lost": lost, "unaccounted": 0}},
        "ring": {"dropped": dropped},
        "messages_per_s": messages_per_s or rate,
    }


def test_a_rate_holds_when_nothing_is_lost_and_it_is_kept() -> None:
    """A loss, a dropped record or a slow sender each say no."""
    assert throughput.holds(report(1000), 1000)
    for wrong in ({"lost": 1}, {"dropped": 1}, {"messages_per_s": 870.0}):
        assert not throughput.holds(report(1000, **wrong), 1000)


@pytest.mark.parametrize("limit", [700, 5_000, 33_000, 100_000, 10**9])
def test_the_search_ends_close_below_the_limit(limit: int) -> None:
    """It finds the largest rate to 15 %, or the most that it may try, or nothing below 1,000."""
    tried: list[int] = []

    def measure(rate: int) -> dict[str, Any]:
        tried.append(rate)
        return report(rate, lost=int(rate > limit))

    found, _ = throughput.search(measure, 20_000, 160_000)
    assert len(tried) < 12
    if limit < 1_000:
        assert found == 0
    else:
        assert min(limit, 160_000) / 1.16 < found <= min(limit, 160_000)


def test_growth_is_a_share_an_hour() -> None:
    """One per cent in an hour is 0.01; what came while warming up does not count."""
    samples = [(float(at), int(1e9 * (1 + 0.01 * at / 3600)) if at >= 60 else 5) for at in range(600)]
    assert math.isclose(memory.growth_per_hour(samples), 0.01, rel_tol=0.02)
    assert math.isnan(memory.growth_per_hour(samples[:70]))


def test_the_floor_sees_a_gap() -> None:
    """The probe ends, and says what it saw."""
    with Floor() as floor:
        sum(range(3_000_000))
    assert 0 < floor.p99_us <= floor.p999_us


def test_the_hop_alone_is_measured() -> None:
    """Percentiles in order."""
    found = pipe.hop_us(50)
    assert 0 < found["p50"] <= found["p99"] <= found["p99.9"]


@pytest.mark.slow
@pytest.mark.integration
def test_the_pipe_is_measured_stage_by_stage() -> None:
    """Every stage and percentile, nothing lost, the floor beside it."""
    rows = pipe.rows(TINY)
    assert len(rows) == len(pipe.STAGES) * len(pipe.PERCENTILES) + 1
    assert all(row["ours"] > 0 and "0 lost" in row["case"] and row["floor"]["p99_us"] > 0 for row in rows)


@needs_cc
@pytest.mark.slow
@pytest.mark.integration
def test_throughput_is_measured_beside_a_sender_alone() -> None:
    """The only rate tried holds."""
    (row,) = throughput.rows(TINY)
    assert row["ours"] > 500 and 0 < row["ratio"]["c sender alone"] < 1


@pytest.mark.slow
@pytest.mark.integration
def test_memory_is_that_of_the_consumer() -> None:
    """Sampled, or of the report where the run was too short."""
    (row,) = memory.rows(TINY)
    assert 50 < row["ours"] < 1024 and "10 books" in row["case"]

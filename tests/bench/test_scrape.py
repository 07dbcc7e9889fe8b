"""The bench of scrapes at a tiny size, and the quantile that it computes."""

from __future__ import annotations

import math

import pytest

from tests.bench import scrape
from tests.bench.runner import Scale

INF = float("inf")


@pytest.mark.parametrize(
    ("q", "expected_us"),
    [(0.45, 5.0), (0.9, 10.0), (0.95, 15.0)],
)
def test_a_quantile_lies_within_its_bucket(q: float, expected_us: float) -> None:
    """Of 900 counts up to 10 µs and 100 from there to 20 µs; what was counted before does not count."""
    before = {1e-5: 50.0, 2e-5: 60.0, INF: 60.0}
    after = {1e-5: 950.0, 2e-5: 1060.0, INF: 1060.0}
    assert math.isclose(scrape.quantile_us(before, after, q), expected_us)


@pytest.mark.slow
@pytest.mark.integration
def test_every_service_is_scraped() -> None:
    """A row for the consumer's latency beside that of a stack left alone, and one for each service."""
    first, *services = scrape.rows(Scale(tiny=True))
    assert first["ratio"]["not scraped"] > 0
    assert {row["case"].split()[2].rstrip(",") for row in services} == {"replay", "consumer", "signals", "oms"}
    assert all(row["ours"] > 0 for row in services)

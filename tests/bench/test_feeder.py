"""The feeder's bench at a tiny size: both ways read the same numbers."""

from __future__ import annotations

import pytest

from services.feeder.venues import FEEDS
from tests.bench import feeder
from tests.bench.runner import Scale


@pytest.mark.parametrize("name", FEEDS)
def test_both_ways_read_the_same_levels(name: str) -> None:
    """Of every message that the core uses."""
    feeder.check(name, feeder.Corpus(name, 60))


def test_other_levels_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference that reads something else is no reference."""
    corpus = feeder.Corpus("bybit", 20)
    monkeypatch.setitem(feeder.SHAPES, "bybit", lambda m: iter(()))
    with pytest.raises(AssertionError, match="bybit"):
        feeder.check("bybit", corpus)


def test_every_feed_is_measured() -> None:
    """Each row has our figure and the reference's."""
    rows = feeder.rows(Scale(tiny=True))
    assert [row["case"] for row in rows] == list(FEEDS)
    assert all(row["ratio"]["cryptofeed's way"] > 0 for row in rows)

"""The features bench at a tiny size: C gives our features bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from libs.features.definitions import INDEX
from libs.features.history import DROPPED
from tests.bench import books, features
from tests.bench.book_inputs import recorded, synthetic
from tests.bench.runner import Scale
from tests.bench.whole_rows import Followed
from tests.needs import needs_cc


@needs_cc
@pytest.mark.parametrize("levels", [1, 20, 400])
def test_c_gives_the_same_features(levels: int) -> None:
    """Every column is equal, after each of many events."""
    given = synthetic(2, levels, 300)
    for k in range(len(given.events)):
        books.drive(given.books, given.events[k : k + 1], given.data)
        features.check(given.books, np.arange(2))


@needs_cc
@pytest.mark.recordings
def test_c_gives_the_same_features_of_recordings(recordings) -> None:
    """The same holds for real books, whose known ends are cut."""
    given = recorded(recordings / "binance" / "multi_20240808", 300)
    for k in range(len(given.events)):
        books.drive(given.books, given.events[k : k + 1], given.data)
        features.check(given.books, np.array([given.events[k, 0]]))
    rows = np.zeros((len(given.books.prices), len(INDEX)))
    features.ours(given.books, np.arange(6), rows)
    assert np.isfinite(rows[:6, INDEX["liquidity_imbalance"]]).all()


@needs_cc
def test_every_case_is_measured() -> None:
    """Each row has our figure and C's."""
    rows = features.rows(Scale(tiny=True))
    assert len(rows) == 7
    assert all(row["references"]["c"] > 0 for row in rows[:4])
    assert all(row["references"]["c, book-only row"] > 0 for row in rows[4:])


def test_rows_of_the_bench_are_whole() -> None:
    """What is timed fills every column: windows reach back far enough, and trades are in them."""
    followed = Followed(synthetic(2, 20, 3_000), 1_000)
    assert followed.run(whole=True) == 3_000
    assert np.isnan(followed.rows[:2, INDEX["realized_vol_60s"]]).all()
    assert np.isfinite(np.delete(followed.rows[:2], INDEX["realized_vol_60s"], axis=1)).all()
    assert followed.history.heads[:, DROPPED].sum() == 0

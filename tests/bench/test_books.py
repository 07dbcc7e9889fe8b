"""The books bench at a tiny size: what is compared is equal, and every case is measured."""

from __future__ import annotations

import numpy as np
import pytest

from libs.errors import MissingError
from tests.bench import books, native
from tests.bench.book_inputs import FLAGS, copy_of, differences, recorded, synthetic
from tests.bench.runner import Scale
from tests.needs import needs_cc


@needs_cc
@pytest.mark.parametrize("levels", [1, 20, 1_000])
@pytest.mark.parametrize("seed", range(3))
def test_c_leaves_the_same_books(levels: int, seed: int) -> None:
    """Codes, flags, counters and levels are equal byte for byte after events at any depth."""
    books.check(synthetic(3, levels, 400, levels_an_event=2 * (1 + seed), seed=seed))


@needs_cc
@pytest.mark.recordings
def test_c_leaves_the_same_books_of_recordings(recordings) -> None:
    """The same holds for what an exchange really sent."""
    books.check(recorded(recordings / "binance" / "multi_20240808", 600))


@needs_cc
def test_a_difference_is_noticed() -> None:
    """One event that only one side takes makes the check fail, and so does one that the reference does not know."""
    given = synthetic(1, 20, 10)
    ours, theirs = copy_of(given.books), copy_of(given.books)
    books.drive(ours, given.events, given.data)
    books.reference()(theirs, given.events[:-1], given.data)
    assert differences(ours, theirs)
    given.events[3, FLAGS] = 4
    assert books.reference()(theirs, given.events, given.data) == -1


@needs_cc
def test_every_case_is_measured() -> None:
    """Each row has our figure, a reference and their ratio, or says why it was left out."""
    rows = books.rows(Scale(tiny=True))
    assert len(rows) == 9
    assert all("skipped" in row or (row["ours"] > 0 and row["ratio"]) for row in rows)


def test_a_missing_compiler_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a C compiler the error says what is missing, as exit status 3."""
    monkeypatch.setenv("CC", "no-such-compiler")
    native.compiler.cache_clear()
    with pytest.raises(MissingError, match="no C compiler") as caught:
        native.build("books")
    native.compiler.cache_clear()
    assert caught.value.exit_status == 3


def test_the_made_up_books_have_the_depth_asked_for() -> None:
    """Every book starts with so many levels a side, and each event has as many as asked for."""
    given = synthetic(2, 20, 5, levels_an_event=4)
    assert np.array_equal(given.books.counts[:2], np.full((2, 2), 20))
    assert given.updates == 20

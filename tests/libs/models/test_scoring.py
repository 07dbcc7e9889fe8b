"""The scorer against a list of predictions and a list of mids."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.models.scoring import DROPPED, SETTLED, VOID, Scoring, forget, new_scoring, rolling, score_rows

H = 15
# book, step of time, mid (0: the row says nothing), prediction (None: none)
rows = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 9),
        st.sampled_from([0.0, 99.0, 100.0, 101.0, 102.5]),
        st.one_of(st.none(), st.floats(-5, 5)),
    ),
    max_size=80,
)


def _feed(s: Scoring, stream: list[tuple[int, int, float, float | None]], batch: int) -> None:
    """Books 0 and 1 are of exchange 0, 2 and 3 of exchange 1; each exchange has a clock of its own."""
    clocks = [0, 0]
    columns: list[tuple[int, int, int, float, float]] = []
    for book, step, mid, prediction in stream:
        clocks[book // 2] += step
        columns.append(
            (book // 2, book, clocks[book // 2], mid or np.nan, np.nan if prediction is None else prediction)
        )
    for start in range(0, len(columns), batch):
        exchange, books, feed, mids, predictions = zip(*columns[start : start + batch], strict=True)
        score_rows(
            s,
            np.array(exchange, np.int64),
            np.array(books, np.int64),
            np.array(feed, np.int64),
            np.array(mids),
            np.array(predictions),
            np.full(len(books), 2.0),
            H,
        )


def _oracle(stream: list[tuple[int, int, float, float | None]]) -> tuple[list[tuple[float, float]], int]:
    clocks = [0, 0]
    times: list[int] = []
    for book, step, _, _ in stream:
        clocks[book // 2] += step
        times.append(clocks[book // 2])
    settled, void = [], 0
    for i, (book, _, mid, prediction) in enumerate(stream):
        due = times[i] + H
        if not mid or prediction is None or clocks[book // 2] <= due:
            continue
        until = [k for k in range(i, len(stream)) if stream[k][0] // 2 == book // 2 and times[k] <= due]
        own = [stream[k][2] for k in until if stream[k][0] == book]
        if 0.0 in own:
            void += 1
        else:
            settled.append((prediction, 1e4 * math.log(own[-1] / mid)))
    return settled, void


@given(rows, st.integers(1, 9))
def test_each_prediction_meets_the_mid_in_force_when_it_is_due(
    stream: list[tuple[int, int, float, float | None]], batch: int
) -> None:
    """Whatever the batches, outcomes are those of a naive search; a book that fell silent or invalid voids its own."""
    s = new_scoring(4)
    _feed(s, stream, batch)
    settled, void = _oracle(stream)
    found = s.recent[: s.counts[SETTLED], :2].tolist()
    expected = np.array(sorted(settled)).reshape(-1, 2)
    assert np.array(sorted(found)).reshape(-1, 2) == pytest.approx(expected, abs=1e-9)
    assert s.counts[VOID] == void


def test_a_full_queue_drops_and_counts() -> None:
    """Memory is bounded: past the queue's room predictions are dropped, and each is counted."""
    s = new_scoring(1, waiting=4)
    _feed(s, [(0, 0, 100.0, 1.0)] * 7, 7)
    assert (s.counts[DROPPED], s.counts[SETTLED]) == (3, 0)


def test_forgetting_voids_what_waits() -> None:
    """After a restart of the consumer nothing from before is settled against its new books."""
    s = new_scoring(4)
    _feed(s, [(0, 1, 100.0, 1.0), (2, 1, 100.0, 1.0)], 2)
    forget(s)
    _feed(s, [(0, 99, 200.0, None), (2, 99, 200.0, None)], 2)
    assert (s.counts[VOID], s.counts[SETTLED]) == (2, 0)


def test_rows_of_books_that_it_has_no_room_for_are_left_out() -> None:
    """A book id past the end touches nothing."""
    s = new_scoring(2)
    _feed(s, [(3, 1, 100.0, 1.0), (3, 99, 101.0, None)], 2)
    assert s.counts.tolist() == [0, 0, 0]


def test_rolling_figures_are_those_of_the_textbook() -> None:
    """Correlation, hits and calibration over what was settled; NaN before there is anything."""
    s = new_scoring(1)
    assert math.isnan(rolling(s).correlation)
    stream = [(0, 1, 100.0 + k % 7, float(k % 5 - 2)) for k in range(200)]
    _feed(s, stream, 50)
    n = int(s.counts[SETTLED])
    p, y, sigma = s.recent[:n].T
    figures = rolling(s)
    assert figures.scored == n > 100
    assert figures.correlation == pytest.approx(np.corrcoef(p, y)[0, 1], rel=1e-9)
    assert figures.hit_rate == pytest.approx((np.sign(p) == np.sign(y))[y != 0].mean())
    assert figures.calibration == pytest.approx(np.sqrt((((y - p) / sigma) ** 2).mean()))

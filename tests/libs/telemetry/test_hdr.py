"""HDR rows against numpy: every bucket, quantiles that never under-state, merging."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.telemetry.hdr import (
    BUCKETS,
    LARGEST,
    MAX,
    MIN,
    NEGATIVES,
    ROW,
    SUM,
    merge,
    new_rows,
    note,
    quantile,
    summary,
    upper_edges,
)
from libs.telemetry.hdr_kernels import record_many

VALUES = st.lists(st.one_of(st.integers(0, 200), st.integers(0, 2**39)), min_size=1, max_size=60)
QUANTILES = (0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0)


def recorded(values: list[int]) -> np.ndarray:
    rows = new_rows(1)
    record_many(rows, 0, np.array(values, np.int64))
    return rows[0]


def buckets_of(values: list[int]) -> list[int]:
    """Return the bucket that each value is counted in."""
    found = []
    rows = new_rows(1)
    for value in values:
        before = rows[0, :BUCKETS].copy()
        record_many(rows, 0, np.array([value], np.int64))
        (at,) = np.flatnonzero(rows[0, :BUCKETS] - before)
        found.append(int(at))
    return found


def test_buckets_hold_what_their_edges_say() -> None:
    """Every value to 5,000 and each around a power of two falls into the bucket whose edges enclose it."""
    around = [2**power + step for power in range(6, 40) for step in (-2, -1, 0, 1, 2)]
    values = [*range(5001), *around, LARGEST - 1, LARGEST]
    edges = upper_edges()
    for value, at in zip(values, buckets_of(values), strict=True):
        assert value <= edges[at], value
        assert at == 0 or value > edges[at - 1], value


def test_edges_are_fine_enough() -> None:
    """Edges rise, values below 64 have a bucket each, and above a bucket is at most 3.2 % wide."""
    edges = upper_edges()
    assert len(edges) == BUCKETS and ROW % 8 == 0 and ROW > NEGATIVES
    assert edges[:64].tolist() == list(range(64))
    lower = edges[:-1] + 1
    assert (edges[1:] >= lower).all()
    assert ((edges[1:] - lower) / lower <= 0.032).all()
    assert edges[-1] == LARGEST


@given(VALUES)
def test_quantiles_never_under_state(values: list[int]) -> None:
    """Each quantile is at least numpy's and at most 3.2 % above it; sum, min, max and count are exact."""
    row = recorded(values)
    for q in QUANTILES:
        exact = int(np.quantile(values, q, method="inverted_cdf"))
        assert exact <= quantile(row, q) <= exact + exact * 0.032
    assert (row[SUM], row[MIN], row[MAX]) == (sum(values), min(values), max(values))
    assert row[:BUCKETS].sum() == len(values)


@given(VALUES, VALUES)
def test_merged_rows_say_what_one_row_would(first: list[int], second: list[int]) -> None:
    """Merging two rows and an empty one gives the row of all values."""
    assert (merge(recorded(first), new_rows(1)[0], recorded(second)) == recorded(first + second)).all()


def test_negative_values_are_only_counted() -> None:
    """A clock that stepped back is counted apart and touches nothing else."""
    row = recorded([-1, 5, -(10**12)])
    assert row[NEGATIVES] == 2
    assert summary(row) == {"count": 1, "p50_ns": 5, "p99_ns": 5, "p999_ns": 5, "max_ns": 5}


def test_values_beyond_the_range_keep_their_maximum() -> None:
    """A value above the range counts in the last bucket; the maximum is exact."""
    row = recorded([2**45])
    assert row[BUCKETS - 1] == 1
    assert (row[MAX], row[SUM]) == (2**45, 2**45)


@pytest.mark.parametrize("values", [[0, 5], [0], [7, 0], [0, 0, 9]])
def test_a_first_zero_stays_the_minimum(values: list[int]) -> None:
    """A zero that came first is a value like any other."""
    assert recorded(values)[MIN] == 0


def test_an_empty_row_is_all_zero() -> None:
    """A row that holds nothing gives zeros."""
    assert summary(new_rows(1)[0]) == {"count": 0, "p50_ns": 0, "p99_ns": 0, "p999_ns": 0, "max_ns": 0}


@given(st.lists(st.one_of(VALUES.map(lambda found: found[0]), st.integers(-5, 2**41)), max_size=60))
def test_noting_is_recording(values: list[int]) -> None:
    """The Python way writes the same row as the kernel, word for word."""
    rows = new_rows(1)
    for value in values:
        note(rows[0], value)
    assert rows[0].tolist() == recorded(values).tolist()

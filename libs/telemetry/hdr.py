"""HDR rows: latency histograms in one row of int64, exact to 3.2 % at any scale.

32 sub-buckets an octave: values below 64 have a bucket each, a value v above falls into bucket ``32·k + (v >> k)``
with k such that ``32 ≤ v >> k < 64``. Four more words hold sum, min, max and the count of negative values (clocks
that step: counted, never clamped in silence). One writer a row; a reader may be one event out of step. (Gil Tene's
HdrHistogram, simplified.)
"""

from __future__ import annotations

import numpy as np

SUB_BITS = 5
SUB = 1 << SUB_BITS
MAX_BITS = 39
BUCKETS = SUB * (MAX_BITS - SUB_BITS + 1) + SUB
SUM = BUCKETS
MIN = BUCKETS + 1
MAX = BUCKETS + 2
NEGATIVES = BUCKETS + 3
ROW = (BUCKETS + 4 + 7) // 8 * 8
"""Words in a row, whole cache lines."""

LARGEST = (1 << (MAX_BITS + 1)) - 1
"""Larger values count as this one in their bucket; ``max`` keeps them."""


def new_rows(n: int) -> np.ndarray:
    """Return ``n`` empty rows in this process's memory (int64[n, ROW])."""
    return np.zeros((n, ROW), np.int64)


def upper_edges() -> np.ndarray:
    """Return the largest value of each bucket (int64[BUCKETS])."""
    index = np.arange(BUCKETS, dtype=np.int64)
    k = np.maximum(index // SUB - 1, 0)
    return ((index - k * SUB + 1) << k) - 1


_EDGES = upper_edges()


def note(row: np.ndarray, value_ns: int) -> None:
    """Record one value in int64[ROW] as :func:`libs.telemetry.hdr_kernels.record` does, where no kernel is worth it."""
    if value_ns < 0:
        row[NEGATIVES] += 1
        return
    value = min(value_ns, LARGEST)
    k = max(0, value.bit_length() - SUB_BITS - 1)
    first = row[MAX] == 0 and row[0] == 0
    row[SUB * k + (value >> k)] += 1
    row[SUM] += value_ns
    row[MIN] = value_ns if first else min(int(row[MIN]), value_ns)
    row[MAX] = max(int(row[MAX]), value_ns)


def quantile_of(counts: np.ndarray, q: float) -> int:
    """Return a value in ns that at least ``q`` of those counted in int64[BUCKETS] do not exceed; 0 of none."""
    total = int(counts.sum())
    if total == 0:
        return 0
    rank = max(1, int(np.ceil(q * total)))
    return int(_EDGES[int(np.searchsorted(np.cumsum(counts), rank))])


def quantile(row: np.ndarray, q: float) -> int:
    """Return a value that at least ``q`` of the recorded ones do not exceed, at most 3.2 % above the exact one.

    Parameters
    ----------
    row : int64[ROW]
    q : float
        0 to 1.

    Returns
    -------
    int
        Nanoseconds; 0 of an empty row.
    """
    return min(quantile_of(row[:BUCKETS], q), int(row[MAX]))


def summary(row: np.ndarray) -> dict[str, int]:
    """Return count, p50, p99, p99.9 and max of a row, as in the report of cli.md."""
    row = np.array(row)
    return {
        "count": int(row[:BUCKETS].sum()),
        "p50_ns": quantile(row, 0.5),
        "p99_ns": quantile(row, 0.99),
        "p999_ns": quantile(row, 0.999),
        "max_ns": int(row[MAX]),
    }


def merge(*rows: np.ndarray) -> np.ndarray:
    """Return one row that holds what all of them recorded."""
    total = np.sum(rows, axis=0)
    filled = [row for row in rows if row[:BUCKETS].any()]
    total[MIN] = min((row[MIN] for row in filled), default=0)
    total[MAX] = max((row[MAX] for row in filled), default=0)
    return total

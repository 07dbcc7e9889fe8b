"""Record into HDR rows from kernels."""

from __future__ import annotations

import numpy as np

from libs.jit import kernel
from libs.telemetry.hdr import LARGEST, MAX, MIN, NEGATIVES, SUB, SUM


@kernel(inline=True)
def bucket_of(value: int) -> int:
    """Return the bucket of a value from 0 to LARGEST."""
    k = 0
    v = value
    if v >= 1 << 21:
        k = 16
        v >>= 16
    if v >= 1 << 13:
        k += 8
        v >>= 8
    if v >= 1 << 9:
        k += 4
        v >>= 4
    while v >= 2 * SUB:
        k += 1
        v >>= 1
    return SUB * k + v


@kernel(inline=True)
def record(rows: np.ndarray, r: int, value_ns: int) -> None:
    """Record one value in row ``r`` of int64[:, ROW]; a negative one is only counted."""
    if value_ns < 0:
        rows[r, NEGATIVES] += 1
        return
    at = bucket_of(min(value_ns, LARGEST))
    if rows[r, MAX] == 0 and rows[r, 0] == 0:
        rows[r, MIN] = value_ns
    rows[r, at] += 1
    rows[r, SUM] += value_ns
    rows[r, MIN] = min(rows[r, MIN], value_ns)
    rows[r, MAX] = max(rows[r, MAX], value_ns)


@kernel
def record_many(rows: np.ndarray, r: int, values_ns: np.ndarray) -> None:
    """Record every value of int64[:] in row ``r``."""
    for i in range(len(values_ns)):
        record(rows, r, values_ns[i])

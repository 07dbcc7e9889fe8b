"""Rows of the market's streams, apart by run of the consumer: book and symbol ids hold for one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from libs.streams.reader import Batch


@dataclass(frozen=True)
class Rows:
    """Rows of one run of the consumer, by stream, in the order of their entries."""

    run: str
    streams: dict[str, np.ndarray]


def by_run(batches: Sequence[Batch]) -> list[Rows]:
    """Return the rows of batches, joined a stream, the earliest run first."""
    found: list[Rows] = []
    for run in sorted({batch.run for batch in batches}, key=run_number):
        parts: dict[str, list[np.ndarray]] = {}
        for batch in batches:
            if batch.run == run:
                parts.setdefault(batch.stream, []).append(batch.rows)
        found.append(Rows(run, {name: _joined(rows) for name, rows in parts.items()}))
    return found


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    # numpy looks at every field of every part before it joins structured arrays, which takes ten times as long.
    return parts[0] if len(parts) == 1 else np.frombuffer(b"".join(part.tobytes() for part in parts), parts[0].dtype)


def run_number(run: str) -> int:
    """Return a run as a number: the consumer's start, so a later one is larger."""
    return int(run) if run.isdecimal() else 0

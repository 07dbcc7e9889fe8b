"""Rows of the market's streams, apart by run of the consumer and by shard: ids hold for one run of one shard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from libs.execution.runs import run_number
from libs.streams.reader import Batch
from libs.streams.shards import WHOLE, Shard


@dataclass(frozen=True)
class Rows:
    """Rows of one run of a consumer, by stream, in the order of their entries."""

    run: str
    streams: dict[str, np.ndarray]
    shard: Shard = WHOLE


def by_run(batches: Sequence[Batch]) -> list[Rows]:
    """Return the rows of batches, joined a stream, the earliest run first."""
    found: list[Rows] = []
    for run, shard in sorted({(batch.run, batch.shard) for batch in batches}, key=_by_age):
        parts: dict[str, list[np.ndarray]] = {}
        for batch in batches:
            if batch.run == run and batch.shard == shard:
                parts.setdefault(batch.stream, []).append(batch.rows)
        found.append(Rows(run, {name: _joined(rows) for name, rows in parts.items()}, shard))
    return found


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    # numpy looks at every field of every part before it joins structured arrays, which takes ten times as long.
    return parts[0] if len(parts) == 1 else np.frombuffer(b"".join(part.tobytes() for part in parts), parts[0].dtype)


def _by_age(origin: tuple[str, Shard]) -> tuple[int, Shard]:
    return run_number(origin[0]), origin[1]

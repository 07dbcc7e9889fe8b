"""What was read and is not written yet."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from libs.storage.arrow import Origin
from libs.storage.partitions import hours_of
from libs.storage.store import Draft
from libs.streams.reader import Batch
from libs.streams.schemas import SCHEMAS, STATUS, STATUS_KINDS
from libs.streams.shards import NO_BOOK

NO_EXCHANGE = 255
STATUS_STREAM = "status"


class Buffer:
    """Entries in the order in which they were read, and the recorder's own status rows.

    Attributes
    ----------
    rows, bytes : int
        Of records, as Redis holds them.
    """

    def __init__(self) -> None:
        self.rows = self.bytes = 0
        self._batches: dict[str, list[Batch]] = {}
        self._gaps: list[tuple[str, int]] = []

    def add(self, batch: Batch) -> None:
        """Take in an entry."""
        self._batches.setdefault(batch.stream, []).append(batch)
        self.rows += len(batch.rows)
        self.bytes += batch.rows.nbytes

    def add_gap(self, note: str, now_ns: int) -> None:
        """Take in a status row of the recorder's own, which says in words what may be missing."""
        self._gaps.append((note, now_ns))
        self.rows += 1
        self.bytes += STATUS.itemsize

    def positions(self) -> dict[str, str]:
        """Return the last entry of each stream."""
        return {stream: batches[-1].id for stream, batches in self._batches.items()}

    def drafts(self) -> list[Draft]:
        """Return the rows by stream, writer and hour."""
        found = [draft for stream, batches in self._batches.items() for draft in _of_stream(stream, batches)]
        return found + (_by_hour(STATUS_STREAM, *_own_rows(self._gaps)) if self._gaps else [])

    def clear(self) -> None:
        """Forget everything: it is written."""
        self.rows = self.bytes = 0
        self._batches.clear()
        self._gaps.clear()


def _of_stream(stream: str, batches: list[Batch]) -> Iterator[Draft]:
    writers: dict[tuple[str, str], list[Batch]] = {}
    for batch in batches:
        if len(batch.rows):
            writers.setdefault((batch.run, str(batch.shard)), []).append(batch)
    for (run, shard), own in writers.items():
        rows = np.frombuffer(b"".join([batch.rows.data for batch in own]), SCHEMAS[stream].dtype)
        of_row = np.repeat(np.arange(len(own), dtype=np.int32), [len(batch.rows) for batch in own])
        notes = [None] * len(rows) if stream == STATUS_STREAM else None
        yield from _by_hour(stream, rows, Origin(run, shard, [batch.id for batch in own], of_row, notes))


def _by_hour(stream: str, rows: np.ndarray, origin: Origin) -> list[Draft]:
    hours = hours_of(rows)
    found = []
    for hour in np.unique(hours).tolist():
        at = np.flatnonzero(hours == hour)
        notes = None if origin.notes is None else [origin.notes[k] for k in at.tolist()]
        found.append(Draft(stream, hour, rows[at], origin._replace(of_row=origin.of_row[at], notes=notes)))
    return found


def _own_rows(gaps: list[tuple[str, int]]) -> tuple[np.ndarray, Origin]:
    rows = np.zeros(len(gaps), STATUS)
    rows["book_id"], rows["exchange"] = NO_BOOK, NO_EXCHANGE
    rows["kind"] = STATUS_KINDS.index("break")
    rows["book_ts_ns"] = [now_ns for _, now_ns in gaps]
    return rows, Origin("", "", [], np.full(len(gaps), -1, np.int32), [note for note, _ in gaps])

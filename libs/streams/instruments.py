"""Instruments said again: they are published when they change, and a stream forgets."""

from __future__ import annotations

import numpy as np

from libs.streams.schemas import STATUS, STATUS_KINDS

INSTRUMENT = STATUS_KINDS.index("instrument")
ROWS = 256
"""In an entry at the most."""


class Instruments:
    """The latest ``instrument`` row of each book.

    Whoever starts reading the status stream after it was trimmed, or after Redis lost it, would wait for the next
    change of a tick size, which may never come. So they are repeated when Redis has been away, and before the stream
    could have forgotten them.

    Parameters
    ----------
    maxlen : int
        Entries that the stream keeps.
    """

    def __init__(self, maxlen: int) -> None:
        self._rows: dict[int, bytes] = {}
        self._every = max(1, maxlen // 2)
        self._since = 0

    def note(self, data: bytes) -> None:
        """Take in an entry of the status stream."""
        self._since += 1
        rows = np.frombuffer(data, STATUS)
        for row in rows[rows["kind"] == INSTRUMENT]:
            self._rows[int(row["book_id"])] = row.tobytes()

    @property
    def due(self) -> bool:
        """Whether the stream may soon forget what was said last."""
        return self._since >= self._every

    def entries(self) -> list[tuple[str, int, bytes]]:
        """Return entries that say all of them again."""
        self._since = 0
        rows = list(self._rows.values())
        parts = [rows[at : at + ROWS] for at in range(0, len(rows), ROWS)]
        return [("status", len(part), b"".join(part)) for part in parts]

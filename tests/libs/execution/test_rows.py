"""Rows of the streams by run."""

from __future__ import annotations

from libs.execution.rows import by_run
from libs.streams.reader import Batch
from tests.oracles.shown import book_row, nbbo_row


def test_batches_are_joined_by_run_and_stream() -> None:
    """Rows of one run and stream are joined in their order; an older run comes before a newer one."""
    batches = [
        Batch("book", "1-0", "9", book_row(1)),
        Batch("book", "2-0", "9", book_row(2)),
        Batch("nbbo", "1-0", "9", nbbo_row()),
        Batch("book", "3-0", "10", book_row(3)),
    ]
    first, second = by_run(batches)
    assert (first.run, first.streams["book"]["book_id"].tolist(), len(first.streams["nbbo"])) == ("9", [1, 2], 1)
    assert (second.run, second.streams["book"]["book_id"].tolist()) == ("10", [3])
    assert by_run([]) == []

"""Rows of the streams by run."""

from __future__ import annotations

from libs.execution.rows import by_run
from libs.streams.reader import Batch
from libs.streams.shards import Shard
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


def test_shards_are_apart() -> None:
    """Runs of several consumers that share the symbols are never joined."""
    one, two = Shard(1, 2), Shard(2, 2)
    batches = [
        Batch("book", "1-0", "10", book_row(2), one),
        Batch("book", "2-0", "9", book_row(3), two),
        Batch("book", "3-0", "10", book_row(4), one),
        Batch("book", "4-0", "10", book_row(5), two),
    ]
    found = [(rows.shard, rows.run, rows.streams["book"]["book_id"].tolist()) for rows in by_run(batches)]
    assert found == [(two, "9", [3]), (one, "10", [2, 4]), (two, "10", [5])]

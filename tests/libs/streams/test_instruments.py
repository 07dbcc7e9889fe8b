"""Instruments said again."""

from __future__ import annotations

import numpy as np

from libs.streams.instruments import INSTRUMENT, ROWS, Instruments
from libs.streams.schemas import STATUS


def rows(*books: tuple[int, int, int]) -> np.ndarray:
    """Rows of (book, kind, tick)."""
    found = np.zeros(len(books), STATUS)
    for row, (book, kind, tick) in zip(found, books, strict=True):
        row["book_id"], row["kind"], row["tick"] = book, kind, tick
    return found


def said(instruments: Instruments) -> list[tuple[int, int]]:
    """What its entries say."""
    data = b"".join(entry[2] for entry in instruments.entries())
    return [(int(row["book_id"]), int(row["tick"])) for row in np.frombuffer(data, STATUS)]


def test_the_latest_of_each_book_is_kept() -> None:
    """Other kinds are passed over."""
    instruments = Instruments(10)
    instruments.note(rows((1, INSTRUMENT, 5), (2, INSTRUMENT, 7), (1, INSTRUMENT + 1, 9)).tobytes())
    instruments.note(rows((1, INSTRUMENT, 6)).tobytes())
    assert said(instruments) == [(1, 6), (2, 7)]


def test_they_are_due_before_the_stream_forgets() -> None:
    """After half of what the stream keeps, and again after as much."""
    instruments = Instruments(4)
    for _ in range(2):
        instruments.note(rows((1, INSTRUMENT, 5)).tobytes())
        assert not instruments.due
        instruments.note(rows((1, 0, 0)).tobytes())
        assert instruments.due
        assert said(instruments) == [(1, 5)]


def test_entries_are_bounded() -> None:
    """Many books come in several entries."""
    instruments = Instruments(10)
    instruments.note(rows(*((book, INSTRUMENT, book) for book in range(ROWS + 1))).tobytes())
    assert [n for _, n, _ in instruments.entries()] == [ROWS, 1]

"""Rows of books are backed ahead of the books that come."""

from __future__ import annotations

import mmap
import resource

import numpy as np
import pytest

from libs.engine import state
from libs.pages import populate
from libs.shared import Arena
from services.consumer import backing
from services.consumer.backing import Backing
from tests.needs import skip_unless

MAX_BOOKS = 64


def faults() -> int:
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt


@pytest.fixture
def arena(monkeypatch: pytest.MonkeyPatch) -> Arena:
    monkeypatch.setattr(backing, "AHEAD", 16)
    found = Arena.create(state.spec(ring_capacity=1024, max_books=MAX_BOOKS, max_symbols=16, depth=1024))
    skip_unless(populate(found["wake"]), "this kernel cannot back memory ahead (before Linux 5.14)")
    return found


def faults_of(rows: np.ndarray) -> int:
    before = faults()
    rows.reshape(-1)[:: mmap.PAGESIZE // 8] = 1
    return faults() - before


def pages_of(rows: np.ndarray) -> int:
    return rows.nbytes // mmap.PAGESIZE


def test_rings_and_the_first_books_are_backed_and_no_more(arena: Arena) -> None:
    """Memory follows what is used: rows far beyond the books stay unbacked. (A kernel may take a few pages back.)"""
    kept = Backing(arena.arrays, MAX_BOOKS)
    kept.prepare()
    assert kept.books == 16
    assert faults_of(arena["rings"]) < pages_of(arena["rings"]) // 4
    assert faults_of(arena["books_prices"][:16]) < pages_of(arena["books_prices"][:16]) // 4
    assert faults_of(arena["books_prices"][32:]) > pages_of(arena["books_prices"][32:]) // 2


def test_more_are_backed_as_books_come(arena: Arena) -> None:
    """Rows are backed once half of those ahead are taken, up to the last."""
    kept = Backing(arena.arrays, MAX_BOOKS)
    kept.prepare()
    for there, backed in ((7, 16), (8, 24), (30, 46), (60, MAX_BOOKS), (64, MAX_BOOKS)):
        arena["table_counts"][0] = there
        kept.keep_ahead()
        assert kept.books == backed
    assert faults_of(arena["books_sizes"]) < pages_of(arena["books_sizes"]) // 4

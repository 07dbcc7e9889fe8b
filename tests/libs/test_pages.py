"""Pages that are there before they are used."""

from __future__ import annotations

import mmap
import resource

import numpy as np

from libs.pages import populate
from libs.shared import Arena
from tests.needs import skip_unless

PAGES = 4096


def faults() -> int:
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt


def test_populated_memory_is_touched_without_a_fault() -> None:
    """Backed pages are there: writing to each faults hardly ever."""
    arena = Arena.create({"words": ("<i8", (PAGES * mmap.PAGESIZE // 8,))})
    skip_unless(populate(arena["words"]), "this kernel cannot back memory ahead (before Linux 5.14)")
    before = faults()
    arena["words"][:: mmap.PAGESIZE // 8] = 1
    assert faults() - before < PAGES // 16


def test_what_was_not_populated_costs_a_fault_a_page() -> None:
    """The count of faults sees what backing saves."""
    arena = Arena.create({"words": ("<i8", (PAGES * mmap.PAGESIZE // 8,))})
    before = faults()
    arena["words"][:: mmap.PAGESIZE // 8] = 1
    assert faults() - before > PAGES // 2


def test_contents_stay() -> None:
    """Backing changes nothing that is in the memory, part of a page or nothing at all included."""
    words = np.arange(100_000)
    populate(words, words[7:9], np.zeros(0))
    assert np.array_equal(words, np.arange(100_000))

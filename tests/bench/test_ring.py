"""The ring bench at a tiny size."""

from __future__ import annotations

import numpy as np
import pytest

from libs.ring import state
from tests.bench import ring
from tests.bench.runner import Scale
from tests.needs import needs_cc


@needs_cc
@pytest.mark.parametrize("batch", ring.BATCHES)
def test_c_leaves_the_same_ring(batch: int) -> None:
    """On one thread, slots and control words are equal byte for byte, wrapped claims included."""
    ours, theirs = state.new(256), state.new(256)
    assert ring.of_one_thread(ours, 2_000, batch)[1] == ring.of_c_alone(theirs, 2_000, batch)[1]
    assert np.array_equal(ours.slots, theirs.slots)
    assert np.array_equal(ours.control, theirs.control)


@needs_cc
def test_every_case_is_measured() -> None:
    """Each run of two threads ends with the checksum of the reference, and each row has a ratio."""
    rows = ring.rows(Scale(tiny=True))
    assert len(rows) == 2 * len(ring.BATCHES)
    assert all(row["ratio"]["c"] > 0 for row in rows)

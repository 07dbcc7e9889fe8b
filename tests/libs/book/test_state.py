"""The books' memory."""

from __future__ import annotations

import numpy as np
import pytest

from libs.book import state
from libs.book.flags import NO_SNAPSHOT


def test_spec_refuses_nonsense():
    """No books, or no levels, is an error that names what was found."""
    with pytest.raises(ValueError, match="found 0 and 5"):
        state.spec(0, 5)
    with pytest.raises(ValueError, match="found 5 and 0"):
        state.spec(5, 0)


def test_words_do_not_overlap():
    """Every named word of a book has a place of its own inside its block."""
    taken = set()
    for at, width in (
        *((at, 1) for at in state._COLUMNS.values()),
        *((at, 2) for at in state._PAIRS.values()),
        *((at, 8) for at in state._EIGHTS.values()),
        *((at, 1) for at in (state.MODE, state.TAINT, state.OPEN_LEVELS, state.TICK_UNITS, state.LOT_UNITS)),
        *((at, 1) for at in (state.BORN, state.CUT, state.STAGE, state.REFUSAL)),
    ):
        places = set(range(at, at + width))
        assert not places & taken
        taken |= places
    assert max(taken) < state.WORDS


def test_binding_writes_nothing_and_views_share_memory():
    """A second process may bind: its views show what the owner writes, and nothing changes by binding."""
    arrays = {name: np.zeros(shape, dtype) for name, (dtype, shape) in state.spec(3, 4).items()}
    owner, other = state.bind(arrays), state.bind(arrays)
    assert not any(array.any() for array in arrays.values())
    state.prepare(owner)
    owner.tops[2, state.ASK_PRICE] = 7
    assert other.flags[1] == NO_SNAPSHOT
    assert other.words[2 * state.WORDS + state.TOPS + state.ASK_PRICE] == 7

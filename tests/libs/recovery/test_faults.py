"""Injected faults: each is what it says, and on changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.recovery.faults import SLOW_S, Faults
from libs.wire.recovery import (
    ANSWER_BYTES,
    OK,
    RANGE,
    TOO_OLD,
    Answer,
    MalformedRecoveryError,
    decode_answer,
    encode_answer,
)
from tests.libs.recovery.filled import SESSION_NS, expected

ANSWER, MESSAGES = Answer(RANGE, 1, OK, SESSION_NS, 5, 8, 3, 4), expected(5, 8)
WHOLE = encode_answer(ANSWER, MESSAGES)


def faults(mode: str) -> Faults:
    """Return faults in a mode."""
    found = Faults()
    found.mode = mode
    return found


def test_without_a_fault_an_answer_is_itself() -> None:
    """At once, and nothing is counted."""
    f = faults("on")
    assert f.handle(WHOLE) == (WHOLE, 0.0, False)
    assert f.injected == 0


def test_late_and_cut_off() -> None:
    """The whole answer later; half of it, then the end."""
    assert faults("slow").handle(WHOLE) == (WHOLE, SLOW_S, False)
    half = faults("close").handle(WHOLE)
    assert half == (WHOLE[: len(WHOLE) // 2], 0.0, True)
    assert decode_answer(half.data) is None


@pytest.mark.parametrize("turn", range(3))
def test_each_wrong_answer_can_be_told(turn: int) -> None:
    """By the range that was asked for, by the checksum, or by a message's own sequence."""
    f = faults("wrong")
    f.injected = turn - 1
    data = f.handle(WHOLE).data
    assert len(data) == len(WHOLE)
    if turn == 1:
        with pytest.raises(MalformedRecoveryError, match="checksum"):
            decode_answer(data)
        return
    found = decode_answer(data)
    assert found is not None
    assert (found[0].first != 5) == (turn == 0)
    assert (found[1] != MESSAGES) == (turn == 2)
    if turn == 2:
        assert found[1][4:12] != MESSAGES[4:12]


@given(st.integers(0, 5000), st.booleans())
def test_no_wrong_answer_is_right(injected: int, empty: bool) -> None:
    """Whichever turn it is, with messages and without, and there is no error."""
    whole = encode_answer(Answer(RANGE, 1, TOO_OLD, SESSION_NS, 5, 8, 3)) if empty else WHOLE
    f = faults("wrong")
    f.injected = injected
    data = f.handle(whole).data
    assert data != whole
    assert len(data) >= ANSWER_BYTES

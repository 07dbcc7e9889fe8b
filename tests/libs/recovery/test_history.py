"""What was sent lately: eviction, sessions, and reading beside the writer."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.recovery.history import (
    CLAIM_BYTES,
    CLAIM_MESSAGES,
    MIN_BYTES,
    MIN_MESSAGES,
    begin,
    new_history,
    next_sequence,
    oldest,
    read,
    remember,
)
from libs.wire.recovery import NOT_YET, OK, TOO_OLD, UNKNOWN_SESSION
from tests.libs.recovery.filled import LONGEST, SESSION_NS, count_whole, expected, fill, filled, length_of

SCRATCH = np.zeros(LONGEST, np.uint8)


def ask(h: object, first: int, last: int, *, session: int = SESSION_NS, room: int = 1 << 20) -> tuple[int, bytes]:
    """Return (status, bytes)."""
    out = np.zeros(room, np.uint8)
    status, count, used = read(h, session, 0, first, last, out)
    data = out[:used].tobytes()
    assert status == OK or (count, used) == (0, 0)
    assert count_whole(out, used, first, SCRATCH) == count
    return status, data


@given(
    st.integers(1, 1500),
    st.integers(1, 1600),
    st.integers(0, 300),
    st.integers(MIN_MESSAGES, 600),
    st.integers(MIN_BYTES, MIN_BYTES + 200_000),
)
def test_what_is_kept_is_given_back_as_it_was(sent: int, first: int, more: int, messages: int, size: int) -> None:
    """A range is exactly the bytes remembered, else too old or not yet; what is recent enough is always there."""
    h = filled(new_history(messages, size), sent)
    status, data = ask(h, first, first + more)
    last = min(first + more, sent)
    if first > sent:
        assert status == NOT_YET
    elif status == OK:
        assert data == expected(first, last)
        assert oldest(h, 0) <= first
    else:
        assert status == TOO_OLD
        assert first < oldest(h, 0)
        since = sum(int(length_of(s)) for s in range(first, sent + 1))
        assert sent - first >= messages - 2 * CLAIM_MESSAGES or since > size - 2 * CLAIM_BYTES - LONGEST
    assert next_sequence(h, 0) == sent + 1


@pytest.mark.parametrize(("messages", "size"), [(MIN_MESSAGES, 4 << 20), (65_536, MIN_BYTES)])
def test_the_oldest_go_first(messages: int, size: int) -> None:
    """By number or by bytes: what is below the oldest is too old, what is from it on is there, never more than fits."""
    h = filled(new_history(messages, size), 3000)
    first = oldest(h, 0)
    assert 2500 < first <= 2950
    assert ask(h, first - 1, first)[0] == TOO_OLD
    assert ask(h, 1, 3000)[0] == TOO_OLD
    status, data = ask(h, first, 5000)
    assert (status, data) == (OK, expected(first, 3000))
    assert len(data) <= size


def test_as_much_as_there_is_room_for() -> None:
    """A small buffer gets whole messages, as many as fit; none when not even the first does."""
    h = filled(new_history(), 10)
    room = len(expected(3, 6)) + 5
    assert ask(h, 3, 10, room=room) == (OK, expected(3, 6))
    assert ask(h, 3, 10, room=8) == (OK, b"")


def test_an_empty_history_knows_no_session() -> None:
    """Before the first session, and for any other one, even for session 0."""
    h = new_history()
    assert ask(h, 1, 1, session=0)[0] == UNKNOWN_SESSION
    begin(h, SESSION_NS)
    assert ask(h, 1, 1)[0] == NOT_YET
    assert ask(h, 1, 1, session=SESSION_NS - 1)[0] == UNKNOWN_SESSION


def test_a_new_session_forgets_the_old_one() -> None:
    """Sequences begin at 1 again, and nothing of before is given under the new session."""
    h = filled(new_history(), 500)
    begin(h, SESSION_NS + 1)
    assert ask(h, 1, 1, session=SESSION_NS)[0] == UNKNOWN_SESSION
    assert ask(h, 1, 1, session=SESSION_NS + 1)[0] == NOT_YET
    assert ask(h, 400, 400, session=SESSION_NS + 1)[0] == NOT_YET
    remember(h, 0, 1, np.full(40, 7, np.uint8), 0, 40)
    out = np.zeros(100, np.uint8)
    assert read(h, SESSION_NS + 1, 0, 1, 9, out) == (OK, 1, 40)
    assert set(out[:40].tolist()) == {7}


def test_channels_are_apart() -> None:
    """What one channel sends evicts nothing of another."""
    h = filled(new_history(MIN_MESSAGES, MIN_BYTES), 5)
    fill(h, 4, 1, 5000, SCRATCH)
    assert ask(h, 1, 5) == (OK, expected(1, 5))
    assert [int(next_sequence(h, c)) for c in range(5)] == [6, 1, 1, 1, 5001]


@pytest.mark.parametrize(("messages", "size"), [(255, MIN_BYTES), (MIN_MESSAGES, 1000)])
def test_a_history_too_small_is_refused(messages: int, size: int) -> None:
    """Claims would take all of it."""
    with pytest.raises(ValueError, match="history: expected 256 messages, 262144 bytes"):
        new_history(messages, size)


@pytest.mark.parametrize(("messages", "size"), [(MIN_MESSAGES, 8 << 20), (8192, MIN_BYTES)])
def test_a_reader_beside_the_writer_never_sees_a_torn_message(messages: int, size: int) -> None:
    """Right at the edge of eviction, where the writer overwrites what is being copied."""
    h = filled(new_history(messages, size), 2000)
    total = 400_000
    count_whole(np.zeros(1, np.uint8), 0, 1, SCRATCH)
    writer = threading.Thread(target=lambda: fill(h, 0, 2001, total, np.zeros(LONGEST, np.uint8)))
    out = np.zeros(1 << 20, np.uint8)
    scratch = np.zeros(LONGEST, np.uint8)
    found = {OK: 0, TOO_OLD: 0}
    writer.start()
    while writer.is_alive():
        first = int(oldest(h, 0))
        status, count, used = read(h, SESSION_NS, 0, first, first + 400, out)
        assert count_whole(out, used, first, scratch) == count
        found[status] += 1
    writer.join()
    assert next_sequence(h, 0) == total + 1
    assert found[OK] > 20

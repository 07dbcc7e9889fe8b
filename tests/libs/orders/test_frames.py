"""Frames of the journal: what a torn or damaged file gives back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.orders.frames import MAGIC, DamagedError, frame, frames, parse

PAYLOADS = [b"one", b"two" * 100, b"\x00\x00", b"last"]

payloads = st.lists(st.binary(min_size=1, max_size=30), max_size=6)


@given(payloads)
def test_what_is_written_is_read(written: list[bytes]) -> None:
    """Parsing gives back the payloads."""
    content = parse(frames(written))
    assert (content.payloads, content.torn_bytes) == (written, 0)


@given(payloads, st.data())
def test_a_torn_tail_costs_only_what_was_being_written(written: list[bytes], data: st.DataObject) -> None:
    """A file that a crash cut anywhere gives the frames before the cut, and says how much is torn."""
    whole = frames(written)
    cut = data.draw(st.integers(0, len(whole)))
    content = parse(whole[:cut])
    kept = [i for i in range(len(written) + 1) if len(frames(written[:i])) <= cut]
    assert content.payloads == written[: (kept[-1] if kept else 0)]
    assert content.good_bytes + content.torn_bytes == cut
    assert content.good_bytes == (len(frames(written[: kept[-1]])) if kept else 0)


@given(st.integers(0, len(frame(PAYLOADS[-1])) - 1), st.integers(1, 255))
def test_a_bad_last_frame_is_torn(at: int, flip: int) -> None:
    """A last frame whose bytes did not all reach the disk is a torn tail, whichever they are."""
    data = bytearray(frames(PAYLOADS))
    data[len(frames(PAYLOADS[:-1])) + at] ^= flip
    try:
        content = parse(bytes(data))
    except DamagedError:
        # A shorter length than was meant leaves bytes behind it that no crash explains.
        assert at < 4
    else:
        assert content.payloads == PAYLOADS[:-1]


def test_zeros_at_the_end_are_a_torn_tail() -> None:
    """A file system that filled the last block with zeros after a power cut costs nothing."""
    content = parse(frames(PAYLOADS) + bytes(4096))
    assert content.payloads == PAYLOADS
    assert content.torn_bytes == 4096


def test_damage_before_the_end_is_refused() -> None:
    """A wrong byte with frames behind it is damage, named by its place, never skipped."""
    data = bytearray(frames(PAYLOADS))
    data[len(frames(PAYLOADS[:1])) + 20] ^= 1
    with pytest.raises(DamagedError, match=f"damaged at byte {len(frames(PAYLOADS[:1]))}"):
        parse(bytes(data))


def test_another_file_is_refused() -> None:
    """A file that is no journal is not taken for an empty one."""
    with pytest.raises(DamagedError, match="not a journal"):
        parse(b"{}")
    with pytest.raises(DamagedError, match="not a journal"):
        parse(b"x" * 100)
    assert parse(MAGIC).payloads == []

"""Recovery messages: golden bytes, there and back, every way to be malformed, and bytes that come one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import libs.wire
from libs.wire.recovery import (
    ANSWER_BYTES,
    MAX_ANSWER_BYTES,
    RANGE,
    REQUEST_BYTES,
    SNAPSHOT,
    STATUSES,
    Answer,
    MalformedRecoveryError,
    Request,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
)
from tests.libs.wire.golden_recovery import ANSWERS, BYTES, REQUESTS, table

README = Path(libs.wire.__file__).with_name("README.md")
U64, U32, U8 = st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.integers(0, 255)
SYMBOL = st.text(min_size=1, max_size=64).filter(lambda s: len(s.encode()) <= 64)
RANGES = st.builds(Request, st.just(RANGE), U8, U64, U64, U64, U32)
SNAPSHOTS = st.builds(Request, st.just(SNAPSHOT), U8, U64, U64, U64, U32, SYMBOL)
ANY_REQUEST = RANGES | SNAPSHOTS
ANY_ANSWER = st.builds(
    Answer, st.sampled_from((RANGE, SNAPSHOT)), U8, st.integers(0, len(STATUSES) - 1), U64, U64, U64, U32, U32
)


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_are_their_golden_bytes(name: str) -> None:
    """Each kind is written and read byte for byte as the README says."""
    assert encode_request(REQUESTS[name]).hex() == BYTES[name].hex()
    assert decode_request(BYTES[name]) == (REQUESTS[name], len(BYTES[name]))


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_are_their_golden_bytes(name: str) -> None:
    """With messages and without."""
    answer, messages = ANSWERS[name]
    assert encode_answer(answer, messages).hex() == BYTES[name].hex()
    assert decode_answer(BYTES[name]) == (answer, messages)


@pytest.mark.parametrize("name", BYTES)
def test_readme_shows_the_golden_bytes(name: str) -> None:
    """Field by field, and in one piece."""
    text = README.read_text(encoding="utf-8")
    assert table(name) in text
    assert BYTES[name].hex() in text


def test_readme_names_every_status_with_its_number() -> None:
    """In the order of the protocol."""
    text = README.read_text(encoding="utf-8")
    at = [text.index(f"| {number} `{name}` |") for number, name in enumerate(STATUSES)]
    assert at == sorted(at)


@given(ANY_REQUEST, st.binary(max_size=50))
def test_a_request_comes_back_and_leaves_what_follows(request_: Request, more: bytes) -> None:
    """Whatever its 64 bits are; the bytes behind it are not looked at."""
    data = encode_request(request_)
    assert decode_request(data + more) == (request_, len(data))
    assert decode_request(memoryview(bytearray(data + more))) == (request_, len(data))


@given(ANY_ANSWER, st.binary(max_size=300), st.binary(max_size=50))
def test_an_answer_comes_back_and_leaves_what_follows(answer: Answer, messages: bytes, more: bytes) -> None:
    """With its messages, whose length it takes from them."""
    data = encode_answer(answer, messages)
    assert decode_answer(bytearray(data + more)) == (replace(answer, length=len(messages)), messages)


@given(st.lists(ANY_REQUEST, min_size=1, max_size=4))
def test_requests_that_come_byte_by_byte(requests: list[Request]) -> None:
    """None until the last byte of one is there, then that one; as when they come in one piece."""
    data, found = bytearray(), []
    for byte in b"".join(encode_request(r) for r in requests):
        data.append(byte)
        if (whole := decode_request(data)) is not None:
            found.append(whole[0])
            assert whole[1] == len(data)
            data.clear()
    assert found == requests
    assert not data


@given(st.lists(st.tuples(ANY_ANSWER, st.binary(max_size=80)), min_size=1, max_size=3), st.integers(1, 60))
def test_answers_that_come_in_pieces(answers: list[tuple[Answer, bytes]], size: int) -> None:
    """Cut anywhere, each comes out once and in order."""
    stream = b"".join(encode_answer(a, m) for a, m in answers)
    data, found = bytearray(), []
    for at in range(0, len(stream), size):
        data += stream[at : at + size]
        while (whole := decode_answer(data)) is not None:
            found.append(whole)
            del data[: ANSWER_BYTES + whole[0].length]
    assert found == [(replace(a, length=len(m)), m) for a, m in answers]


def changed(data: bytes, at: int, new: bytes) -> bytes:
    """Return the bytes with some replaced."""
    return data[:at] + new + data[at + len(new) :]


RANGE_BYTES, SNAPSHOT_BYTES = BYTES["range request"], BYTES["snapshot request"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"G", "magic: expected 48 46 52 51, found 47"),
        (b"HFRS", "magic: expected 48 46 52 51, found 48 46 52 53"),
        (b"\x00" * 40, "magic: expected 48 46 52 51, found 00 00 00 00"),
        (changed(RANGE_BYTES, 4, b"\x02"), "version: expected 1, found 2"),
        (changed(RANGE_BYTES, 5, b"\x00"), "kind: expected 1 or 2, found 0"),
        (changed(RANGE_BYTES, 5, b"\x03"), "kind: expected 1 or 2, found 3"),
        (changed(RANGE_BYTES, 7, b"\x01"), "symbol length: expected 1 to 64 in a snapshot, else 0, found 1"),
        (changed(SNAPSHOT_BYTES, 7, b"\x00"), "symbol length: expected 1 to 64 in a snapshot, else 0, found 0"),
        (changed(SNAPSHOT_BYTES, 7, b"\x41"), "symbol length: expected 1 to 64 in a snapshot, else 0, found 65"),
        (changed(SNAPSHOT_BYTES, 40, b"\xff"), "symbol: expected UTF-8, found"),
    ],
)
def test_a_malformed_request_is_refused_with_its_reason(data: bytes, said: str) -> None:
    """As soon as it can never become one: the magic from its first byte on."""
    with pytest.raises(MalformedRecoveryError) as caught:
        decode_request(data)
    assert str(caught.value).startswith(said)


ANSWER = BYTES["answer to a range"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"HTTP", "magic: expected 48 46 52 53, found 48 54 54 50"),
        (b"HFRQ", "magic: expected 48 46 52 53, found 48 46 52 51"),
        (changed(ANSWER, 4, b"\x00"), "version: expected 1, found 0"),
        (changed(ANSWER, 5, b"\x03"), "kind and status: expected known ones, found 3 and 0"),
        (changed(ANSWER, 7, b"\x0c"), "kind and status: expected known ones, found 1 and 12"),
        (
            changed(ANSWER, 40, (MAX_ANSWER_BYTES + 1).to_bytes(4, "little")),
            "length: expected at most 1048576, found 1048577",
        ),
        (changed(ANSWER, 48, b"\x51"), "checksum: expected "),
        (changed(ANSWER, len(ANSWER) - 1, b"\x00"), "checksum: expected "),
        (changed(ANSWER, 44, b"\x00\x00\x00\x00"), "checksum: expected 00000000, found "),
    ],
)
def test_a_malformed_answer_is_refused_with_its_reason(data: bytes, said: str) -> None:
    """A length that nobody would send is not waited for."""
    with pytest.raises(MalformedRecoveryError) as caught:
        decode_answer(data)
    assert str(caught.value).startswith(said)


@given(st.sampled_from(sorted(BYTES)), st.integers(0, 200), U8, st.integers(0, 200))
def test_broken_bytes_raise_one_kind_of_error_only(name: str, at: int, byte: int, length: int) -> None:
    """Any byte changed, any length left: a message, more to wait for, or MalformedRecoveryError; nothing else."""
    data = changed(BYTES[name], at % len(BYTES[name]), bytes([byte]))[:length]
    for decode, header in ((decode_request, REQUEST_BYTES), (decode_answer, ANSWER_BYTES)):
        try:
            found = decode(data)
        except MalformedRecoveryError:
            continue
        assert found is None or len(data) >= header


def test_a_symbol_too_long_is_not_encoded() -> None:
    """64 bytes of UTF-8 at the most."""
    longest = Request(SNAPSHOT, 0, 1, 0, 0, 1, "€" * 21 + "x")
    assert decode_request(encode_request(longest)) == (longest, REQUEST_BYTES + 64)
    with pytest.raises(ValueError, match="symbol: expected at most 64 bytes, found 66"):
        encode_request(replace(longest, symbol="€" * 22))

"""Messages against golden bytes, and back from any bytes that they make."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import libs.wire
from libs.wire.messages import decode_datagram, encode, encode_datagram
from tests.libs.wire.golden import GOLDEN, MESSAGES, table
from tests.libs.wire.strategies import MESSAGES as ANY_MESSAGE
from tests.oracles import hftp

README = Path(libs.wire.__file__).with_name("README.md")


@pytest.mark.parametrize("name", GOLDEN)
def test_encodes_to_the_golden_bytes(name: str) -> None:
    """Each type is written byte for byte as wire.md says."""
    message, data = GOLDEN[name]
    assert encode(message).hex() == data.hex()


@pytest.mark.parametrize("name", GOLDEN)
def test_decodes_the_golden_bytes(name: str) -> None:
    """Each type is read as the values that its bytes stand for."""
    message, data = GOLDEN[name]
    assert decode_datagram(data) == ([message], None)


@pytest.mark.parametrize("name", GOLDEN)
def test_readme_shows_the_golden_bytes(name: str) -> None:
    """The README shows each golden message field by field, and in one piece."""
    text = README.read_text(encoding="utf-8")
    assert table(name) in text
    assert GOLDEN[name][1].hex() in text


@given(st.lists(ANY_MESSAGE, max_size=6))
def test_what_is_encoded_is_decoded(messages: list) -> None:
    """Any messages back to back come out as they went in."""
    assert decode_datagram(encode_datagram(messages)) == (messages, None)


@given(ANY_MESSAGE)
def test_plain_decoder_reads_the_same(message: object) -> None:
    """A decoder written with struct from wire.md finds the same header and the same end."""
    data = encode(message)
    (plain,) = hftp.messages(data)
    head = (plain.sequence, plain.timestamp_us, plain.exchange, plain.symbol, plain.size)
    symbol = getattr(message, "symbol", "")
    assert head == (message.sequence, message.timestamp_us, message.exchange_id, symbol, len(data))


def test_largest_book_and_one_too_large() -> None:
    """A message that does not fit a datagram is refused by encode, and the largest one that fits is read back."""
    book = replace(MESSAGES["book"], bids=tuple((i, i) for i in range(4090)), asks=())
    assert decode_datagram(encode(book)) == ([book], None)
    with pytest.raises(ValueError, match="65507 bytes"):
        encode(replace(book, asks=book.bids[:4]))


def test_longest_symbol_and_one_too_long() -> None:
    """A symbol has at most 64 bytes, counted in UTF-8."""
    longest = replace(MESSAGES["trade"], symbol="€" * 21 + "x")
    assert decode_datagram(encode(longest)) == ([longest], None)
    with pytest.raises(ValueError, match="64 bytes, found 66"):
        encode(replace(longest, symbol="€" * 22))

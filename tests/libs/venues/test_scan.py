"""Where a JSON value ends, against the json module."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from libs.venues.scan import decimal, pack, string_end, value_end

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def array(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


@given(values, st.sampled_from([",", "]", "}"]), st.booleans())
def test_a_value_ends_where_json_says(value: Any, after: str, ascii_only: bool) -> None:
    """Whatever is nested or escaped, the end is just before the comma or bracket that follows."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert value_end(array(text + after + "1"), 0) == len(text.encode())


@given(st.text(max_size=8))
def test_a_string_ends_at_its_own_quote(text: str) -> None:
    """Escaped quotes and backslashes do not end it; a string that never ends is -1."""
    written = json.dumps(text)
    assert string_end(array(written + '"'), 1) == len(written)
    assert string_end(array(written[:-1]), 1) == -1


def test_words_are_packed_whole_or_not_at_all() -> None:
    """Seven bytes are one integer; eight are none."""
    assert pack(array("xdelete"), 1, 7) == int.from_bytes(b"delete", "big")
    assert pack(array("12345678"), 0, 8) == -1


@given(st.integers(0, 10**12), st.integers(-6, 6), st.sampled_from("eE"))
def test_exponents_are_exact(mantissa: int, exponent: int, letter: str) -> None:
    """The value is the text's; no more decimals than it needs."""
    out, decimals = np.zeros(1, np.int64), np.zeros(1, np.int64)
    text = f"{mantissa}{letter}{exponent:+d}"
    assert decimal(array(text + ","), 0, out, decimals, 0) == len(text)
    assert Decimal(int(out[0])).scaleb(-int(decimals[0])) == Decimal(text)
    assert decimals[0] == 0 or out[0] % 10

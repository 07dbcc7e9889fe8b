"""Levels from JSON bytes, against decimal.Decimal."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.venues.levels import LevelParser

PARSER = LevelParser(64)

decimals = st.builds(
    lambda whole, places, digits: f"{whole}.{str(digits).zfill(places)[:places]}" if places else str(whole),
    st.integers(0, 10**8),
    st.integers(0, 8),
    st.integers(0, 10**8),
)
sides = st.lists(st.tuples(decimals, decimals), max_size=6)


def parse(bids: object, asks: object, *units: int) -> tuple[int, int, int, int, list[int]]:
    found = PARSER.parse(json.dumps(bids).encode(), json.dumps(asks).encode(), *units)
    return (*found[:4], found[4].tolist())


@given(sides, sides, st.integers(-4, 0), st.integers(-4, 0))
def test_every_value_is_exact_and_the_exponent_is_as_coarse_as_it_can_be(
    bids: list[tuple[str, str]], asks: list[tuple[str, str]], price_unit: int, size_unit: int
) -> None:
    """Mantissa times ten to the exponent is the text's value; only a value that needs it makes the exponent finer."""
    n_bids, n_asks, price_exp, size_exp, levels = parse(bids, asks, price_unit, size_unit)
    assert (n_bids, n_asks) == (len(bids), len(asks))
    texts = [text for level in bids + asks for text in level]
    for k, text in enumerate(texts):
        assert Decimal(levels[k]).scaleb((price_exp, size_exp)[k % 2]) == Decimal(text)
    for half, (unit, used) in enumerate(((price_unit, price_exp), (size_unit, size_exp))):
        needed = [-Decimal(t).normalize().as_tuple().exponent for t in texts[half::2] if Decimal(t) != 0]
        assert used == min([unit, *(-n for n in needed if n > 0)])


def test_padding_zeros_and_blanks_do_not_matter() -> None:
    """What Binance pads to eight decimals is sent in the unit of the symbol."""
    text = b' [ ["61837.63000000" , "3.78826000"] ] '
    assert PARSER.parse(text, b"[]", -2, -5)[2:4] == (-2, -5)
    assert PARSER.parse(text, b"[]", -2, -5)[4].tolist() == [6183763, 378826]
    assert PARSER.parse(b"[[1.5,2]]", b"[]")[4].tolist() == [15, 2]


@pytest.mark.parametrize(
    "text",
    [b"", b"[", b"{}", b"[[]]", b'[["1"]]', b'[["1","2"]', b'[["1","2"],]', b'[["1",""]]', b'[["-1","2"]]',
     b'[["1.2.3","2"]]', b'[["1e5","2"]]', b'[["nan","2"]]', b'[["1","2","3"]]', b'[["1","2]]', b"[[,]]"],
)  # fmt: skip
def test_what_is_no_level_is_refused(text: bytes) -> None:
    """Anything but pairs of plain decimals that are not negative is a ValueError."""
    with pytest.raises(ValueError, match="levels are not"):
        PARSER.parse(text, b"[]")
    with pytest.raises(ValueError, match="levels are not"):
        PARSER.parse(b"[]", text)


def test_values_beyond_64_bits_are_refused() -> None:
    """The largest int64 passes, one more does not, nor what passes it when brought to the unit."""
    largest = str(2**63 - 1)
    assert parse([[largest, "1"]], [])[4] == [2**63 - 1, 1]
    for bids in ([[str(2**63), "1"]], [[largest, "1"], ["0.1", "1"]], [["9" * 30, "1"]]):
        with pytest.raises(ValueError, match="64 bits"):
            parse(bids, [])


def test_too_many_levels_are_refused() -> None:
    """The parser's room is a limit, not a crash."""
    with pytest.raises(ValueError, match="more levels"):
        parse([["1", "1"]] * 65, [])

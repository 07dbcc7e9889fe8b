"""Exact decimals against decimal.Decimal."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.units import POW10, format_decimal, normalise, parse_decimal, rescale

mantissas = st.integers(-(10**20), 10**20)
exponents = st.integers(-30, 30)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.00100", (100, -5)),
        ("61800.30", (6180030, -2)),
        ("1e-8", (1, -8)),
        ("4e-05", (4, -5)),
        ("-5", (-5, 0)),
        ("+1.5E3", (15, 2)),
        (".5", (5, -1)),
        ("5.", (5, 0)),
        ("-0.0", (0, -1)),
    ],
)
def test_a_decimal_is_taken_as_written(text: str, expected: tuple[int, int]) -> None:
    """Mantissa and exponent are those of the text, zeros at the end included."""
    assert parse_decimal(text) == expected


@pytest.mark.parametrize(
    "text", ["", ".", "-", "e5", "nan", "inf", "1,5", "0x1", "1.2.3", " 1", "1 ", "1_000", "1e", "٣", "1e999999"]
)
def test_what_is_no_decimal_is_refused(text: str) -> None:
    """Blanks, other scripts, nan, inf and absurd exponents are no decimals; the message shows what was found."""
    with pytest.raises(ValueError, match="expected a decimal number"):
        parse_decimal(text)


@given(mantissas, exponents)
def test_formatting_keeps_the_value(mantissa: int, exponent: int) -> None:
    """The text is plain, has all decimals, and reads back as the same value."""
    text = format_decimal(mantissa, exponent)
    assert "e" not in text.lower()
    assert Decimal(text) == Decimal(mantissa).scaleb(exponent)
    if exponent < 0:
        assert len(text.partition(".")[2]) == -exponent
        assert parse_decimal(text) == (mantissa, exponent)


@pytest.mark.parametrize(
    ("mantissa", "exponent", "text"),
    [(0, -2, "0.00"), (-5, -2, "-0.05"), (6180030, -2, "61800.30"), (12, 3, "12000"), (0, 3, "0"), (7, 0, "7")],
)
def test_text_is_as_people_write_it(mantissa: int, exponent: int, text: str) -> None:
    """A zero stands before the point, decimals stay, a positive exponent is written out."""
    assert format_decimal(mantissa, exponent) == text


@given(mantissas, exponents)
def test_a_normal_form_has_no_zeros_at_the_end(mantissa: int, exponent: int) -> None:
    """The normal form has the same value and the shortest mantissa."""
    m, e = normalise(mantissa, exponent)
    assert Decimal(m).scaleb(e) == Decimal(mantissa).scaleb(exponent)
    assert m % 10 != 0 or (m, e) == (0, 0)


@given(mantissas, exponents, exponents)
def test_rescaling_is_exact_or_nothing(mantissa: int, exponent: int, to: int) -> None:
    """A mantissa in other units is exact, and None where there is none."""
    exact = Decimal(mantissa).scaleb(exponent) / Decimal(1).scaleb(to)
    found = rescale(mantissa, exponent, to)
    assert found == (int(exact) if exact == exact.to_integral_value() else None)


def test_powers_of_ten_fit() -> None:
    """The table holds 10^0 to 10^18."""
    assert POW10.tolist() == [10**n for n in range(19)]

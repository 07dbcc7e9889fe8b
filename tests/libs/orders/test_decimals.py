"""Decimals as text and their precision."""

from __future__ import annotations

from decimal import Decimal

from libs.orders.decimals import decimal_of, exact, text_of


def test_text_is_plain() -> None:
    """Text has no exponent and no zeros at the end of the fraction, and keeps those of whole numbers."""
    assert text_of(decimal_of(6_180_030, -2)) == "61800.3"
    assert text_of(Decimal("1E+3")) == "1000"
    assert text_of(Decimal("4E-8")) == "0.00000004"
    assert text_of(Decimal("100")) == "100"
    assert text_of(Decimal("0.000")) == "0"


def test_products_of_int64_are_exact() -> None:
    """Under the decorator a product of two int64 mantissas keeps every digit, which 28 digits would not."""
    largest = 2**63 - 1
    one = decimal_of(largest, -9)
    assert exact(lambda: one * one)() == decimal_of(largest**2, -18)
    assert one * one != decimal_of(largest**2, -18)

"""Prices to ticks, sizes to lots."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from libs.risk.rounding import notional, quantity_of, round_price, round_quantity
from libs.risk.views import Steps

decimals = st.builds(lambda m, e: Decimal(m).scaleb(e), st.integers(1, 10**12), st.integers(-9, 2))


@given(price=decimals, tick=decimals, side=st.sampled_from(["buy", "sell"]))
def test_prices_round_away_from_crossing(price: Decimal, tick: Decimal, side: str) -> None:
    """A buy's price goes down to a tick, a sell's up, by less than one."""
    rounded = Fraction(round_price(price, tick, side))  # type: ignore[arg-type]
    assert (rounded / Fraction(tick)).denominator == 1
    away = Fraction(price) - rounded if side == "buy" else rounded - Fraction(price)
    assert 0 <= away < Fraction(tick)


@given(quantity=decimals, lot=decimals)
def test_sizes_round_down(quantity: Decimal, lot: Decimal) -> None:
    """A size goes down to a whole lot, to zero when it is less than one."""
    rounded = Fraction(round_quantity(quantity, lot))
    assert (rounded / Fraction(lot)).denominator == 1
    assert 0 <= Fraction(quantity) - rounded < Fraction(lot)


def test_the_quantity_of_a_worth() -> None:
    """A worth buys whole lots and never costs more: by price of linear contracts, without it of inverse ones."""
    linear = Steps(Decimal("0.1"), Decimal("0.001"), Decimal("0.5"), False)
    assert quantity_of(linear, Decimal(100), Decimal(300)) == Decimal("0.666")
    assert notional(linear, Decimal("0.666"), Decimal(300)) == Decimal("99.9")
    inverse = Steps(Decimal("0.1"), Decimal(1), Decimal(10), True)
    assert quantity_of(inverse, Decimal(105), Decimal(300)) == 10
    assert notional(inverse, Decimal(10), Decimal(300)) == 100
    assert quantity_of(inverse, Decimal("9.99"), Decimal(300)) == 0

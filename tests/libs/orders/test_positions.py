"""Positions and PnL against exact fractions."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.orders.positions import Position, Positions

ROUNDING = Fraction(1, 10**40)

fills = st.lists(
    st.tuples(
        st.integers(-(10**6), 10**6).filter(bool),
        st.integers(1, 10**8),
        st.integers(0, 1000),
    ),
    min_size=1,
    max_size=25,
)


class Oracle:
    """Average cost over fractions: a fill that reduces realises against the average entry, nothing is rounded."""

    def __init__(self, multiplier: Fraction, inverse: bool) -> None:
        self.multiplier, self.inverse = multiplier, inverse
        self.quantity = self.realised = self.fees = Fraction(0)
        self.entry: Fraction | None = None

    def pnl(self, signed: Fraction, entry: Fraction, leave: Fraction) -> Fraction:
        """PnL of a signed quantity, by the formulas of the design."""
        if self.inverse:
            return signed * self.multiplier * (1 / entry - 1 / leave)
        return signed * self.multiplier * (leave - entry)

    def fill(self, signed: Fraction, price: Fraction, fee: Fraction) -> None:
        """Take in a fill."""
        self.fees += fee
        if self.quantity * signed < 0:
            assert self.entry is not None
            closed = min(abs(signed), abs(self.quantity)) * (1 if self.quantity > 0 else -1)
            self.realised += self.pnl(closed, self.entry, price)
            self.quantity -= closed
            signed += closed
        if signed:
            after = self.quantity + signed
            if self.quantity == 0:
                self.entry = price
            elif self.inverse:
                self.entry = after / (self.quantity / self.entry + signed / price)
            else:
                self.entry = (self.quantity * self.entry + signed * price) / after
            self.quantity = after
        if self.quantity == 0:
            self.entry = None


def near(found: Decimal | None, expected: Fraction | None) -> bool:
    """Equal but for the 60th digit of the divisions."""
    if found is None or expected is None:
        return found is None and expected is None
    return abs(Fraction(found) - expected) <= ROUNDING * (1 + abs(expected))


@pytest.mark.parametrize("inverse", [False, True])
@given(fills=fills, multiplier=st.sampled_from(["1", "0.01", "100"]))
def test_pnl_equals_exact_fractions(inverse: bool, fills: list[tuple[int, int, int]], multiplier: str) -> None:
    """Quantity, average entry, realised and unrealised PnL and fees equal the oracle's after every fill."""
    position = Position("okx", "X-USD-PERP", Decimal(multiplier), inverse)
    oracle = Oracle(Fraction(multiplier), inverse)
    mark = Decimal("123.45")
    for mantissa, cents, fee in fills:
        signed, price, paid = Decimal(mantissa).scaleb(-3), Decimal(cents).scaleb(-2), Decimal(fee).scaleb(-4)
        position.apply(signed, price, paid)
        oracle.fill(Fraction(signed), Fraction(price), Fraction(paid))
        assert Fraction(position.quantity) == oracle.quantity
        assert Fraction(position.fees) == oracle.fees
        assert near(position.average_price, oracle.entry)
        assert near(position.realised, oracle.realised)
        unrealised = oracle.pnl(oracle.quantity, oracle.entry, Fraction(mark)) if oracle.entry else Fraction(0)
        assert near(position.unrealised(mark), unrealised)


def test_linear_round_trip_is_exact() -> None:
    """Bought at 100 and sold at 110, two units of multiplier 0.1 earn exactly 2."""
    position = Position("binance", "BTC-USDT-PERP", Decimal("0.1"))
    position.apply(Decimal(2), Decimal(100), Decimal("0.02"))
    position.apply(Decimal(-2), Decimal(110), Decimal("0.03"))
    assert (position.realised, position.fees) == (Decimal(2), Decimal("0.05"))
    assert (position.quantity, position.basis, position.average_price) == (0, 0, None)


def test_inverse_pnl_is_in_base() -> None:
    """100 contracts of 100 USD short from 50,000 to 40,000 earn 0.05 of the base; entries average harmonically."""
    position = Position("binance", "BTC-USD-PERP", Decimal(100), True)
    position.apply(Decimal(-100), Decimal(50_000), Decimal(0))
    position.apply(Decimal(100), Decimal(40_000), Decimal(0))
    assert position.realised == Decimal("0.05")
    position.apply(Decimal(1), Decimal(20_000), Decimal(0))
    position.apply(Decimal(1), Decimal(60_000), Decimal(0))
    assert position.average_price == Decimal(30_000)


def test_a_fill_through_zero_opens_the_other_way() -> None:
    """A sell of more than is held closes at its price and opens a short at it."""
    position = Position("okx", "ETH-USDT", Decimal(1))
    position.apply(Decimal(3), Decimal(10), Decimal(0))
    position.apply(Decimal(-5), Decimal(12), Decimal(0))
    assert (position.quantity, position.average_price, position.realised) == (-2, 12, 6)


def test_positions_do_not_mix_contracts() -> None:
    """A fill of another multiplier goes into a flat position only, one of another kind into none."""
    positions = Positions()
    fill = (Decimal(1), Decimal(10), Decimal(0))
    positions.apply("okx", "A-USDT", *fill, Decimal(1), False)
    with pytest.raises(ValueError, match="another contract"):
        positions.apply("okx", "A-USDT", *fill, Decimal(2), False)
    positions.apply("okx", "A-USDT", Decimal(-1), Decimal(10), Decimal(0), Decimal(1), False)
    assert positions.apply("okx", "A-USDT", *fill, Decimal(2), False).multiplier == 2
    with pytest.raises(ValueError, match="another contract"):
        positions.apply("okx", "A-USDT", *fill, Decimal(2), True)
    positions.apply("bybit", "A-USDT", *fill, Decimal(1), False)
    assert {position.exchange for position in positions.of_symbol("A-USDT")} == {"okx", "bybit"}
    assert len(list(positions)) == 2

"""What our positions are worth in USD, kept up to date position by position."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from libs.orders.decimals import ZERO, exact
from libs.orders.positions import Position, Positions

Key = tuple[str, str]
CENTS = Decimal("1e-8")
"""Values are kept to this many USD, so that totals by differences stay exact."""


class Prices(Protocol):
    """Where values come from; None: not known."""

    def mark(self, exchange: str, symbol: str) -> Decimal | None:
        """Return the price at which a position is valued."""

    def settlement_rate(self, exchange: str, symbol: str, inverse: bool) -> Decimal | None:
        """Return the USD of one unit of what a position settles in."""

    def notional_rate(self, symbol: str) -> Decimal | None:
        """Return the USD of one unit of quote currency."""


@dataclass(frozen=True, slots=True)
class Value:
    """A position in USD; ``notional`` is signed."""

    notional: Decimal = ZERO
    realised: Decimal = ZERO
    unrealised: Decimal = ZERO
    fees: Decimal = ZERO

    @property
    def pnl(self) -> Decimal:
        """All that was won, less fees."""
        return self.realised + self.unrealised - self.fees


NOTHING = Value()


class Exposure:
    """Values of all positions and their totals.

    A position whose mark is not known is valued at its entry; one whose currency has no rate here keeps its last value.

    Parameters
    ----------
    positions : Positions
    prices : Prices

    Attributes
    ----------
    total : Value
        ``notional`` is the net one.
    gross : Decimal
        Sum of notionals without signs.
    by_symbol : dict
        Signed notional of a symbol over all venues.
    unvalued : set
        Positions whose currency has no rate.
    """

    def __init__(self, positions: Positions, prices: Prices) -> None:
        self.positions, self.prices = positions, prices
        self.total = NOTHING
        self.gross = ZERO
        self.by_symbol: dict[str, Decimal] = {}
        self.unvalued: set[Key] = set()
        self._values: dict[Key, Value] = {}
        self._round: Iterator[Position] = iter(())

    def of(self, exchange: str, symbol: str) -> Value:
        """Return a position's value."""
        return self._values.get((exchange, symbol), NOTHING)

    def revalue_some(self, most: int) -> None:
        """Revalue the next few positions, going round: no moment has to pay for all of them."""
        for _ in range(most):
            position = next(self._round, None)
            if position is None:
                self._round = iter(list(self.positions))
                return
            self.revalue(position)

    def revalue_all(self) -> None:
        """Revalue every position."""
        for position in list(self.positions):
            self.revalue(position)

    @exact
    def revalue(self, position: Position) -> None:
        """Value a position anew and bring the totals up to date."""
        key = (position.exchange, position.symbol)
        fresh = self._value(position)
        if fresh is None:
            self.unvalued.add(key)
            return
        self.unvalued.discard(key)
        old = self._values.get(key, NOTHING)
        self._values[key] = fresh
        total = self.total
        self.total = Value(
            total.notional + fresh.notional - old.notional,
            total.realised + fresh.realised - old.realised,
            total.unrealised + fresh.unrealised - old.unrealised,
            total.fees + fresh.fees - old.fees,
        )
        self.gross += abs(fresh.notional) - abs(old.notional)
        change = fresh.notional - old.notional
        self.by_symbol[position.symbol] = self.by_symbol.get(position.symbol, ZERO) + change

    def _value(self, position: Position) -> Value | None:
        exchange, symbol = position.exchange, position.symbol
        mark = self.prices.mark(exchange, symbol) or position.average_price
        rate = self.prices.settlement_rate(exchange, symbol, position.inverse)
        if rate is None and position.inverse:
            rate = mark
        notional_rate = self.prices.notional_rate(symbol)
        if rate is None or notional_rate is None:
            return None
        worth = unrealised = ZERO
        if mark is not None:
            worth = position.quantity * position.multiplier * (1 if position.inverse else mark)
            unrealised = position.unrealised(mark)
        return Value(
            (worth * notional_rate).quantize(CENTS),
            (position.realised * rate).quantize(CENTS),
            (unrealised * rate).quantize(CENTS),
            (position.fees * rate).quantize(CENTS),
        )

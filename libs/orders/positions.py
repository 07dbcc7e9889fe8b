"""Positions and PnL, by venue and symbol, from fills alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec

from libs.orders.decimals import ZERO, exact


class Position(msgspec.Struct):
    """A position at one venue in one symbol.

    It is valued in its settlement currency: quote of a linear contract, base of an inverse one.

    Attributes
    ----------
    quantity : Decimal
        Signed, in the venue's units.
    basis : Decimal
        What the open quantity cost, signed like it: Σ quantity × multiplier × price, or Σ quantity × multiplier / price
        of an inverse contract. The average entry follows from it: arithmetic, or harmonic.
    realised, fees : Decimal
        In the settlement currency; fees are positive when paid.
    """

    exchange: str
    symbol: str
    multiplier: Decimal
    inverse: bool = False
    quantity: Decimal = ZERO
    basis: Decimal = ZERO
    realised: Decimal = ZERO
    fees: Decimal = ZERO

    @exact
    def value(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Return what a quantity is worth at a price, in the settlement currency."""
        return quantity * self.multiplier / price if self.inverse else quantity * self.multiplier * price

    def takes(self, multiplier: Decimal, inverse: bool) -> bool:
        """Return whether a fill of such a contract may go into this position."""
        return inverse == self.inverse and (self.quantity == 0 or multiplier == self.multiplier)

    @exact
    def apply(self, signed: Decimal, price: Decimal, fee: Decimal) -> None:
        """Take in a fill.

        Parameters
        ----------
        signed : Decimal
            Quantity, negative of a sell.
        price : Decimal
            Above 0.
        fee : Decimal
            In the settlement currency.
        """
        self.fees += fee
        if self.quantity * signed < 0:
            closing = -signed if abs(signed) <= abs(self.quantity) else self.quantity
            self._close(closing, price)
            signed += closing
        self.quantity += signed
        self.basis += self.value(signed, price)

    def _close(self, closing: Decimal, price: Decimal) -> None:
        """Realise the PnL of a part of the position (signed like it)."""
        whole = closing == self.quantity
        released = self.basis if whole else self.basis * closing / self.quantity
        now = self.value(closing, price)
        # A long inverse contract gains base currency as its price rises, that is as 1/price falls.
        self.realised += released - now if self.inverse else now - released
        self.quantity -= closing
        self.basis = ZERO if whole else self.basis - released

    @property
    @exact
    def average_price(self) -> Decimal | None:
        """The average entry: arithmetic of a linear contract, harmonic of an inverse one; None when flat."""
        if self.quantity == 0:
            return None
        worth = self.quantity * self.multiplier
        return worth / self.basis if self.inverse else self.basis / worth

    @exact
    def unrealised(self, mark: Decimal) -> Decimal:
        """Return the PnL of the open quantity at a mark price, in the settlement currency."""
        if self.quantity == 0:
            return ZERO
        now = self.value(self.quantity, mark)
        return self.basis - now if self.inverse else now - self.basis


class Positions:
    """All positions, by (exchange, symbol)."""

    def __init__(self) -> None:
        self._by_symbol: dict[str, dict[str, Position]] = {}

    def get(self, exchange: str, symbol: str) -> Position | None:
        """Return a position, or None where there never was a fill."""
        return self._by_symbol.get(symbol, {}).get(exchange)

    def put(self, position: Position) -> None:
        """Set a position, as a snapshot has it."""
        self._by_symbol.setdefault(position.symbol, {})[position.exchange] = position

    def apply(
        self,
        exchange: str,
        symbol: str,
        signed: Decimal,
        price: Decimal,
        fee: Decimal,
        multiplier: Decimal,
        inverse: bool,
    ) -> Position:
        """Take in a fill and return the position after it.

        Raises
        ------
        ValueError
            When it would mix contracts of two kinds or multipliers in one position; risk refuses such orders.
        """
        position = self.get(exchange, symbol)
        if position is None:
            position = Position(exchange, symbol, multiplier, inverse)
            self.put(position)
        elif not position.takes(multiplier, inverse):
            raise ValueError(f"{exchange} {symbol}: a fill of another contract than the position's")
        position.multiplier = multiplier
        position.apply(signed, price, fee)
        return position

    def of_symbol(self, symbol: str) -> Iterable[Position]:
        """Return the positions in a symbol, at whatever venue."""
        return self._by_symbol.get(symbol, {}).values()

    def __iter__(self) -> Iterator[Position]:
        return (position for venues in self._by_symbol.values() for position in venues.values())

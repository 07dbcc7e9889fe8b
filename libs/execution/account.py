"""The paper venue's own account of our positions, kept apart from the order service's so that the two can disagree."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from libs.execution.gateway import Holding, Key
from libs.orders.decimals import ZERO, exact
from libs.orders.events import Filled, Side


class Line(msgspec.Struct):
    """One position: quantity and running average, as venues keep it."""

    exchange: str
    symbol: str
    inverse: bool
    quantity: Decimal = ZERO
    average_price: Decimal = ZERO

    @exact
    def apply(self, side: Side, quantity: Decimal, price: Decimal) -> None:
        """Take in a fill."""
        signed = quantity if side == "buy" else -quantity
        after = self.quantity + signed
        if self.quantity == 0 or self.quantity * after < 0:
            self.average_price = price
        elif self.quantity * signed > 0:
            if self.inverse:
                self.average_price = after / (self.quantity / self.average_price + signed / price)
            else:
                self.average_price = (self.quantity * self.average_price + signed * price) / after
        self.quantity = after
        if after == 0:
            self.average_price = ZERO


class Account:
    """All positions."""

    def __init__(self) -> None:
        self.lines: dict[Key, Line] = {}

    def apply(self, exchange: str, symbol: str, inverse: bool, side: Side, fill: Filled) -> None:
        """Take in a fill."""
        line = self.lines.get((exchange, symbol))
        if line is None:
            line = self.lines[exchange, symbol] = Line(exchange, symbol, inverse)
        line.apply(side, fill.quantity, fill.price)

    def holdings(self) -> dict[Key, Holding]:
        """Return the positions that are not flat."""
        return {key: Holding(line.quantity, line.average_price) for key, line in self.lines.items() if line.quantity}

"""What our open orders would add to positions, by symbol."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from libs.orders.decimals import ZERO, exact
from libs.orders.events import Order
from libs.orders.states import TERMINAL
from libs.risk.exposure import CENTS


@dataclass(slots=True)
class _Entry:
    order: Order
    worth: Decimal


class Working:
    """Open orders and their worth in USD.

    Attributes
    ----------
    total : Decimal
        Worth of what is not filled of all of them.
    """

    def __init__(self) -> None:
        self.total = ZERO
        self._by_symbol: dict[str, dict[str, _Entry]] = {}
        self._left: dict[str, Decimal] = {}

    @exact
    def update(self, order: Order, worth: Decimal | None = None) -> None:
        """Take in an order's new state.

        Parameters
        ----------
        worth : Decimal, optional
            Of the whole order, in USD; 0 until it is given once.
        """
        name = order.client_order_id
        entries = self._by_symbol.setdefault(order.symbol, {})
        entry = entries.setdefault(name, _Entry(order, ZERO))
        if worth is not None:
            entry.worth = worth
        self.total -= self._left.pop(name, ZERO)
        if order.state in TERMINAL:
            del entries[name]
            if not entries:
                del self._by_symbol[order.symbol]
        else:
            self._left[name] = (entry.worth * order.remaining / order.quantity).quantize(CENTS)
            self.total += self._left[name]

    @exact
    def of_symbol(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Return what the open buys and the open sells in a symbol are worth, in USD."""
        buys = sells = ZERO
        for name, entry in self._by_symbol.get(symbol, {}).items():
            if entry.order.side == "buy":
                buys += self._left[name]
            else:
                sells += self._left[name]
        return buys, sells

    def best(self, exchange: str, symbol: str) -> tuple[Decimal | None, Decimal | None]:
        """Return the price of our highest open buy and of our lowest open sell at an exchange."""
        orders = [entry.order for entry in self._by_symbol.get(symbol, {}).values() if entry.order.exchange == exchange]
        bids = [order.price for order in orders if order.side == "buy"]
        asks = [order.price for order in orders if order.side == "sell"]
        return max(bids, default=None), min(asks, default=None)

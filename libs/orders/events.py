"""What happens to orders, as journalled: one tagged JSON object an event."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from libs.orders.decimals import ZERO
from libs.orders.states import State

Side = Literal["buy", "sell"]
TimeInForce = Literal["ioc", "gtc", "gtd"]


class Order(msgspec.Struct):
    """An order of ours and where it stands.

    Attributes
    ----------
    quantity, price : Decimal
        In the venue's units; the price is a limit.
    multiplier, inverse
        Of the instrument when the order was made.
    time_in_force : str
        ``ioc``: what does not fill on arrival expires; ``gtc``: it stays; ``gtd``: it stays until ``expires_feed_us``.
    feed_ts_us : int
        Feed time of the event behind the signal.
    sent_ts_us : int
        Scheduled send time of that event.
    filled, cost : Decimal
        Quantity filled, and the sum of quantity × price over the fills.
    reason : str
        Why it ended, where it did not fill.
    """

    client_order_id: str
    intent_id: str
    exchange: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    multiplier: Decimal
    inverse: bool
    time_in_force: TimeInForce
    feed_ts_us: int
    created_ts_ns: int
    session: int = 0
    sequence: int = 0
    sent_ts_us: int = 0
    expires_feed_us: int = 0
    model: str = ""
    state: State = State.NEW
    filled: Decimal = ZERO
    cost: Decimal = ZERO
    reason: str = ""
    updated_ts_ns: int = 0

    @property
    def remaining(self) -> Decimal:
        """What is not filled."""
        return self.quantity - self.filled

    @property
    def sign(self) -> int:
        """1 of a buy, -1 of a sell."""
        return 1 if self.side == "buy" else -1


class Intended(msgspec.Struct, frozen=True, tag="intent"):
    """An order was decided on; journalled before anything is sent."""

    order: Order


class Changed(msgspec.Struct, frozen=True, tag="state"):
    """An order changed its state, other than by a fill."""

    client_order_id: str
    state: State
    ts_ns: int
    reason: str = ""


class Filled(msgspec.Struct, frozen=True, tag="fill"):
    """A part of an order, or all of it, was filled.

    Attributes
    ----------
    fee : Decimal
        In the settlement currency: quote of a linear contract, base of an inverse one.
    feed_ts_us : int
        Feed time of the fill.
    """

    client_order_id: str
    fill_id: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    feed_ts_us: int
    ts_ns: int
    liquidity: Literal["taker", "maker"] = "taker"


Event = Intended | Changed | Filled

"""What the paper venue remembers of our orders, and the log that it is rebuilt from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from libs.execution.account import Account, Line
from libs.orders.decimals import ZERO, exact
from libs.orders.events import Changed, Event, Filled, Side, TimeInForce
from libs.orders.states import TERMINAL

KEPT_ORDERS = 2_000


class PaperOrder(msgspec.Struct):
    """An order at the paper venue.

    Attributes
    ----------
    due_us : int
        Feed time at which it arrives.
    expires_us : int
        Feed time at which a ``gtd`` order expires.
    session : int
        Of the channel whose feed time these are.
    rests : bool
        It has arrived, and what is left of it waits in the book.
    events : list
        Everything that happened to it.
    """

    client_order_id: str
    exchange: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    multiplier: Decimal
    inverse: bool
    time_in_force: TimeInForce
    due_us: int
    expires_us: int
    session: int
    filled: Decimal = ZERO
    rests: bool = False
    events: list[Changed | Filled] = []

    @property
    def remaining(self) -> Decimal:
        """What is not filled."""
        return self.quantity - self.filled


class Accepted(msgspec.Struct, frozen=True, tag="accepted"):
    """An order came in; its events hold the acknowledgement."""

    order: PaperOrder


class Rested(msgspec.Struct, frozen=True, tag="rested"):
    """What is left of an order that has arrived stays in the book."""

    client_order_id: str


class PaperSnapshot(msgspec.Struct, frozen=True, tag="snapshot"):
    """Everything, as the first record of a compacted log."""

    orders: list[PaperOrder]
    ended: list[PaperOrder]
    lines: list[Line]


Entry = Accepted | Rested | Changed | Filled
_DECODER = msgspec.json.Decoder(Entry | PaperSnapshot)


def encode_snapshot(snapshot: PaperSnapshot) -> bytes:
    """Return a snapshot as the log holds it."""
    return msgspec.json.encode(snapshot)


class PaperBook:
    """Orders and positions at the paper venue, made by the log's entries: the same code live and at a restart.

    Attributes
    ----------
    open : dict
        By client order id.
    ended : OrderedDict
        Those that ended last.
    """

    def __init__(self) -> None:
        self.open: dict[str, PaperOrder] = {}
        self.ended: OrderedDict[str, PaperOrder] = OrderedDict()
        self.account = Account()

    def order(self, client_order_id: str) -> PaperOrder | None:
        """Return an order that is open, or ended not long ago."""
        return self.open.get(client_order_id) or self.ended.get(client_order_id)

    @exact
    def apply(self, entry: Entry) -> None:
        """Take in what happened."""
        if isinstance(entry, Accepted):
            self.open[entry.order.client_order_id] = entry.order
            return
        order = self.open[entry.client_order_id]
        if isinstance(entry, Rested):
            order.rests = True
            return
        order.events.append(entry)
        if isinstance(entry, Filled):
            order.filled += entry.quantity
            self.account.apply(order.exchange, order.symbol, order.inverse, order.side, entry)
        if order.remaining == 0 or (isinstance(entry, Changed) and entry.state in TERMINAL):
            del self.open[order.client_order_id]
            self.ended[order.client_order_id] = order
            while len(self.ended) > KEPT_ORDERS:
                self.ended.popitem(last=False)

    def restore(self, payloads: Iterable[bytes]) -> None:
        """Take in what a log holds."""
        for payload in payloads:
            entry = _DECODER.decode(payload)
            if isinstance(entry, PaperSnapshot):
                self.open = {order.client_order_id: order for order in entry.orders}
                self.ended = OrderedDict((order.client_order_id, order) for order in entry.ended)
                self.account.lines = {(line.exchange, line.symbol): line for line in entry.lines}
            else:
                self.apply(entry)

    def snapshot(self) -> PaperSnapshot:
        """Return everything, to compact the log."""
        return PaperSnapshot(list(self.open.values()), list(self.ended.values()), list(self.account.lines.values()))

    def history(self, client_order_id: str) -> list[Event]:
        """Return the events of an order; empty when it never came."""
        order = self.order(client_order_id)
        return [] if order is None else list(order.events)

"""Orders and positions of ours, as the journal's events make them: the same code live and at a restart."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from libs.orders.decimals import exact
from libs.orders.events import Changed, Event, Filled, Intended, Order
from libs.orders.positions import Position, Positions
from libs.orders.remembered import Remembered
from libs.orders.states import TERMINAL, State, allowed

KEPT_INTENTS = 100_000
KEPT_ORDERS = 1_000


class Marks(msgspec.Struct, frozen=True, tag="marks"):
    """PnL that losses are measured from, in USD (libs.risk.losses).

    Attributes
    ----------
    day : int
        Days since the epoch, UTC.
    day_start_usd, peak_usd : Decimal
        PnL when the day began, and the highest since the last reset.
    """

    day: int
    day_start_usd: Decimal
    peak_usd: Decimal


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot"):
    """Everything that events made, as the first record of a compacted journal.

    Attributes
    ----------
    orders : list of Order
        Open ones.
    intents : list of str
        Ids that must not be acted on again, the oldest first.
    """

    orders: list[Order]
    recent: list[Order]
    positions: list[Position]
    intents: list[str]
    fills: list[str]
    marks: Marks | None = None


_DECODER = msgspec.json.Decoder(Snapshot | Marks | Intended | Changed | Filled)
_ENCODER = msgspec.json.Encoder()


def encode(event: Event | Marks | Snapshot) -> bytes:
    """Return an event as the journal holds it."""
    return _ENCODER.encode(event)


def decode(payload: bytes) -> Event | Marks | Snapshot:
    """Return the event of a journal record."""
    return _DECODER.decode(payload)


class Ledger:
    """Orders by client order id, the intents behind them, positions.

    Parameters
    ----------
    kept_intents : int
        Ids remembered. A signal is refused by its age long before its intent could be forgotten.

    Attributes
    ----------
    open : dict
        Orders that may still change.
    recent : deque
        Those that ended last.
    counts : Counter
        Of this process: ``intents``; orders by the states they came into; ``fills``, ``fills buy``, ``fills sell``.
    marks : Marks or None
        As journalled last.
    illegal : int
        Events refused: the state machine does not have such a transition.
    """

    def __init__(self, kept_intents: int = KEPT_INTENTS) -> None:
        self.open: dict[str, Order] = {}
        self.recent: deque[Order] = deque(maxlen=KEPT_ORDERS)
        self.positions = Positions()
        self.counts: Counter[str] = Counter()
        self.illegal = 0
        self.marks: Marks | None = None
        self._kept_intents = kept_intents
        self._intents, self._fills, self._ended = (Remembered(kept_intents) for _ in range(3))

    def knows_intent(self, intent_id: str) -> bool:
        """Return whether an order was made for an intent."""
        return intent_id in self._intents

    def knows_order(self, client_order_id: str) -> bool:
        """Return whether an order is open, or ended not long ago."""
        return client_order_id in self.open or client_order_id in self._ended

    def knows_fill(self, fill_id: str) -> bool:
        """Return whether a fill was taken in, not long ago."""
        return fill_id in self._fills

    @exact
    def allows(self, event: Event) -> bool:
        """Return whether an event is a legal one now; ask before it is journalled."""
        if isinstance(event, Intended):
            order = event.order
            return (
                order.state is State.NEW
                and not self.knows_intent(order.intent_id)
                and not self.knows_order(order.client_order_id)
            )
        found = self.open.get(event.client_order_id)
        if found is None:
            return False
        if isinstance(event, Changed):
            by_fill = event.state in (State.PARTIALLY_FILLED, State.FILLED)
            return not by_fill and allowed(found.state, event.state)
        if event.fill_id in self._fills or event.price <= 0 or not 0 < event.quantity <= found.remaining:
            return False
        return allowed(found.state, _after_fill(found, event))

    def apply(self, event: Event) -> Order | None:
        """Take in an event; return the order after it, or None when it was refused and counted."""
        if not self.allows(event):
            self.illegal += 1
            return None
        if isinstance(event, Intended):
            return self._begin(event.order)
        order = self.open[event.client_order_id]
        if isinstance(event, Filled):
            self._fill(order, event)
        else:
            order.state = event.state
            order.reason = event.reason or order.reason
        order.updated_ts_ns = event.ts_ns
        self.counts[order.state] += 1
        if order.state in TERMINAL:
            self._end(order)
        return order

    def _begin(self, order: Order) -> Order:
        self.open[order.client_order_id] = order
        self._intents.add(order.intent_id)
        self.counts["intents"] += 1
        return order

    @exact
    def _fill(self, order: Order, fill: Filled) -> None:
        order.state = _after_fill(order, fill)
        order.filled += fill.quantity
        order.cost += fill.quantity * fill.price
        signed = fill.quantity * order.sign
        self.positions.apply(
            order.exchange, order.symbol, signed, fill.price, fill.fee, order.multiplier, order.inverse
        )
        self._fills.add(fill.fill_id)
        self.counts["fills"] += 1
        self.counts[f"fills {order.side}"] += 1

    def _end(self, order: Order) -> None:
        del self.open[order.client_order_id]
        self.recent.append(order)
        self._ended.add(order.client_order_id)

    def snapshot(self) -> Snapshot:
        """Return everything, to compact the journal."""
        return Snapshot(
            list(self.open.values()),
            list(self.recent),
            list(self.positions),
            list(self._intents),
            list(self._fills),
            self.marks,
        )

    def restore(self, payloads: Iterable[bytes]) -> None:
        """Take in what a journal holds.

        Raises
        ------
        msgspec.DecodeError
            When a record is not one of ours.
        """
        for payload in payloads:
            event = decode(payload)
            if isinstance(event, Snapshot):
                self._load(event)
            elif isinstance(event, Marks):
                self.marks = event
            else:
                self.apply(event)
        # Counts are of this process: a report must not add up every run that the state survived.
        self.counts.clear()

    def _load(self, snapshot: Snapshot) -> None:
        self.positions = Positions()
        self.recent.clear()
        self.open = {order.client_order_id: order for order in snapshot.orders}
        self.recent.extend(snapshot.recent)
        for position in snapshot.positions:
            self.positions.put(position)
        self._intents = Remembered(self._kept_intents, snapshot.intents)
        self._fills = Remembered(self._kept_intents, snapshot.fills)
        self._ended = Remembered(self._kept_intents, (order.client_order_id for order in snapshot.recent))
        self.marks = snapshot.marks


def _after_fill(order: Order, fill: Filled) -> State:
    return State.FILLED if fill.quantity == order.remaining else State.PARTIALLY_FILLED

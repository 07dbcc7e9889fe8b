"""Our account against the venue's: at a restart, and from time to time."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from libs.execution.gateway import Gateway, Holding, Key, Statement
from libs.orders.decimals import ZERO, exact, short_text, text_of
from libs.orders.events import Changed, Event, Order
from libs.orders.ledger import Ledger
from libs.orders.states import State

TOLERANCE = Decimal("0.0001")
"""Average prices may differ by 0.01 %."""

FLAT = Holding(ZERO, ZERO)
NOT_WITH_VENUE = "a restart found it journalled, and the venue without it"


def recover(ledger: Ledger, venue: Gateway, now_ns: int, record: Callable[[Event], object]) -> int:
    """Bring every open order to what the venue says of it; nothing is sent.

    Parameters
    ----------
    record : callable
        Journals an event and applies it to the ledger.

    Returns
    -------
    int
        Events taken in.
    """
    taken = 0
    for order in list(ledger.open.values()):
        for event in _missed(ledger, order, venue.history(order.client_order_id), now_ns):
            if ledger.allows(event):
                record(event)
                taken += 1
    return taken


def _missed(ledger: Ledger, order: Order, history: list[Event], now_ns: int) -> list[Event]:
    if not history:
        # An order that the venue once acknowledged and now denies is for reconciliation to report.
        lost = order.state in (State.NEW, State.SENT)
        return [Changed(order.client_order_id, State.REJECTED, now_ns, NOT_WITH_VENUE)] if lost else []
    sent: list[Event] = [Changed(order.client_order_id, State.SENT, now_ns)] if order.state is State.NEW else []
    return sent + history


@exact
def differences(ledger: Ledger, statement: Statement) -> list[str]:
    """Return, one line each, what the two accounts do not agree on.

    Quantities must be equal, average prices within 0.01 %, and every id of one side known to the other.
    """
    ours: dict[Key, Holding] = {}
    for position in ledger.positions:
        average = position.average_price
        if average is not None:
            ours[position.exchange, position.symbol] = Holding(position.quantity, average)
    found = []
    for key in sorted(ours.keys() | statement.holdings.keys()):
        found += _compare(key, ours.get(key, FLAT), statement.holdings.get(key, FLAT))
    at_venue = {name for name, order in ledger.open.items() if order.state is not State.NEW}
    found += [f"order {name} is open here and not at the venue" for name in sorted(at_venue - statement.open_orders)]
    found += [f"order {name} is open at the venue and not here" for name in sorted(statement.open_orders - at_venue)]
    found += [f"fill {name} is not known here" for name in statement.fills if not ledger.knows_fill(name)]
    return found


def _compare(key: Key, ours: Holding, theirs: Holding) -> list[str]:
    where = " ".join(key)
    if ours.quantity != theirs.quantity:
        return [f"{where}: quantity {text_of(ours.quantity)} here, {text_of(theirs.quantity)} at the venue"]
    if abs(ours.average_price - theirs.average_price) > TOLERANCE * theirs.average_price:
        here, there = short_text(ours.average_price), short_text(theirs.average_price)
        return [f"{where}: average price {here} here, {there} at the venue"]
    return []

"""The ledger: what events make of orders and positions, live and after a restart."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from libs.orders.decimals import ONE, ZERO
from libs.orders.events import Changed, Event, Filled, Intended, Order
from libs.orders.ids import client_order_id
from libs.orders.ledger import Ledger, Marks, encode
from libs.orders.states import TERMINAL, State, allowed


def intent_of(n: int) -> str:
    """The id of the n-th intent."""
    return f"{n:x}".ljust(32, "0")


def an_order(n: int = 1, side: str = "buy", quantity: str = "10") -> Order:
    """An order of the n-th intent."""
    intent = intent_of(n)
    return Order(
        client_order_id(intent),
        intent,
        "okx",
        "BTC-USDT",
        side,
        Decimal(quantity),
        Decimal(100),
        ONE,
        False,
        "ioc",
        1,
        1,
    )  # type: ignore[arg-type]


def a_fill(name: str, fill: str, quantity: str = "4", price: str = "99") -> Filled:
    """A fill of an order."""
    return Filled(name, fill, Decimal(quantity), Decimal(price), Decimal("0.1"), 2, 2)


def acknowledged(order: Order) -> list[Event]:
    """The events up to the venue's acknowledgement."""
    name = order.client_order_id
    return [Intended(order), Changed(name, State.SENT, 1), Changed(name, State.ACKNOWLEDGED, 1)]


def test_an_order_fills_in_parts() -> None:
    """Fills move the order through partially filled to filled, and the position with it."""
    ledger = Ledger()
    order = an_order()
    name = order.client_order_id
    for event in [*acknowledged(order), a_fill(name, "f1"), a_fill(name, "f2", "6", "100")]:
        assert ledger.apply(event) is order
    assert (order.state, order.filled, order.cost) == (State.FILLED, 10, 996)
    assert not ledger.open
    position = ledger.positions.get("okx", "BTC-USDT")
    assert position is not None
    assert (position.quantity, position.basis, position.fees) == (10, 996, Decimal("0.2"))
    assert (ledger.counts["fills buy"], ledger.counts[State.FILLED], ledger.illegal) == (2, 1, 0)


@pytest.mark.parametrize(
    "event",
    [
        Changed("it", State.FILLED, 2),
        Changed("it", State.PARTIALLY_FILLED, 2),
        Changed("it", State.SENT, 2),
        Changed("nobody", State.CANCELLED, 2),
        a_fill("it", "f1", "11"),
        a_fill("it", "f1", "0"),
        a_fill("it", "f1", "1", "0"),
        a_fill("nobody", "f1"),
        Intended(an_order()),
    ],
)
def test_illegal_events_are_counted_and_refused(event: Event) -> None:
    """An event without a transition, a fill of too much or of nobody, a second intent: nothing changes."""
    ledger = Ledger()
    order = an_order()
    for each in acknowledged(order):
        ledger.apply(each)
    if not isinstance(event, Intended) and event.client_order_id != "nobody":
        event = msgspec.structs.replace(event, client_order_id=order.client_order_id)
    assert ledger.apply(event) is None
    assert ledger.illegal == 1
    assert (order.state, order.filled) == (State.ACKNOWLEDGED, ZERO)
    assert not list(ledger.positions)


def test_a_fill_counts_once() -> None:
    """A fill that comes again, by its id, is refused."""
    ledger = Ledger()
    order = an_order()
    for event in [*acknowledged(order), a_fill(order.client_order_id, "f1")]:
        ledger.apply(event)
    assert ledger.apply(a_fill(order.client_order_id, "f1")) is None
    assert order.filled == 4


def test_intents_are_remembered_up_to_a_bound() -> None:
    """Ids of ended orders stay known; the memory of them is bounded."""
    ledger = Ledger(kept_intents=3)
    for n in range(5):
        order = an_order(n)
        ledger.apply(Intended(order))
        ledger.apply(Changed(order.client_order_id, State.REJECTED, 1))
    assert [ledger.knows_intent(intent_of(n)) for n in range(5)] == [False, False, True, True, True]


def test_a_snapshot_is_the_whole_state() -> None:
    """A ledger restored from a compacted journal goes on as the one that wrote it."""
    ledger = Ledger()
    first, second = an_order(1), an_order(2, "sell")
    for event in [*acknowledged(first), a_fill(first.client_order_id, "f1"), *acknowledged(second)]:
        ledger.apply(event)
    ledger.apply(Changed(second.client_order_id, State.CANCELLED, 5, "enough"))
    ledger.marks = Marks(3, Decimal("1.5"), Decimal(9))
    again = Ledger()
    again.restore([encode(ledger.snapshot()), encode(a_fill(first.client_order_id, "f2", "6"))])
    assert state_of(again)["orders"] == {}
    ledger.apply(a_fill(first.client_order_id, "f2", "6"))
    assert state_of(again) == state_of(ledger)
    assert again.marks == ledger.marks
    assert again.knows_order(second.client_order_id)
    assert again.counts["fills"] == 0


def state_of(ledger: Ledger) -> dict[str, Any]:
    """What must be equal after a restart."""
    return {
        "orders": msgspec.to_builtins(ledger.open),
        "positions": msgspec.to_builtins(list(ledger.positions)),
        "intents": ledger.snapshot().intents,
        "fills": ledger.snapshot().fills,
    }


class LedgerMachine(RuleBasedStateMachine):
    """Events of any kind in any order, beside a plain model; what was accepted goes into a journal."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.journal: list[bytes] = []
        self.model: dict[str, State] = {}
        self.filled: dict[str, Decimal] = {}
        self.refused = 0

    def submit(self, event: Event, legal: bool) -> None:
        """Ask, apply, and compare with what the model expects."""
        assert self.ledger.allows(event) is legal
        data = encode(event)
        assert (self.ledger.apply(event) is not None) is legal
        if legal:
            self.journal.append(data)
        else:
            self.refused += 1

    @rule(n=st.integers(0, 3))
    def intend(self, n: int) -> None:
        """Decide on the n-th order, perhaps again."""
        order = an_order(n)
        legal = order.client_order_id not in self.model
        self.submit(Intended(order), legal)
        if legal:
            self.model[order.client_order_id] = State.NEW
            self.filled[order.client_order_id] = ZERO

    @rule(n=st.integers(0, 3), state=st.sampled_from(State))
    def change(self, n: int, state: State) -> None:
        """Move the n-th order to any state."""
        name = an_order(n).client_order_id
        by_fill = state in (State.PARTIALLY_FILLED, State.FILLED)
        legal = name in self.model and not by_fill and allowed(self.model[name], state)
        self.submit(Changed(name, state, 1), legal)
        if legal:
            self.model[name] = state

    @rule(n=st.integers(0, 3), quantity=st.integers(0, 11), fill=st.integers(0, 5))
    def fill(self, n: int, quantity: int, fill: int) -> None:
        """Fill some of the n-th order, perhaps with a fill that was there before."""
        name = an_order(n).client_order_id
        event = Filled(name, f"{n}-{fill}", Decimal(quantity), Decimal(7), ZERO, 1, 1)
        before = self.model.get(name)
        working = before in (State.ACKNOWLEDGED, State.PARTIALLY_FILLED)
        left = 10 - self.filled.get(name, ZERO)
        legal = working and 0 < quantity <= left and not self.ledger.knows_fill(event.fill_id)
        self.submit(event, legal)
        if legal:
            self.filled[name] += quantity
            self.model[name] = State.FILLED if self.filled[name] == 10 else State.PARTIALLY_FILLED

    @invariant()
    def agrees_with_the_model(self) -> None:
        """Open orders, refusals and the position are what the model says."""
        open_orders = {name: state for name, state in self.model.items() if state not in TERMINAL}
        assert {name: order.state for name, order in self.ledger.open.items()} == open_orders
        assert self.ledger.illegal == self.refused
        position = self.ledger.positions.get("okx", "BTC-USDT")
        assert (position.quantity if position else 0) == sum(self.filled.values())

    def teardown(self) -> None:
        """A restart from the journal gives the same state."""
        again = Ledger()
        again.restore(self.journal)
        assert state_of(again) == state_of(self.ledger)
        assert again.illegal == 0


LedgerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestLedger = LedgerMachine.TestCase

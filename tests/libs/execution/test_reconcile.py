"""Our account against the venue's."""

from __future__ import annotations

from decimal import Decimal

import pytest

from libs.execution.gateway import Holding, Statement
from libs.execution.reconcile import differences
from libs.orders.decimals import ONE, ZERO
from libs.orders.events import Changed, Filled, Intended, Order
from libs.orders.ledger import Ledger
from libs.orders.states import State

KEY = ("okx", "BTC-USDT")


def a_ledger() -> Ledger:
    """One open order, half filled at 100."""
    ledger = Ledger()
    order = Order("a", "i", *KEY, "buy", Decimal(4), Decimal(100), ONE, False, "gtc", 1, 1)
    for event in (
        Intended(order),
        Changed("a", State.SENT, 1),
        Changed("a", State.ACKNOWLEDGED, 1),
        Filled("a", "a-1", Decimal(2), Decimal(100), ZERO, 1, 1),
    ):
        ledger.apply(event)
    return ledger


def statement(quantity: str = "2", average: str = "100", orders: tuple[str, ...] = ("a",), *fills: str) -> Statement:
    """What the venue says."""
    return Statement({KEY: Holding(Decimal(quantity), Decimal(average))}, frozenset(orders), list(fills) or ["a-1"])


def test_equal_accounts_agree() -> None:
    """Equal quantities, the same ids and average prices within 0.01 % are no difference."""
    assert differences(a_ledger(), statement()) == []
    assert differences(a_ledger(), statement(average="100.0099")) == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (statement("2.00000001"), "okx BTC-USDT: quantity 2 here, 2.00000001 at the venue"),
        (statement("-2"), "okx BTC-USDT: quantity 2 here, -2 at the venue"),
        (statement(average="100.02"), "okx BTC-USDT: average price 100 here, 100.02 at the venue"),
        (statement(orders=()), "order a is open here and not at the venue"),
        (statement(orders=("a", "b")), "order b is open at the venue and not here"),
        (statement("2", "100", ("a",), "a-1", "a-2"), "fill a-2 is not known here"),
        (Statement({}, frozenset("a"), ["a-1"]), "okx BTC-USDT: quantity 2 here, 0 at the venue"),
        (
            Statement(
                {KEY: Holding(Decimal(2), Decimal(100)), ("okx", "X-USDT"): Holding(ONE, ONE)}, frozenset("a"), []
            ),
            "okx X-USDT: quantity 0 here, 1 at the venue",
        ),
    ],
)
def test_each_difference_is_named(said: Statement, expected: str) -> None:
    """A difference in quantity, average price or ids is one line that says both sides."""
    assert differences(a_ledger(), said) == [expected]

"""What the order service asks of a venue."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

import numpy as np

from libs.orders.events import Event, Order

Key = tuple[str, str]
"""Exchange and symbol."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A position as the venue has it."""

    quantity: Decimal
    average_price: Decimal


@dataclass(frozen=True, slots=True)
class Statement:
    """A venue's own account of us, which reconciliation reads.

    Attributes
    ----------
    holdings : dict
        Positions that are not flat.
    open_orders : frozenset of str
        Client order ids.
    fills : list of str
        Ids of the latest fills.
    """

    holdings: dict[Key, Holding]
    open_orders: frozenset[str]
    fills: list[str]


class Gateway(Protocol):
    """A venue, or several behind one account. Every method is called from one thread and answers at once.

    Events come back with states of :mod:`libs.orders.states`; an acknowledgement precedes every other event of an
    order.
    """

    def submit(self, order: Order, now_ns: int) -> list[Event]:
        """Hand over an order; the venue has it, or has refused it, when this returns."""

    def cancel(self, client_order_id: str, now_ns: int, reason: str) -> list[Event]:
        """Take an order back; no event when it is no longer open."""

    def advance(self, changed: np.ndarray, now_ns: int) -> list[Event]:
        """Tell what happened meanwhile.

        Parameters
        ----------
        changed : int64[:]
            Ids of the books that changed since the last call.
        """

    def history(self, client_order_id: str) -> list[Event]:
        """Return every event of an order, from its acknowledgement on; empty when the venue never had it."""

    def statement(self) -> Statement:
        """Return the venue's account of us."""

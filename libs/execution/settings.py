"""What the desk is told by its configuration."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Protocol

import msgspec

from libs.execution.router import Route
from libs.orders.events import TimeInForce
from libs.risk.limits import Limits

Positive = Annotated[int, msgspec.Meta(ge=1)]


class Orders(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an order is made of a signal.

    Attributes
    ----------
    capital_usd : Decimal
        What a signal's size_fraction is a fraction of.
    limit_offset_bps : Decimal
        How far beyond the best opposite price the limit stands.
    expire_after_ms : int
        Feed time that a ``gtd`` order stays.
    """

    capital_usd: Decimal = Decimal(1000)
    limit_offset_bps: Decimal = Decimal(2)
    time_in_force: TimeInForce = "ioc"
    expire_after_ms: Positive = 5_000
    route: Route = "own"


class DeskSettings(Protocol):
    """What a desk needs of a service's settings."""

    @property
    def orders(self) -> Orders:
        """How orders are made."""

    @property
    def limits(self) -> Limits:
        """What they may come to."""

"""Limits, as the [limits] table of config/oms.toml has them. Money is in USD."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec

Count = Annotated[int, msgspec.Meta(ge=1)]


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The limits of the checks.

    Attributes
    ----------
    max_signal_age_ms : int
        Wall clock since the signal was made.
    max_book_lag_ms : int
        How far the book shown here may be behind the one that the signal saw, in scheduled send time.
    price_collar_bps : Decimal
        Distance of the order's price from the mid of the NBBO (of the own book, where there is no NBBO).
    max_order_lots : int
        Quantity of an order, in lots.
    max_order_notional_usd : Decimal
    max_position_usd : Decimal
        Of a symbol over all venues, either way, with every open order filled.
    max_gross_usd : Decimal
        Sum of all positions without their signs, with every open order filled.
    max_open_orders : int
    max_orders_per_s : int
    max_daily_loss_usd : Decimal
        Since midnight UTC.
    max_drawdown_usd : Decimal
        From the highest PnL since the last reset.
    """

    max_signal_age_ms: Count = 500
    max_book_lag_ms: Count = 1000
    price_collar_bps: Decimal = Decimal(50)
    max_order_lots: Count = 1_000_000_000
    max_order_notional_usd: Decimal = Decimal(1_000)
    max_position_usd: Decimal = Decimal(10_000)
    max_gross_usd: Decimal = Decimal(1_000_000)
    max_open_orders: Count = 500
    max_orders_per_s: Count = 200
    max_daily_loss_usd: Decimal = Decimal(100_000)
    max_drawdown_usd: Decimal = Decimal(100_000)

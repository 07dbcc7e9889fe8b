"""Prices to ticks and sizes to lots, and what an order is worth."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from libs.orders.decimals import exact
from libs.orders.events import Side
from libs.risk.views import Steps


@exact
def round_price(price: Decimal, tick: Decimal, side: Side) -> Decimal:
    """Return the nearest tick that crosses no further: down of a buy, up of a sell."""
    rounding = ROUND_FLOOR if side == "buy" else ROUND_CEILING
    return (price / tick).to_integral_value(rounding) * tick


@exact
def round_quantity(quantity: Decimal, lot: Decimal) -> Decimal:
    """Return the quantity in whole lots, rounded down; zero when it is less than one."""
    return (quantity / lot).to_integral_value(ROUND_FLOOR) * lot


@exact
def on_step(value: Decimal, step: Decimal) -> bool:
    """Return whether a value is a whole number of steps."""
    return value % step == 0


@exact
def notional(steps: Steps, quantity: Decimal, price: Decimal) -> Decimal:
    """Return what a quantity is worth in quote currency: the price matters of a linear contract only."""
    worth = quantity * steps.multiplier
    return worth if steps.inverse else worth * price


@exact
def quantity_of(steps: Steps, worth: Decimal, price: Decimal) -> Decimal:
    """Return the quantity in whole lots that is worth at most so much in quote currency."""
    unit = steps.multiplier if steps.inverse else steps.multiplier * price
    return round_quantity(worth / unit, steps.lot)

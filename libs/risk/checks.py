"""Checks before an order leaves. Each is a pure function that returns its denial, or None.

The order of CHECKS is the order in which they are asked; the first denial stands. A check that lacks what an earlier
one asks for passes: the earlier one has denied.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from libs.book.flags import CROSSED, HALTED, INVALID, MUTE, STALE
from libs.orders.decimals import EXACT, ZERO, exact
from libs.risk.denials import Denial
from libs.risk.limits import Limits
from libs.risk.rounding import notional, on_step
from libs.risk.views import AccountView, MarketView, Proposal

Check = Callable[[Proposal, MarketView, AccountView, Limits], Denial | None]
BPS = Decimal(10_000)


def duplicate_intent(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """An intent is acted on once."""
    return Denial.DUPLICATE_INTENT if account.seen else None


def kill_switch(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """Nothing leaves while the kill switch is on."""
    return Denial.KILL_SWITCH if account.kill_switch else None


def stale_signal(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """A signal is acted on while it is fresh; so a redelivered one is never acted on late."""
    return Denial.STALE_SIGNAL if market.signal_age_ms > limits.max_signal_age_ms else None


def unknown_instrument(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """Tick and lot are known."""
    return Denial.UNKNOWN_INSTRUMENT if market.steps is None else None


def instrument_changed(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """A position holds contracts of one multiplier."""
    if market.steps is None or account.held in (None, (market.steps.multiplier, market.steps.inverse)):
        return None
    return Denial.INSTRUMENT_CHANGED


def halted(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """The venue trades the instrument."""
    return Denial.HALTED if market.flags is not None and market.flags & HALTED else None


def invalid_book(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """The book was seen and is valid."""
    return Denial.INVALID_BOOK if market.flags is None or market.flags & INVALID else None


def crossed_book(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """The book is not crossed: no price in it can be believed."""
    return Denial.CROSSED_BOOK if market.flags is not None and market.flags & CROSSED else None


def stale_book(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """The channel is heard, and the book here is not behind the one that the signal saw."""
    if market.flags is None:
        return None
    behind = market.book_lag_ms > limits.max_book_lag_ms
    return Denial.STALE_BOOK if behind or market.flags & (STALE | MUTE) else None


def no_quote(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """There is something to trade against."""
    return None if market.has_quote or market.flags is None else Denial.NO_QUOTE


def no_rate(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """Limits are in USD, so the order's worth in USD is known."""
    return Denial.NO_RATE if market.usd_rate is None else None


def order_size(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """At least one lot, at most so many."""
    if order.quantity <= 0:
        return Denial.ORDER_SIZE
    if market.steps is None:
        return None
    most = EXACT.multiply(market.steps.lot, Decimal(limits.max_order_lots))
    return Denial.ORDER_SIZE if order.quantity > most else None


def off_lot(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """The quantity is a whole number of lots."""
    return None if market.steps is None or on_step(order.quantity, market.steps.lot) else Denial.OFF_LOT


def off_tick(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """The price is above zero and a whole number of ticks."""
    if market.steps is None:
        return None
    return None if order.price > 0 and on_step(order.price, market.steps.tick) else Denial.OFF_TICK


def order_usd(order: Proposal, market: MarketView) -> Decimal:
    """Return what an order is worth in USD; 0 where that cannot be said."""
    if market.steps is None or market.usd_rate is None:
        return ZERO
    return EXACT.multiply(notional(market.steps, order.quantity, order.price), market.usd_rate)


def order_notional(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """The order is worth at most so much."""
    return Denial.NOTIONAL if order_usd(order, market) > limits.max_order_notional_usd else None


@exact
def price_collar(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """The price is near the consolidated mid, either way.

    The reference is the NBBO's mid; where a symbol has no two-sided NBBO, the own book's.
    """
    if market.reference is None:
        return None if market.flags is None else Denial.PRICE_COLLAR
    away = abs(order.price - market.reference) * BPS
    return Denial.PRICE_COLLAR if away > limits.price_collar_bps * market.reference else None


def self_cross(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """The order does not trade with one of ours."""
    if order.side == "buy":
        crosses = account.own_ask is not None and order.price >= account.own_ask
    else:
        crosses = account.own_bid is not None and order.price <= account.own_bid
    return Denial.SELF_CROSS if crosses else None


@exact
def position_limit(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """The symbol's position stays within its limit even if every open order on that side fills; reducing is free."""
    worth = order_usd(order, market)
    if order.side == "buy":
        after = account.position_usd + account.open_buys_usd + worth
    else:
        after = account.open_sells_usd + worth - account.position_usd
    return Denial.POSITION_LIMIT if after > limits.max_position_usd else None


@exact
def gross_exposure(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """The sum of positions without signs stays within its limit; an order that only reduces one passes."""
    worth = order_usd(order, market)
    against = account.position_usd - account.open_sells_usd
    if order.side == "buy":
        against = -account.position_usd - account.open_buys_usd
    reduces = against >= worth
    return Denial.GROSS_EXPOSURE if not reduces and account.gross_usd + worth > limits.max_gross_usd else None


def open_orders(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """There are only so many open orders."""
    return Denial.OPEN_ORDERS if account.open_orders >= limits.max_open_orders else None


def order_rate(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """Only so many orders leave in any second."""
    return Denial.ORDER_RATE if account.orders_last_s >= limits.max_orders_per_s else None


def daily_loss(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """The day's loss is less than its limit."""
    return Denial.DAILY_LOSS if -account.pnl_today_usd >= limits.max_daily_loss_usd else None


def drawdown(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """The fall from the highest PnL is less than its limit."""
    fall = account.peak_pnl_usd - account.pnl_usd
    return Denial.DRAWDOWN if fall >= limits.max_drawdown_usd else None


CHECKS: tuple[Check, ...] = (
    duplicate_intent,
    kill_switch,
    stale_signal,
    unknown_instrument,
    instrument_changed,
    halted,
    invalid_book,
    crossed_book,
    stale_book,
    no_quote,
    no_rate,
    order_size,
    off_lot,
    off_tick,
    order_notional,
    price_collar,
    self_cross,
    position_limit,
    gross_exposure,
    open_orders,
    order_rate,
    daily_loss,
    drawdown,
)


def first_denial(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> Denial | None:
    """Return the first denial, or None: the order may leave."""
    for check in CHECKS:
        denial = check(order, market, account, limits)
        if denial is not None:
            return denial
    return None


def all_denials(order: Proposal, market: MarketView, account: AccountView, limits: Limits) -> list[Denial]:
    """Return every denial, for people and tests."""
    return [denial for check in CHECKS if (denial := check(order, market, account, limits)) is not None]

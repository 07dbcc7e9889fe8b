"""Every check: a case in which it alone denies, and the nearest one in which nothing does."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from libs.book.flags import BAD, CROSSED, DELISTED, HALTED, MUTE, NAMES, STALE, SUSPECT, TRADES_MISSED, TRUNCATED
from libs.risk.checks import CHECKS, all_denials, first_denial
from libs.risk.denials import Denial
from libs.risk.limits import Limits
from libs.risk.views import AccountView, MarketView, Proposal, Steps

D = Decimal
STEPS = Steps(tick=D("0.5"), lot=D("0.01"), multiplier=D(1), inverse=False)
ORDER = Proposal("i", "okx", "BTC-USDT", "buy", D("1"), D("100"))
MARKET = MarketView(STEPS, 0, True, D("100"), D(1), 0, 0)
ACCOUNT = AccountView()
LIMITS = Limits(
    max_signal_age_ms=500,
    max_book_lag_ms=1000,
    price_collar_bps=D(50),
    max_order_lots=1000,
    max_order_notional_usd=D(500),
    max_position_usd=D(1000),
    max_gross_usd=D(5000),
    max_open_orders=3,
    max_orders_per_s=10,
    max_daily_loss_usd=D(100),
    max_drawdown_usd=D(200),
)
SELL = {"side": "sell"}

# code, what changes in (order, market, account) to be denied, and to be just let through
CASES: list[tuple[Denial, dict[str, Any], dict[str, Any]]] = [
    (Denial.DUPLICATE_INTENT, {"seen": True}, {"seen": False}),
    (Denial.KILL_SWITCH, {"kill_switch": True}, {"kill_switch": False}),
    (Denial.STALE_SIGNAL, {"signal_age_ms": 501}, {"signal_age_ms": 500}),
    (Denial.UNKNOWN_INSTRUMENT, {"steps": None}, {}),
    (Denial.INSTRUMENT_CHANGED, {"held": (D(2), False)}, {"held": (D(1), False)}),
    (Denial.INSTRUMENT_CHANGED, {"held": (D(1), True)}, {"held": (D("1.0"), False)}),
    (Denial.HALTED, {"flags": HALTED}, {"flags": TRADES_MISSED}),
    (Denial.INVALID_BOOK, {"flags": None}, {"flags": 0}),
    (Denial.INVALID_BOOK, {"flags": SUSPECT}, {"flags": TRUNCATED}),
    (Denial.INVALID_BOOK, {"flags": BAD}, {"flags": TRUNCATED | TRADES_MISSED}),
    (Denial.INVALID_BOOK, {"flags": DELISTED}, {}),
    (Denial.CROSSED_BOOK, {"flags": CROSSED}, {}),
    (Denial.STALE_BOOK, {"flags": STALE}, {}),
    (Denial.STALE_BOOK, {"flags": MUTE}, {}),
    (Denial.STALE_BOOK, {"book_lag_ms": 1001}, {"book_lag_ms": 1000}),
    (Denial.NO_QUOTE, {"has_quote": False}, {"has_quote": True}),
    (Denial.NO_RATE, {"usd_rate": None}, {"usd_rate": D("0.9")}),
    (Denial.ORDER_SIZE, {"quantity": D(0)}, {"quantity": D("0.01")}),
    (Denial.ORDER_SIZE, {"quantity": D("10.01"), "usd_rate": D("0.1")}, {"quantity": D(10), "usd_rate": D("0.1")}),
    (Denial.OFF_LOT, {"quantity": D("1.005")}, {"quantity": D("1.01")}),
    (Denial.OFF_TICK, {"price": D("100.25")}, {"price": D("100.5")}),
    (Denial.OFF_TICK, {"price": D(0), "reference": D(0)}, {}),
    (Denial.NOTIONAL, {"quantity": D("5.01")}, {"quantity": D("5.00")}),
    (Denial.NOTIONAL, {"usd_rate": D("5.01")}, {"usd_rate": D(5)}),
    (Denial.PRICE_COLLAR, {"price": D(101)}, {"price": D("100.5")}),
    (Denial.PRICE_COLLAR, {"price": D(99)}, {"price": D("99.5")}),
    (Denial.PRICE_COLLAR, {"reference": None}, {}),
    (Denial.SELF_CROSS, {"own_ask": D(100)}, {"own_ask": D("100.5")}),
    (Denial.SELF_CROSS, {"own_bid": D(100), **SELL}, {"own_bid": D("99.5"), **SELL}),
    (Denial.POSITION_LIMIT, {"position_usd": D("900.01")}, {"position_usd": D(900)}),
    (Denial.POSITION_LIMIT, {"open_buys_usd": D("900.01")}, {"open_sells_usd": D("900.01")}),
    (Denial.POSITION_LIMIT, {"position_usd": D("-900.01"), **SELL}, {"position_usd": D("-900.01")}),
    (Denial.POSITION_LIMIT, {"position_usd": D("1000")}, {"position_usd": D("2000"), **SELL}),
    (Denial.GROSS_EXPOSURE, {"gross_usd": D("4900.01")}, {"gross_usd": D(4900)}),
    (
        Denial.GROSS_EXPOSURE,
        {"gross_usd": D(6000), "position_usd": D("-99")},
        {"gross_usd": D(6000), "position_usd": D("-100")},
    ),
    (
        Denial.GROSS_EXPOSURE,
        {"gross_usd": D(6000), "position_usd": D(200), "open_sells_usd": D(101), **SELL},
        {"gross_usd": D(6000), "position_usd": D(200), "open_sells_usd": D(100), **SELL},
    ),
    (Denial.OPEN_ORDERS, {"open_orders": 3}, {"open_orders": 2}),
    (Denial.ORDER_RATE, {"orders_last_s": 10}, {"orders_last_s": 9}),
    (Denial.DAILY_LOSS, {"pnl_today_usd": D(-100)}, {"pnl_today_usd": D("-99.99")}),
    (
        Denial.DRAWDOWN,
        {"peak_pnl_usd": D(150), "pnl_usd": D(-50)},
        {"peak_pnl_usd": D(150), "pnl_usd": D("-49.99")},
    ),
]


def views(changes: dict[str, Any]) -> tuple[Proposal, MarketView, AccountView, Limits]:
    """An order that may leave, with these changes."""

    def of(base: Any) -> Any:
        return replace(base, **{key: value for key, value in changes.items() if hasattr(base, key)})

    return of(ORDER), of(MARKET), of(ACCOUNT), LIMITS


@pytest.mark.parametrize(("code", "denied", "let_through"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)])
def test_each_check_denies_alone(code: Denial, denied: dict[str, Any], let_through: dict[str, Any]) -> None:
    """The case is denied by this check and no other; the near miss by none."""
    assert all_denials(*views(denied)) == [code]
    assert first_denial(*views(denied)) is code
    assert all_denials(*views(let_through)) == []


def test_every_check_has_a_case() -> None:
    """No check is without a case, and every code is a check's or the desk's own."""
    own = {Denial.MALFORMED_SIGNAL, Denial.JOURNAL}
    assert {code for code, _, _ in CASES} | own == set(Denial)
    assert len(CHECKS) == len(Denial) - len(own)


def test_the_first_denial_stands() -> None:
    """Where several checks deny, the earliest in their order is named."""
    everything = views({"seen": True, "kill_switch": True, "flags": None, "steps": None, "quantity": D(0)})
    assert first_denial(*everything) is Denial.DUPLICATE_INTENT
    assert first_denial(*views({"flags": None, "steps": None, "quantity": D(0)})) is Denial.UNKNOWN_INSTRUMENT


@pytest.mark.parametrize("flag", range(len(NAMES)))
def test_every_flag_is_decided_on(flag: int) -> None:
    """No flag of a book goes unseen but those that leave its prices right."""
    harmless = {"one_sided", "truncated", "trades_missed"}
    assert bool(all_denials(*views({"flags": 1 << flag}))) is (NAMES[flag] not in harmless)


def test_inverse_notional_has_no_price() -> None:
    """An inverse order is worth its size times its multiplier, whatever its price."""
    steps = Steps(D("0.5"), D(1), D(100), True)
    assert all_denials(*views({"steps": steps, "quantity": D(5), "price": D(100)})) == []
    assert all_denials(*views({"steps": steps, "quantity": D(6), "price": D(100)})) == [Denial.NOTIONAL]

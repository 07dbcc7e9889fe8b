"""Rate, losses, open orders and exposure: what the limits are measured on."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from libs.orders.decimals import ONE, ZERO
from libs.orders.events import Order
from libs.orders.positions import Positions
from libs.orders.states import State
from libs.risk.exposure import Exposure
from libs.risk.losses import DAY_NS, Losses
from libs.risk.rate import SECOND_NS, OrderRate
from libs.risk.working import Working

D = Decimal


@given(st.lists(st.integers(0, 3 * SECOND_NS), max_size=40).map(sorted), st.integers(1, 10))
def test_the_rate_counts_one_second(times: list[int], limit: int) -> None:
    """The window holds the orders of the last second, or as many as the limit asks for."""
    rate = OrderRate(limit)
    for i, now in enumerate(times):
        inside = sum(now - SECOND_NS < then <= now for then in times[:i])
        assert rate.last_second(now) == min(inside, limit)
        rate.note(now)


def test_losses_are_measured_from_midnight_and_from_the_peak() -> None:
    """A new day forgets yesterday's loss, not the peak; a reset forgets the peak."""
    losses = Losses()
    for pnl, now in ((D(0), 0), (D(50), 1), (D(-30), 2)):
        losses.note(pnl, now)
    assert losses.today(D(-30)) == -30
    assert losses.marks.peak_usd == 50
    assert losses.note(D(-40), DAY_NS + 1)
    assert losses.today(D(-45)) == -5
    assert losses.marks.peak_usd == 50
    again = Losses(losses.marks)
    assert not again.note(D(-45), DAY_NS + 2)
    assert (again.today(D(-45)), again.marks.peak_usd) == (-5, 50)
    again.reset_peak(D(-45))
    assert again.marks.peak_usd == -45


def an_order(name: str, side: str, price: int, exchange: str = "okx") -> Order:
    """An order of ten."""
    return Order(name, name, exchange, "A-USDT", side, D(10), D(price), ONE, False, "gtc", 0, 0)  # type: ignore[arg-type]


def test_open_orders_count_with_what_is_left_of_them() -> None:
    """The worth of an open order shrinks as it fills and goes with its end; best prices are those of the exchange."""
    working = Working()
    buy, sell, other = an_order("b", "buy", 9), an_order("s", "sell", 11), an_order("o", "buy", 10, "bybit")
    for order in (buy, sell, other):
        working.update(order, D(100))
    assert working.of_symbol("A-USDT") == (200, 100)
    assert working.best("okx", "A-USDT") == (9, 11)
    buy.filled, buy.state = D(4), State.PARTIALLY_FILLED
    working.update(buy)
    assert (working.of_symbol("A-USDT"), working.total) == ((160, 100), 260)
    for order in (buy, sell, other):
        order.state = State.EXPIRED
        working.update(order)
    assert (working.of_symbol("A-USDT"), working.total) == ((0, 0), 0)
    assert working.best("okx", "A-USDT") == (None, None)


class Quotes:
    """Prices that a test sets."""

    def __init__(self) -> None:
        self.marks: dict[str, Decimal] = {}
        self.rates = {"USDT": ONE, "USD": ONE}

    def mark(self, exchange: str, symbol: str) -> Decimal | None:
        """The price of a symbol."""
        return self.marks.get(symbol)

    def settlement_rate(self, exchange: str, symbol: str, inverse: bool) -> Decimal | None:
        """The rate of its settlement."""
        return self.marks.get(symbol) if inverse else self.rates.get(symbol.split("-")[1])

    def notional_rate(self, symbol: str) -> Decimal | None:
        """The rate of its quote currency."""
        return self.rates.get(symbol.split("-")[1])


def test_exposure_adds_up_over_contracts() -> None:
    """Linear and inverse positions have their worth and PnL in USD; totals follow every revaluation."""
    positions, quotes = Positions(), Quotes()
    exposure = Exposure(positions, quotes)
    positions.apply("okx", "A-USDT", D(2), D(100), D("0.5"), ONE, False)
    positions.apply("okx", "B-USD-PERP", D(-10), D(50), ZERO, D(10), True)
    exposure.revalue_all()
    assert (exposure.gross, exposure.total.notional, exposure.total.pnl) == (300, 100, D("-0.5"))
    quotes.marks = {"A-USDT": D(110), "B-USD-PERP": D(40)}
    exposure.revalue_all()
    assert (exposure.gross, exposure.total.notional) == (320, 120)
    # 20 of the linear one; 100 USD short from 50 to 40 is 0.5 of base at 40.
    assert exposure.total.unrealised == 40
    assert exposure.by_symbol == {"A-USDT": 220, "B-USD-PERP": -100}
    positions.apply("okx", "A-USDT", D(-2), D(110), ZERO, ONE, False)
    for _ in range(2):
        exposure.revalue_some(5)
    assert (exposure.gross, exposure.total.realised, exposure.total.unrealised) == (100, 20, 20)


def test_a_currency_without_a_rate_is_said() -> None:
    """A position whose currency has no value in USD is named, and valued once it has one."""
    positions, quotes = Positions(), Quotes()
    exposure = Exposure(positions, quotes)
    positions.apply("okx", "A-XYZ", D(2), D(100), ZERO, ONE, False)
    exposure.revalue_all()
    assert (exposure.gross, exposure.unvalued) == (0, {("okx", "A-XYZ")})
    quotes.rates["XYZ"] = D(3)
    exposure.revalue_all()
    assert (exposure.gross, exposure.unvalued) == (600, set())

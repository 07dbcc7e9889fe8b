"""The rules of the paper venue, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from libs.book.flags import BAD, CROSSED, GAP, HALTED, MUTE, NO_SNAPSHOT, STALE, TRUNCATED
from libs.execution.fees import FREE, Fees
from libs.execution.market import Market
from libs.execution.paper import PaperVenue
from libs.orders.decimals import ONE
from libs.orders.events import Changed, Event, Filled, Order
from libs.orders.states import State
from tests.oracles.shown import SESSION, book_row, status_row

D = Decimal
LATENCY_US = 5_000
START_US = 1_000_000
DUE_US = START_US + LATENCY_US
NOBODY = np.zeros(0, np.int64)


class Bench:
    """A paper venue, the market it looks at, and its log."""

    def __init__(self, fees: Fees = FREE, log: Sequence[bytes] = ()) -> None:
        self.market = Market(8, 4)
        self.log = list(log)
        latency = dict.fromkeys(("binance", "bybit", "coinbase", "okx", "deribit"), LATENCY_US)
        self.venue = PaperVenue(self.market, fees, latency, self.log.extend, self.log[:])
        self.show()

    def show(self, *rows: np.ndarray, **changes: Any) -> list[Event]:
        """Show rows, or one of the default book, and let the venue act."""
        changed = self.market.take_books(
            np.concatenate(rows) if rows else book_row(**({"feed_us": START_US} | changes))
        )
        return self.venue.advance(changed, 9)

    def status(self, row: np.ndarray) -> list[Event]:
        """Show a status row, and let the venue act."""
        self.market.take_status(row)
        return self.venue.advance(NOBODY, 9)

    def order(
        self, name: str = "a", side: str = "buy", quantity: str = "3", price: str = "101", **changes: Any
    ) -> list:
        """Hand over an order made at START_US."""
        values: dict[str, Any] = {"time_in_force": "ioc", "feed_ts_us": START_US, "session": SESSION} | changes
        what: Any = (name, name, "okx", "BTC-USDT", side, D(quantity), D(price), ONE, False)
        return self.venue.submit(Order(*what, created_ts_ns=1, **values), 8)


def fills(events: list[Event]) -> list[tuple[str, Decimal, Decimal]]:
    """Whose, how much and at what price."""
    return [(event.client_order_id, event.quantity, event.price) for event in events if isinstance(event, Filled)]


def ends(events: list[Event]) -> list[tuple[str, State]]:
    """Who came to an end without being filled, and how."""
    return [(event.client_order_id, event.state) for event in events if isinstance(event, Changed)]


def test_an_order_is_acknowledged_at_once_and_filled_later() -> None:
    """The venue has the order when submit returns; nothing fills before feed time plus latency."""
    bench = Bench()
    assert bench.order() == [Changed("a", State.ACKNOWLEDGED, 8)]
    assert bench.show(feed_us=DUE_US - 1) == []
    assert fills(bench.show(feed_us=DUE_US)) == [("a", D(3), D(101))]
    assert bench.venue.statement().open_orders == frozenset()


def test_fills_meet_the_levels_shown_on_arrival() -> None:
    """What was shown when the order left is gone when it arrives: it meets the new levels."""
    bench = Bench()
    bench.order(price="103")
    events = bench.show(asks=[("102", "1"), ("103", "9")], feed_us=DUE_US + 1)
    assert fills(events) == [("a", D(1), D(102)), ("a", D(2), D(103))]
    assert [event.feed_ts_us for event in events] == [DUE_US + 1] * 2  # type: ignore[union-attr]


def test_a_quiet_book_fills_once_its_channel_has_gone_on() -> None:
    """A book that does not change is in force still when another of its channel shows a later feed time."""
    bench = Bench()
    bench.order()
    assert bench.show(book_row(2, symbol="ETH-USDT", exchange="bybit", feed_us=DUE_US)) == []
    events = bench.show(book_row(3, symbol="ETH-USDT", feed_us=DUE_US))
    assert fills(events) == [("a", D(3), D(101))]
    assert events[0].feed_ts_us == DUE_US  # type: ignore[union-attr]


def test_an_ioc_order_expires_with_what_did_not_fill() -> None:
    """Levels beyond the limit are not touched; the rest of an ioc order expires on arrival."""
    bench = Bench()
    bench.order(quantity="8")
    events = bench.show(feed_us=DUE_US)
    assert fills(events) == [("a", D(5), D(101))]
    assert ends(events) == [("a", State.EXPIRED)]


def test_sells_meet_the_bids() -> None:
    """A sell walks down the bids to its limit."""
    bench = Bench()
    bench.order(side="sell", quantity="20", price="98")
    assert fills(bench.show(feed_us=DUE_US)) == [("a", D(5), D(99)), ("a", D(7), D(98))]


def test_a_level_gives_its_size_once() -> None:
    """A second order finds only what the first left of a level, as long as the level does not change."""
    bench = Bench()
    bench.order("a", quantity="3")
    bench.order("b", quantity="3")
    assert fills(bench.show(feed_us=DUE_US)) == [("a", D(3), D(101)), ("b", D(2), D(101))]
    bench.order("c", feed_ts_us=DUE_US)
    assert fills(bench.show(feed_us=DUE_US + LATENCY_US)) == []


@pytest.mark.parametrize(
    ("asks", "left"),
    [
        ([("101", "5"), ("102", "8")], None),
        ([("101", "6"), ("102", "7")], "6"),
        ([("101", "4"), ("102", "7")], "4"),
        ([("102", "7")], None),
    ],
)
def test_a_level_that_changed_is_new(asks: list[tuple[str, str]], left: str | None) -> None:
    """A change of a level's size gives it all anew, a change of its neighbours does not."""
    bench = Bench()
    bench.order("a", quantity="5")
    bench.show(feed_us=DUE_US)
    bench.show(asks=asks, feed_us=DUE_US + 1)
    bench.order("b", quantity="9", feed_ts_us=DUE_US)
    events = bench.show(asks=asks, feed_us=DUE_US + LATENCY_US)
    assert fills(events) == ([("b", D(left), D(101))] if left else [])


def test_a_level_that_went_and_came_back_is_new() -> None:
    """A level that was gone for one event gives its size anew, though it is the same as before."""
    bench = Bench()
    bench.order("a", quantity="5")
    bench.show(feed_us=DUE_US)
    bench.show(asks=[("102", "7")], feed_us=DUE_US + 1)
    bench.show(feed_us=DUE_US + 2)
    bench.order("b", quantity="5", feed_ts_us=DUE_US)
    assert fills(bench.show(feed_us=DUE_US + LATENCY_US)) == [("b", D(5), D(101))]


def test_a_level_beyond_those_shown_stays_taken() -> None:
    """A level pushed out of the top 20 and back did not change as far as anybody can say."""
    bench = Bench()
    bench.order("a", quantity="5")
    bench.show(feed_us=DUE_US)
    better = [(str(D("100") + D(i) / 100), "1") for i in range(20)]
    bench.show(asks=better, feed_us=DUE_US + 1)
    bench.show(feed_us=DUE_US + 2)
    bench.order("b", quantity="5", feed_ts_us=DUE_US)
    assert fills(bench.show(feed_us=DUE_US + LATENCY_US)) == []


@pytest.mark.parametrize("flag", [BAD, GAP, NO_SNAPSHOT, MUTE, STALE, HALTED, CROSSED])
def test_nothing_fills_on_a_book_that_cannot_be_trusted(flag: int) -> None:
    """On an invalid, mute, stale, halted or crossed book an ioc order expires, and a resting one waits."""
    bench = Bench()
    bench.order("a")
    bench.order("b", time_in_force="gtc")
    events = bench.show(flags=flag, feed_us=DUE_US)
    assert fills(events) == []
    assert ends(events) == [("a", State.EXPIRED)]
    assert fills(bench.show(flags=TRUNCATED, feed_us=DUE_US + 1)) == [("b", D(3), D(101))]


def test_a_book_never_seen_fills_nothing() -> None:
    """An order in a symbol without a book expires when its time has come."""
    bench = Bench()
    order = Order("x", "x", "okx", "NEW-USDT", "buy", ONE, ONE, ONE, False, "ioc", START_US, 1, session=SESSION)
    bench.venue.submit(order, 8)
    assert ends(bench.show(feed_us=DUE_US)) == [("x", State.EXPIRED)]


def test_a_gtc_order_rests_and_trades_at_its_own_price() -> None:
    """What stays in the book fills as a maker, at its limit, when the other side comes to it."""
    bench = Bench(Fees())
    bench.order(price="100", time_in_force="gtc")
    assert bench.show(feed_us=DUE_US) == []
    events = bench.show(asks=[("99.5", "2"), ("101", "5")], bids=[("99", "1")], feed_us=DUE_US + 1)
    assert fills(events) == [("a", D(2), D(100))]
    assert (events[0].liquidity, events[0].fee) == ("maker", D("0.16"))  # type: ignore[union-attr]
    assert bench.show(asks=[("99.5", "2")], feed_us=DUE_US + 2) == []
    assert fills(bench.show(asks=[("99.5", "3")], feed_us=DUE_US + 3)) == [("a", D(1), D(100))]


def test_a_gtd_order_expires_by_feed_time() -> None:
    """It stays until the channel shows the feed time at which it expires."""
    bench = Bench()
    bench.order(price="100", time_in_force="gtd", expires_feed_us=DUE_US + 50)
    assert bench.show(feed_us=DUE_US) == []
    assert bench.show(feed_us=DUE_US + 49) == []
    assert ends(bench.show(feed_us=DUE_US + 50)) == [("a", State.EXPIRED)]
    assert bench.show(feed_us=DUE_US + 60) == []


def test_fees_are_those_of_the_venue() -> None:
    """A taker pays the venue's taker fee of a fill's worth: quote of linear contracts, base of inverse ones."""
    bench = Bench(Fees())
    bench.order(quantity="2")
    assert bench.show(feed_us=DUE_US)[0].fee == D("0.202")  # type: ignore[union-attr]
    order = Order("i", "i", "okx", "BTC-USDT", "buy", D(2), D(101), D(100), True, "ioc", DUE_US, 1, session=SESSION)
    bench.venue.submit(order, 8)
    fee = bench.show(feed_us=DUE_US + LATENCY_US)[0].fee  # type: ignore[union-attr]
    assert fee.quantize(D("1e-20")) == (D(200) / D(101) * D("0.001")).quantize(D("1e-20"))


def test_a_cancelled_order_never_fills() -> None:
    """Cancelling works before arrival and in the book; of an order that is gone it does nothing."""
    bench = Bench()
    bench.order("a")
    assert ends(bench.venue.cancel("a", 9, "why")) == [("a", State.CANCELLED)]
    assert bench.venue.cancel("a", 9, "why") == []
    bench.order("b", price="100", time_in_force="gtc")
    bench.show(feed_us=DUE_US)
    bench.venue.cancel("b", 9, "why")
    assert bench.show(asks=[("99.5", "9")], feed_us=DUE_US + 1) == []


def test_a_client_order_id_is_taken_once() -> None:
    """The same id again makes no second order, open or ended: the answer is the first one's history."""
    bench = Bench()
    bench.order()
    bench.order()
    events = bench.show(feed_us=DUE_US)
    assert fills(events) == [("a", D(3), D(101))]
    assert bench.order() == [Changed("a", State.ACKNOWLEDGED, 8), *events]
    assert bench.show(feed_us=DUE_US + 2 * LATENCY_US) == []


def test_the_end_of_a_session_lets_ioc_orders_expire() -> None:
    """Nothing later will be shown: what waited for a later feed time arrives at a book that is not valid any more."""
    bench = Bench()
    bench.order("a")
    bench.order("g", time_in_force="gtc", price="90")
    bench.market.take_status(status_row("invalid", flags=NO_SNAPSHOT, ts_ns=2**60))
    assert ends(bench.status(status_row("session_end", 0xFFFFFFFF))) == [("a", State.EXPIRED)]
    assert ends(bench.status(status_row("session", 0xFFFFFFFF, session=SESSION + 1))) == [("g", State.EXPIRED)]


def test_feed_time_that_begins_anew_fills_nothing_of_before() -> None:
    """An order of an older session expires when a newer one shows itself, by whichever stream."""
    bench = Bench()
    bench.order()
    events = bench.show(session=SESSION + 1, feed_us=DUE_US)
    assert (fills(events), ends(events)) == ([], [("a", State.EXPIRED)])


def test_the_log_is_written_first_and_rebuilds_the_venue() -> None:
    """A venue made from the log has the same orders, account and ids, and goes on where the other stopped."""
    bench = Bench()
    bench.order("a")
    bench.order("b", price="100", time_in_force="gtc")
    bench.show(feed_us=DUE_US)
    bench.order("c", feed_ts_us=DUE_US)
    again = Bench(log=bench.log)
    assert again.venue.statement() == bench.venue.statement()
    assert again.venue.history("a") == bench.venue.history("a")
    assert again.venue.history("nobody") == []
    events = again.show(asks=[("99.5", "9")], bids=[], feed_us=DUE_US + LATENCY_US)
    assert sorted(fills(events)) == [("b", D(3), D(100)), ("c", D(3), D("99.5"))]


def test_nobody_hears_of_what_is_not_in_the_log() -> None:
    """When the log cannot be written the order does not exist."""
    bench = Bench()

    def full(_: Sequence[bytes]) -> None:
        raise OSError("full")

    bench.venue._write = full
    with pytest.raises(OSError, match="full"):
        bench.order()
    assert bench.venue.statement().open_orders == frozenset()


def test_an_order_is_accepted_and_acknowledged_in_one_write() -> None:
    """Whatever part of the log a crash leaves, no order is open that nobody heard of."""
    bench = Bench()
    bench.order("a")
    assert len(bench.log) == 1
    again = Bench(log=bench.log)
    assert [event.state for event in again.venue.history("a")] == [State.ACKNOWLEDGED]  # type: ignore[union-attr]

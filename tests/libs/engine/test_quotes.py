"""Rows of consolidated quotes and of arbitrage opportunities, as the book thread leaves them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from libs.book import flags
from libs.engine import columns, report
from libs.engine.books import change_flags
from libs.engine.control import tick
from libs.engine.outputs import ARBITRAGE_QUEUE, ARBITRAGES, Q_DROPPED, Q_HEAD, Q_TAIL
from libs.engine.state import bind_families
from libs.nbbo import families
from libs.nbbo.arbitrage import PHASES
from libs.nbbo.states import EXCLUSIONS, STATES
from libs.streams.schemas import ARBITRAGE
from tests.libs.engine.harness import LAST, SNAPSHOT, Feed, Host


class Crossing:
    """Two exchanges with a book of each symbol: bids at 99.99 and asks at 100.01."""

    def __init__(self, *symbols: str, **sizes: int) -> None:
        self.host, self.feeds = Host(**sizes), (Feed(0), Feed(1))
        self.host.engine.arrays["taker_fees_bps"][:] = [[10, 20, 0, 0, 0, 0, 0, 0], [1, 2, 0, 0, 0, 0, 0, 0]]
        if sizes.get("max_families"):
            self.host.engine.arrays["process_settings"][columns.JOINED] = 1
            families.configure(bind_families(self.host.engine.arrays), [("USDT", "USDC")])
        for feed in self.feeds:
            self.host.take(feed.heartbeat(1))
            for symbol in symbols:
                self.host.take(feed.instrument(symbol))
                self.top(feed.exchange, 9_999, 10_001, symbol=symbol)

    def top(self, exchange: int, bid: int, ask: int, size: int = 50, symbol: str = "BTC-USDT") -> None:
        """Give an exchange one level a side."""
        self.host.take(self.feeds[exchange].book(SNAPSHOT | LAST, [(bid, size)], [(ask, size)], symbol))

    def told(self) -> list[Any]:
        """Return every row of an opportunity so far."""
        arrays = self.host.engine.arrays
        n = int(arrays["out_controls"][ARBITRAGES, Q_HEAD])
        return list(arrays["out_arbitrages"][:n].view(ARBITRAGE)[:, 0])

    def state(self) -> str:
        """Return the state of the first symbol's quote."""
        return STATES[int(self.host.row("nbbo")["state"])]


def test_an_opportunity_is_told_from_begin_to_end() -> None:
    """A cross opens a row with edges, sizes and exchanges; its end closes it with how long it lasted."""
    market = Crossing("BTC-USDT")
    market.top(1, 10_010, 10_020, size=70)
    began = market.feeds[1].now_us
    market.feeds[0].now_us = began + 300
    market.top(0, 9_999, 10_011, size=20)
    opened, closed = market.told()
    assert [PHASES[row["phase"]] for row in (opened, closed)] == ["opened", "closed"]
    for row in (opened, closed):
        assert (row["symbol"], row["symbol_id"], row["price_exponent"]) == (b"BTC-USDT", 0, -2)
        assert (row["bid_exchange"], row["ask_exchange"]) == (1, 0)
        assert (row["bid_exchanges"], row["ask_exchanges"]) == (0b10, 0b01)
        assert (row["bid_price"], row["ask_price"]) == (10_010, 10_001)
        assert (row["size"], row["route_size"]) == (0.05, 0.05)
        assert row["gross"] == 0.09
        assert row["net"] == pytest.approx(0.09 - (100.10 * 20 + 100.01 * 10) / 10_000)
        assert row["gross_bps"] == pytest.approx(10_000 * 0.09 / 100.055)
        assert STATES[row["state"]] == "crossed_uncertain"
        assert row["begin_ts_us"] == row["best_ts_us"] == began
        assert (row["quotes"], row["bid_quote"], row["ask_quote"]) == (0, 0, 0)
    assert (opened["feed_ts_us"], opened["duration_us"]) == (began, 0)
    assert (closed["feed_ts_us"], closed["duration_us"]) == (began + 310, 310)
    assert STATES[closed["ended_by"]] == "normal"
    assert closed["sent_ts_us"] == began + 310
    assert report.nbbo_report(market.host.engine.arrays)["arbitrage"] == {"opened": 1, "real": 0, "closed": 1}


def test_a_derivative_pays_its_own_fees() -> None:
    """What has more than base and quote in its symbol is charged as a derivative."""
    market = Crossing("BTC-USDT-PERP")
    market.top(1, 10_010, 10_020, symbol="BTC-USDT-PERP")
    (opened,) = market.told()
    assert opened["net"] == pytest.approx(0.09 - (100.10 * 2 + 100.01 * 1) / 10_000)


def test_a_cross_ages_with_the_watermarks_of_both_channels() -> None:
    """Without another event of the symbol it becomes real once both channels are known 5 ms further."""
    market = Crossing("BTC-USDT")
    market.top(1, 10_010, 10_020)
    for feed in market.feeds:
        assert market.state() == "crossed_uncertain"
        feed.now_us = market.feeds[1].now_us + 6_000 * (1 - feed.exchange)
        market.host.take(feed.heartbeat())
        tick(market.host.directory, market.host.now)
    assert market.state() == "crossed_uncertain"
    market.feeds[1].now_us += 6_000
    market.host.take(market.feeds[1].heartbeat())
    tick(market.host.directory, market.host.now)
    assert market.state() == "crossed_real"
    assert [PHASES[row["phase"]] for row in market.told()] == ["opened", "real"]
    assert market.told()[1]["duration_us"] >= 5_000


def test_a_full_queue_drops_and_counts() -> None:
    """Rows that nobody takes are bounded; the opportunity itself goes on."""
    market = Crossing("BTC-USDT")
    control = market.host.engine.arrays["out_controls"][ARBITRAGES]
    control[Q_HEAD] = ARBITRAGE_QUEUE
    market.top(1, 10_010, 10_020)
    assert (control[Q_HEAD], control[Q_DROPPED]) == (ARBITRAGE_QUEUE, 1)
    assert report.output_drops(market.host.engine.arrays)["arbitrage"] == 1
    control[Q_TAIL] = ARBITRAGE_QUEUE
    market.top(1, 9_999, 10_020)
    assert control[Q_HEAD] == ARBITRAGE_QUEUE + 1


def test_an_exchange_that_goes_stale_ends_it_and_says_why() -> None:
    """Left out by its flag, the quote is no longer crossed."""
    market = Crossing("BTC-USDT")
    market.top(1, 10_010, 10_020)
    change_flags(market.host.directory, market.host.id_of(exchange=1), flags.STALE, 0, False, 0, 0, 0)
    assert [PHASES[row["phase"]] for row in market.told()] == ["opened", "closed"]
    assert EXCLUSIONS[market.host.row("nbbo")["excluded"][1]] == "stale"
    found = report.nbbo_report(market.host.engine.arrays)
    assert found["excluded"]["stale"] == 1
    assert found["states"]["normal"] == 1
    assert sum(found["state_us"].values()) > 0


def test_a_symbol_that_nobody_sends_is_in_no_state() -> None:
    """A report counts symbols and books that the feed has spoken of, not those that are only configured."""
    market = Crossing("BTC-USDT", "ETH-USDT")
    arrays = market.host.engine.arrays
    books = [market.host.id_of("ETH-USDT", exchange=exchange) for exchange in (0, 1)]
    for book in books:
        change_flags(market.host.directory, book, flags.STALE, 0, False, 0, 0, 0)
    before = report.nbbo_report(arrays)
    assert (sum(before["states"].values()), before["excluded"]["stale"]) == (2, 2)
    arrays["heard"][books] = 0
    after = report.nbbo_report(arrays)
    assert (sum(after["states"].values()), after["excluded"]["stale"]) == (1, 0)


def test_an_update_touches_only_its_symbol() -> None:
    """State, record and time of every other symbol stay as they were."""
    symbols = [f"S{k}-USDT" for k in range(6)]
    market = Crossing(*symbols)
    arrays = market.host.engine.arrays
    names = [name for name in arrays if name.startswith(("nbbo_", "arbitrage_"))] + ["out_nbbo", "out_nbbo_version"]
    mine = int(arrays["table_book_symbol"][market.host.id_of("S3-USDT")])
    before = {name: np.array(arrays[name][: len(symbols)]) for name in names}
    market.top(1, 10_010, 10_020, symbol="S3-USDT")
    others = [k for k in range(len(symbols)) if k != mine]
    for name in names:
        assert np.array_equal(arrays[name][others], before[name][others], equal_nan=arrays[name].dtype.kind == "f"), (
            name
        )
    assert arrays["nbbo_bid_price"][mine] == 10_010


def test_currencies_are_apart_unless_joined() -> None:
    """BTC-USDT and BTC-USDC have a row each and never cross each other."""
    market = Crossing("BTC-USDT", "BTC-USDC")
    market.top(0, 10_010, 10_020, symbol="BTC-USDC")
    market.top(1, 10_010, 10_020, symbol="BTC-USDC")
    assert {bytes(market.host.row("nbbo", k)["symbol"]) for k in range(2)} == {b"BTC-USDT", b"BTC-USDC"}
    assert {bytes(row["symbol"]) for row in market.told()} == {b"BTC-USDC"}


def test_joined_currencies_have_a_row_more_that_says_so() -> None:
    """The family's row stands after the symbols', names its currencies, and crosses where no symbol alone does."""
    market = Crossing("BTC-USDT", "BTC-USDC", max_families=2)
    family = 8
    row = market.host.row("nbbo", family)
    assert (row["symbol"], row["symbol_id"], row["quotes"]) == (b"BTC-USDT+USDC", family, 0b11)
    assert (row["bid_exchanges"], row["bid_size"]) == (0b11, 0.2)
    for exchange in range(2):
        market.top(exchange, 10_000, 10_020, size=10 + exchange, symbol="BTC-USDC")
    market.top(0, 9_990, 9_998)
    row = market.host.row("nbbo", family)
    assert (row["bid_exchange"], row["bid_quote"], row["bid_exchanges"]) == (1, 1, 0b11)
    assert (row["ask_exchange"], row["ask_quote"], row["ask_exchanges"]) == (0, 0, 0b01)
    assert STATES[row["state"]] == "crossed_uncertain"
    told = [r for r in market.told() if r["symbol"] == b"BTC-USDT+USDC"]
    assert (told[-1]["bid_quote"], told[-1]["ask_quote"], told[-1]["quotes"]) == (1, 0, 0b11)
    own = [market.host.row("nbbo", k) for k in range(2)]
    assert [bool(r["quotes"]) for r in own] == [False, False]
    assert {bytes(r["symbol"]) for r in own} == {b"BTC-USDT", b"BTC-USDC"}


def test_a_family_leaves_out_an_exchange_only_where_all_of_its_books_are() -> None:
    """The reason of an exchange is that of its first book, unless another of its books is taken in."""
    market = Crossing("BTC-USDT", "BTC-USDC", max_families=2)
    for symbol, code in (("BTC-USDT", 3), ("BTC-USDC", 3)):
        market.host.take(market.feeds[1].status(code, symbol))
        row = market.host.row("nbbo", 8)
        expected = "taken_in" if symbol == "BTC-USDT" else "halted"
        assert EXCLUSIONS[row["excluded"][1]] == expected
    assert EXCLUSIONS[row["excluded"][2]] == "not_listed"
    assert row["bid_exchanges"] == 0b01

"""The market as the streams show it."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from libs.book.flags import HALTED, SUSPECT
from libs.execution.market import END_OF_TIME_US, Market
from libs.execution.router import route
from libs.risk.views import Steps
from libs.streams.shards import Shard
from tests.oracles.shown import SESSION, book_row, nbbo_row, status_row

CHANNEL = 0xFFFFFFFF


def new() -> Market:
    """A small market."""
    return Market(8, 4)


def test_the_last_row_of_a_batch_stands() -> None:
    """Of several rows of one book the last is kept; ids that changed are named once."""
    market = new()
    rows = np.concatenate(
        [book_row(feed_us=1), book_row(2, symbol="ETH-USDT", feed_us=2), book_row(bids=[("97.5", "1")], feed_us=3)]
    )
    assert sorted(market.take_books(rows).tolist()) == [1, 2]
    assert market.levels(1, "buy") == [(Decimal("97.5"), Decimal(1))]
    assert market.best(1, "sell") == 101
    assert market.mid(2) == 100
    assert (market.book_id("okx", "ETH-USDT"), market.key(1)) == (2, ("okx", "BTC-USDT"))
    assert market.book_id("bybit", "ETH-USDT") == -1
    assert market.feed_us[0, 3] == 3


def test_ids_beyond_the_arrays_are_counted() -> None:
    """A book or symbol id beyond what is configured is left out and counted."""
    market = new()
    assert not len(market.take_books(book_row(8)))
    market.take_nbbo(nbbo_row(symbol_id=4))
    market.take_status(status_row("invalid", 8))
    assert market.overflow == 3


def test_flags_come_from_whichever_stream_is_newer() -> None:
    """A status row overrules an older book row and not a newer one, in whatever order they are read."""
    market = new()
    market.take_books(book_row(feed_us=10))
    market.take_status(status_row("invalid", flags=SUSPECT, ts_ns=11_000))
    assert (market.flags(1), market.books["valid"][1]) == (SUSPECT, 0)
    market.take_books(book_row(feed_us=10, ts_ns=10_500))
    assert market.flags(1) == SUSPECT
    market.take_books(book_row(feed_us=12))
    assert market.flags(1) == 0
    market.take_status(status_row("flags", flags=HALTED, ts_ns=11_500))
    assert market.flags(1) == 0
    market.take_books(book_row(feed_us=9))
    assert market.books["feed_ts_us"][1] == 12


def test_instruments_come_with_status_rows() -> None:
    """Tick, lot, multiplier and kind of an instrument are exact decimals, the latest ones."""
    market = new()
    market.take_status(status_row("instrument", multiplier="10", inverse=True))
    assert market.steps["okx", "BTC-USDT"] == Steps(Decimal("0.5"), Decimal("0.01"), Decimal(10), True)
    market.take_status(status_row("valid", lot="0.1"))
    assert market.steps["okx", "BTC-USDT"].lot == Decimal("0.1")
    market.take_status(status_row("flags", tick="0"))
    assert market.steps["okx", "BTC-USDT"].tick == Decimal("0.5")


def test_sessions_set_the_clock() -> None:
    """After a session's end nothing later comes; the next one begins feed time anew; old news changes nothing."""
    market = new()
    market.take_books(book_row(feed_us=500))
    market.take_status(status_row("session_end", CHANNEL))
    assert market.feed_us[0, 3] == END_OF_TIME_US
    market.take_status(status_row("session", CHANNEL, session=SESSION))
    assert market.feed_us[0, 3] == END_OF_TIME_US
    market.take_status(status_row("session", CHANNEL, session=SESSION + 1))
    assert (market.feed_us[0, 3], market.session_of("okx")) == (0, SESSION + 1)
    market.take_status(status_row("session_end", CHANNEL, session=SESSION))
    assert market.feed_us[0, 3] == 0


def test_a_break_of_the_stream_is_of_no_exchange() -> None:
    """The record that says that rows were dropped changes nothing."""
    market = new()
    market.take_books(book_row(0))
    row = status_row("break", CHANNEL, ts_ns=2**60, session=0)
    row["exchange"] = 255
    market.take_status(row)
    assert (market.flags(0), market.feed_us[0, 3]) == (0, 1_000_000)


def test_another_run_forgets_everything() -> None:
    """Ids of one run of the consumer say nothing in the next."""
    market = new()
    market.take_books(book_row())
    market.take_nbbo(nbbo_row())
    market.take_status(status_row("instrument"))
    market.begin_run("2")
    assert (market.book_id("okx", "BTC-USDT"), market.nbbo_mid("BTC-USDT"), market.steps) == (-1, None, {})
    assert (market.flags(-1), market.feed_us.max(), market.session.max()) == (None, 0, 0)
    market.take_books(book_row(1, symbol="ETH-USDT", feed_us=1))
    assert market.key(1) == ("okx", "ETH-USDT")


def test_rates_come_from_the_consolidated_quote() -> None:
    """Dollars are worth one, other currencies the mid of their quote, an inverse contract's base its own mark."""
    market = new()
    market.take_nbbo(nbbo_row("ETH-USDT", "2999", "3001", symbol_id=2))
    assert market.usd_rate("USDC") == 1
    assert market.notional_rate("LINK-ETH") == 3000
    assert market.notional_rate("LINK-BTC") is None
    assert market.notional_rate("odd") is None
    market.take_books(book_row(symbol="BTC-USD-PERP"))
    assert market.settlement_rate("okx", "BTC-USD-PERP", True) == 100
    assert market.settlement_rate("okx", "BTC-USDT-PERP", False) == 1
    market.take_nbbo(nbbo_row("ETH-USDT", None, "3001", symbol_id=2))
    assert market.usd_rate("ETH") is None


def test_a_mark_falls_back_to_the_consolidated_quote() -> None:
    """A position is marked at its own book's mid, at the consolidated one where that book has not two sides."""
    market = new()
    market.take_nbbo(nbbo_row(bid="97", ask="99"))
    market.take_books(book_row(asks=[]))
    assert market.mark("okx", "BTC-USDT") == 98
    market.take_books(book_row())
    assert market.mark("okx", "BTC-USDT") == 100


def test_routing() -> None:
    """Orders go to the signal's own exchange, or to the best opposite price where that exchange is known here."""
    market = new()
    market.take_nbbo(nbbo_row(bid_exchange="bybit", ask_exchange="binance"))
    assert route(market, "okx", "BTC-USDT", "buy", "own") == "okx"
    assert route(market, "okx", "BTC-USDT", "buy", "best") == "okx"
    market.take_books(book_row(2, exchange="binance"))
    assert route(market, "okx", "BTC-USDT", "buy", "best") == "okx"
    market.take_status(status_row("instrument", 2, exchange="binance"))
    assert route(market, "okx", "BTC-USDT", "buy", "best") == "binance"
    assert route(market, "okx", "BTC-USDT", "sell", "best") == "okx"
    market.take_nbbo(nbbo_row(ask=None))
    assert route(market, "okx", "BTC-USDT", "buy", "best") == "okx"


def test_a_shards_run_forgets_its_own_books_alone() -> None:
    """Another run of one of two consumers takes its books, quotes, steps and feed time; the other's stay."""
    market = new()
    one, two = Shard(1, 2), Shard(2, 2)
    assert not market.begin_run("1", one) and not market.begin_run("2", two)
    for shard, book, symbol in ((one, 2, "BTC-USDT"), (two, 3, "ETH-USDT")):
        market.take_books(book_row(book, symbol=symbol, feed_us=book), shard)
        market.take_nbbo(nbbo_row(symbol, symbol_id=book))
        market.take_status(status_row("instrument", book, symbol=symbol), shard)
    assert market.feed_us[:2, 3].tolist() == [2, 3]
    assert market.begin_run("3", one)
    assert (market.book_id("okx", "BTC-USDT"), market.nbbo_mid("BTC-USDT")) == (-1, None)
    assert (market.book_id("okx", "ETH-USDT"), market.nbbo_mid("ETH-USDT")) == (3, 100)
    assert list(market.steps) == [("okx", "ETH-USDT")]
    assert market.feed_us[:2, 3].tolist() == [0, 3]
    assert (market.session_of("okx"), market.flags(2), market.flags(3)) == (SESSION, 0, 0)
    assert market.begin_run("4", Shard(1, 3))
    assert (market.steps, market.book_id("okx", "ETH-USDT"), int(market.feed_us.max())) == ({}, -1, 0)


def test_each_shard_hears_of_a_session() -> None:
    """A new session begins the feed time of the shard that says so; the channel's session is the latest of them."""
    market = new()
    one, two = Shard(1, 2), Shard(2, 2)
    for shard, book in ((one, 2), (two, 3)):
        market.begin_run("1", shard)
        market.take_books(book_row(book, symbol=f"S{book}", feed_us=500), shard)
    begun = status_row("session", CHANNEL, session=SESSION + 1)
    market.take_status(begun, two)
    assert (market.feed_us[:2, 3].tolist(), market.session_of("okx")) == ([500, 0], SESSION + 1)
    market.take_status(begun, one)
    assert market.feed_us[:2, 3].tolist() == [0, 0]

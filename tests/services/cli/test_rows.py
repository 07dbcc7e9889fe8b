"""Packed records as JSON."""

from __future__ import annotations

import json

import numpy as np

from libs.book import flags
from libs.streams.schemas import ARBITRAGE, BOOK, FEATURES, NBBO, STATUS, STATUS_KINDS, TRADES
from services.cli.rows import NO_BOOK, objects


def _one(stream: str, dtype: np.dtype, **values: object) -> dict:
    rows = np.zeros(1, dtype)
    for name, value in values.items():
        rows[name][0] = value
    (found,) = objects(stream, rows)
    json.dumps(found, allow_nan=False)
    return found


def test_features_have_null_where_nothing_is_known() -> None:
    """NaN and infinity are null, since JSON has neither; codes are names."""
    found = _one("features", FEATURES, exchange=3, symbol=b"BTC-USDT", best_bid=1.5, best_ask=np.nan, ask_size=np.inf)
    assert (found["stream"], found["exchange"], found["symbol"]) == ("features", "okx", "BTC-USDT")
    assert (found["best_bid"], found["best_ask"], found["ask_size"]) == (1.5, None, None)
    assert not [name for name in found if name.startswith("reserved")]


def test_books_show_the_levels_that_are_there_as_decimals() -> None:
    """Levels are decimal strings, best first, and only as many as there are."""
    prices = np.zeros(20, np.int64)
    prices[:2] = 6180030, 6180020
    sizes = np.zeros(20, np.int64)
    sizes[:2] = 6, 5
    found = _one(
        "book", BOOK, flags=flags.CROSSED | flags.STALE, bid_count=2, price_exponent=-2, size_exponent=-3,
        bid_prices=prices, bid_sizes=sizes,
    )  # fmt: skip
    assert found["bids"] == [["61800.30", "0.006"], ["61800.20", "0.005"]]
    assert found["asks"] == []
    assert found["flags"] == ["stale", "crossed"]
    assert "bid_prices" not in found


def test_trades_status_and_nbbo_are_named() -> None:
    """Sides, kinds, states and exchange sets are words."""
    trade = _one("trades", TRADES, side=-1, price=5, size=12, price_exponent=-1, size_exponent=0)
    assert (trade["side"], trade["price"], trade["size"]) == ("sell", "0.5", "12")
    status = _one("status", STATUS, book_id=NO_BOOK, kind=STATUS_KINDS.index("session"))
    assert (status["kind"], status["book_id"], status["tick"]) == ("session", None, None)
    quote = _one(
        "nbbo", NBBO, state=1, bid_exchanges=0b101, bid_exchange=2, ask_exchange=255, bid_price=123, price_exponent=-2,
        excluded=[0, 2, 0, 1, 1, 0, 0, 0],
    )  # fmt: skip
    assert quote["state"] == "normal"
    assert quote["bid_exchanges"] == ["binance", "coinbase"]
    assert (quote["bid_exchange"], quote["bid_price"]) == ("coinbase", "1.23")
    assert (quote["ask_exchange"], quote["ask_price"]) == (None, None)
    assert quote["excluded"] == {"bybit": "not_valid", "okx": "not_listed", "deribit": "not_listed"}


def test_arbitrage_is_named() -> None:
    """Phases, states, exchanges and currencies are words; what is still open was ended by nothing."""
    values = {
        "phase": 3, "state": 4, "ended_by": 1, "bid_exchange": 1, "ask_exchange": 0, "bid_exchanges": 0b10,
        "ask_exchanges": 0b1001, "bid_price": 10010, "ask_price": 10001, "price_exponent": -2, "net_bps": -1.5,
        "symbol": b"BTC-USDT+USDC", "quotes": 0b11, "bid_quote": 1,
    }  # fmt: skip
    found = _one("arbitrage", ARBITRAGE, **values)
    assert (found["phase"], found["state"], found["ended_by"]) == ("closed", "crossed_uncertain", "normal")
    assert (found["bid_exchange"], found["ask_exchange"]) == ("bybit", "binance")
    assert (found["bid_price"], found["ask_price"], found["net_bps"]) == ("100.10", "100.01", -1.5)
    assert (found["bid_exchanges"], found["ask_exchanges"]) == (["bybit"], ["binance", "okx"])
    assert (found["quotes"], found["bid_quote"], found["ask_quote"]) == (["USDT", "USDC"], "USDC", "USDT")
    assert _one("arbitrage", ARBITRAGE, **(values | {"phase": 1}))["ended_by"] is None


def test_quotes_say_their_currency() -> None:
    """A symbol's own row names its currency; a family's names those that are joined."""
    assert _one("nbbo", NBBO, symbol=b"BTC-USD-PERP")["quotes"] == ["USD"]
    joined = _one(
        "nbbo", NBBO, symbol=b"BTC-USD+USDT+USDC", quotes=0b101, bid_quote=2, bid_exchange=0, ask_exchange=255
    )
    assert (joined["quotes"], joined["bid_quote"], joined["ask_quote"]) == (["USD", "USDC"], "USDC", None)

"""The fake venues by the name of the feed that they play, and the markets that they make when nobody says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from libs.venues.binance.symbols import Market
from services.fakes.binance import FakeBinance
from services.fakes.book import FakeMarket, TruthBook
from services.fakes.bybit import FakeBybit
from services.fakes.coinbase import FakeCoinbase, FakeExchange
from services.fakes.deribit import FakeDeribit
from services.fakes.okx import FakeOkx
from services.fakes.venue import FakeVenue

PRICES = {"BTC": 60_000, "ETH": 3_000, "SOL": 150, "XRP": 1, "DOGE": 1}
SPOT = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
PERPETUALS = ("BTC-USDT-PERP", "ETH-USDT-PERP")
INVERSE = ("BTC-USD-PERP", "ETH-USD-PERP")
PRICE_OF_OTHERS = 10


class Play(NamedTuple):
    """How a feed is played."""

    make: Callable[..., FakeVenue]
    native: Callable[[str], str]
    symbols: tuple[str, ...]
    options: dict[str, Any]
    lot_exponent: int = -5


def joined(symbol: str) -> str:
    """Return ``BTCUSDT`` of ``BTC-USDT`` and of ``BTC-USDT-PERP``."""
    return "".join(symbol.split("-")[:2])


def coinm(symbol: str) -> str:
    """Return ``BTCUSD_PERP`` of ``BTC-USD-PERP``."""
    return f"{joined(symbol)}_PERP"


def okx(symbol: str) -> str:
    """Return ``BTC-USDT-SWAP`` of ``BTC-USDT-PERP``; spot is written alike."""
    return symbol.replace("-PERP", "-SWAP")


def deribit(symbol: str) -> str:
    """Return ``BTC-PERPETUAL`` of ``BTC-USD-PERP``, ``BTC_USDC-PERPETUAL`` of ``BTC-USDC-PERP``; spot ``BTC_USDT``."""
    base, quote, *rest = symbol.split("-")
    if rest != ["PERP"]:
        return f"{base}_{quote}"
    return f"{base}-PERPETUAL" if quote == "USD" else f"{base}_{quote}-PERPETUAL"


PLAYS: dict[str, Play] = {
    "binance": Play(FakeBinance, joined, SPOT, {"kind": Market.SPOT}),
    "binance_usdm": Play(FakeBinance, joined, PERPETUALS, {"kind": Market.USDM}, -3),
    "binance_coinm": Play(FakeBinance, coinm, INVERSE, {"kind": Market.COINM}, 0),
    "bybit": Play(FakeBybit, joined, SPOT, {"category": "spot"}),
    "bybit_linear": Play(FakeBybit, joined, PERPETUALS, {"category": "linear"}, -3),
    "bybit_inverse": Play(FakeBybit, joined, INVERSE, {"category": "inverse"}, 0),
    "coinbase": Play(FakeCoinbase, str, ("BTC-USDT", "ETH-USDT"), {}, -8),
    "coinbase_exchange": Play(FakeExchange, str, ("BTC-USDT", "ETH-USDT"), {}, -8),
    "okx": Play(FakeOkx, okx, SPOT, {}),
    "deribit": Play(FakeDeribit, deribit, INVERSE, {}, 0),
}


def new_fake(
    name: str,
    symbols: Sequence[str] = (),
    seed: int = 1,
    rate: float = 100.0,
    odds: dict[str, float] | None = None,
    changes: int = 3,
) -> FakeVenue:
    """Return a fake venue that has not started.

    Parameters
    ----------
    name : str
        A key of :data:`PLAYS`.
    symbols : sequence of str
        Canonical; none: those of PLAYS.
    seed : int
    rate : float
        Book messages a second.
    odds : dict, optional
        Of each kind of fault, a message.
    changes : int
        Orders a message.
    """
    play = PLAYS[name]
    markets = [
        FakeMarket(
            play.native(symbol),
            symbol,
            (1, -2),
            (1, play.lot_exponent),
            TruthBook(f"{seed} {name} {symbol}", mid(symbol)),
        )
        for symbol in symbols or play.symbols
    ]
    return play.make(markets, seed=seed, rate=rate, odds=odds, changes=changes, **play.options)


def mid(symbol: str) -> int:
    """Return the price of a symbol in ticks of 0.01, the same on every venue."""
    return 100 * PRICES.get(symbol.split("-", maxsplit=1)[0], PRICE_OF_OTHERS)

"""The feeds: what each venue's servers are called, what they allow, and whose core speaks with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from libs.market.instruments import Instrument
from libs.venues import binance, bybit, coinbase, deribit, okx
from libs.venues.core import VenueCore, VenueRules
from libs.venues.deribit.symbols import INSTRUMENT_PATHS as DERIBIT_INSTRUMENTS
from libs.venues.okx.symbols import INSTRUMENT_PATHS as OKX_INSTRUMENTS

MakeCore = Callable[[Sequence[str], Mapping[str, Instrument]], VenueCore]
"""Canonical symbols of one connection, and the instruments of all: a core."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One kind of connection of one venue.

    Parameters
    ----------
    name : str
        As in config/feeder.toml.
    exchange : str
        Whose channel its events go out on.
    ws, ws_path, rest : str
        Root of its WebSocket server and the path there; root of REST.
    instruments : tuple of str
        Paths below ``rest`` of its lists of instruments.
    rules : VenueRules
    core : MakeCore
    weight_per_min : float
        Budget of REST weight that is used, below what the venue allows.
    instruments_weight : int
        Of one list.
    messages_per_s : float
        Messages to the venue on one connection.
    openings : (float, float)
        Connections at once, and a second.
    rotate_s : float
        When a connection is turned over, at the latest.
    mute_after_s, dead_after_s : float
        Without a sign of life: the books are called mute; the connection is given up.
    backoff_s, longest_backoff_s : float
        Bounds of the first and of every later wait after a failure.
    """

    name: str
    exchange: str
    ws: str
    ws_path: str
    rest: str
    instruments: tuple[str, ...]
    rules: VenueRules
    core: MakeCore
    weight_per_min: float = 1200.0
    instruments_weight: int = 1
    messages_per_s: float = 4.0
    openings: tuple[float, float] = (5.0, 1.0)
    rotate_s: float = 23 * 3600.0
    mute_after_s: float = 10.0
    dead_after_s: float = 20.0
    backoff_s: float = 0.5
    longest_backoff_s: float = 30.0


_OKX = Feed(
    "okx",
    "okx",
    ws="wss://ws.okx.com:8443",
    ws_path="/ws/v5/public",
    rest="https://www.okx.com",
    instruments=OKX_INSTRUMENTS,
    rules=okx,
    core=okx.OkxCore,
    # 20 requests in 2 s of instruments, 40 of books, each by itself.
    weight_per_min=400.0,
    openings=(3.0, 3.0),
)


def _binance(name: str, ws: str, ws_path: str, rest: str, rules: binance.Rules, weight_per_min: float) -> Feed:
    return Feed(
        name,
        "binance",
        ws=ws,
        ws_path=ws_path,
        rest=rest,
        instruments=(rules.instrument_path,),
        rules=rules,
        core=partial(binance.BinanceCore, rules=rules),
        weight_per_min=weight_per_min,
        instruments_weight=20,
        messages_per_s=3.0,
        # 300 in 5 minutes.
        openings=(5.0, 0.9),
    )


_BINANCE = (
    _binance("binance", "wss://stream.binance.com:9443", "/stream", "https://api.binance.com", binance.SPOT, 4800.0),
    _binance("binance_usdm", "wss://fstream.binance.com", "/public/stream", "https://fapi.binance.com", binance.USDM,
             1920.0),
    _binance("binance_coinm", "wss://dstream.binance.com", "/stream", "https://dapi.binance.com", binance.COINM,
             1920.0),
)  # fmt: skip


def _bybit(name: str, rules: bybit.Rules) -> Feed:
    return Feed(
        name,
        "bybit",
        ws="wss://stream.bybit.com",
        ws_path=f"/v5/public/{rules.category}",
        rest="https://api.bybit.com",
        instruments=(rules.instrument_path,),
        rules=rules,
        core=partial(bybit.BybitCore, rules=rules),
        # 500 in 5 minutes.
        openings=(5.0, 1.5),
    )


_BYBIT = (
    _bybit("bybit", bybit.SPOT),
    _bybit("bybit_linear", bybit.LINEAR),
    _bybit("bybit_inverse", bybit.INVERSE),
)

_COINBASE = Feed(
    "coinbase",
    "coinbase",
    ws="wss://advanced-trade-ws.coinbase.com",
    ws_path="/",
    rest="https://api.coinbase.com",
    instruments=(coinbase.ADVANCED.instrument_path,),
    rules=coinbase.ADVANCED,
    core=coinbase.CoinbaseCore,
    # 8 a second of an address.
    messages_per_s=2.0,
    openings=(4.0, 1.0),
)

_EXCHANGE = Feed(
    "coinbase_exchange",
    "coinbase",
    ws="wss://ws-feed.exchange.coinbase.com",
    ws_path="/",
    rest="https://api.exchange.coinbase.com",
    instruments=(coinbase.EXCHANGE.instrument_path,),
    rules=coinbase.EXCHANGE,
    core=coinbase.ExchangeCore,
    messages_per_s=2.0,
    openings=(4.0, 1.0),
)

_DERIBIT = Feed(
    "deribit",
    "deribit",
    ws="wss://www.deribit.com",
    ws_path="/ws/api/v2",
    rest="https://www.deribit.com",
    instruments=DERIBIT_INSTRUMENTS,
    rules=deribit,
    core=deribit.DeribitCore,
    # 32 connections of an address.
    openings=(3.0, 1.0),
)

FEEDS: dict[str, Feed] = {feed.name: feed for feed in (*_BINANCE, *_BYBIT, _COINBASE, _EXCHANGE, _OKX, _DERIBIT)}
"""By name."""

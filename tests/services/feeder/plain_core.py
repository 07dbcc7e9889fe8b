"""A core of Binance spot that is small enough to be seen through: the feeder's own tests need no venue's."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from libs.market.instruments import Instrument
from libs.units import normalise, parse_decimal
from libs.venues.binance.feed import SymbolFeed, Units
from libs.venues.binance.messages import DECODERS, Depth, Trade, decode_snapshot
from libs.venues.binance.symbols import Market, canonical
from libs.venues.core import Fetch, Output, Refused, Send
from libs.venues.events import STATUS_SYMBOL_INVALID, StatusEvent
from services.feeder.venues import Feed

RETRY_US = 200_000


class PlainRules:
    """Binance spot's list of instruments and names; ``share`` symbols a connection."""

    def __init__(self, share: int = 2) -> None:
        self.share = share

    def instruments(self, body: bytes) -> list[tuple[str, Instrument]]:
        found = []
        for each in json.loads(body)["symbols"]:
            steps = {f["filterType"]: f for f in each["filters"]}
            tick = normalise(*parse_decimal(steps["PRICE_FILTER"]["tickSize"]))
            lot = normalise(*parse_decimal(steps["LOT_SIZE"]["stepSize"]))
            found.append((each["symbol"], Instrument(self.canonical(each["symbol"]), "binance", tick, lot)))
        return found

    def canonical(self, symbol: str) -> str:
        return canonical(symbol, Market.SPOT)

    def native(self, symbol: str) -> str:
        return symbol.replace("-", "")

    def connections(self, symbols: Sequence[str]) -> list[list[str]]:
        return [list(symbols[k : k + self.share]) for k in range(0, len(symbols), self.share)]


class PlainCore:
    """One connection of Binance spot."""

    exchange = "binance"
    unverifiable: Sequence[str] = ()

    def __init__(self, symbols: Sequence[str], instruments: Mapping[str, Instrument]) -> None:
        self.symbols = list(symbols)
        self.counts: Counter[str] = Counter()
        self.by_symbol: dict[str, Counter[str]] = {s: Counter() for s in symbols}
        self.feeds = {
            s: SymbolFeed(s.replace("-", ""), Market.SPOT, Units(instruments[s].tick[1], instruments[s].lot[1]))
            for s in symbols
        }
        self.heard_us = 0
        self.retry_us: dict[str, int] = {}

    def _fetch(self, symbol: str) -> Fetch:
        self.retry_us.pop(symbol, None)
        return Fetch(symbol, f"/api/v3/depth?symbol={symbol.replace('-', '')}&limit=1000", 5)

    def opened(self, now_us: int) -> list[Output]:
        streams = [f"{s.replace('-', '').lower()}@{kind}" for s in self.symbols for kind in ("depth@100ms", "trade")]
        subscribe = json.dumps({"method": "SUBSCRIBE", "params": streams, "id": 1})
        return [Send(subscribe), *(self._fetch(s) for s in self.symbols)]

    def received(self, message: bytes, now_us: int) -> list[Output]:
        self.heard_us = now_us
        try:
            kind = msgspec.json.decode(message).get("e")
            if kind not in ("depthUpdate", "trade"):
                return []
            m = DECODERS["depth" if kind == "depthUpdate" else kind](message)
        except (msgspec.DecodeError, AttributeError) as error:
            self.counts["refused"] += 1
            return [Refused(str(error))]
        symbol = canonical(m.s, Market.SPOT)
        feed, own = self.feeds[symbol], self.by_symbol[symbol]
        own["messages"] += 1
        before = feed.splice.gaps
        outputs: list[Output] = []
        if isinstance(m, Depth):
            outputs += feed.depth(m, now_us)
        elif isinstance(m, Trade):
            outputs += feed.trade(m, now_us)
        if feed.splice.gaps > before:
            self.counts["gap"] += 1
            outputs.append(self._fetch(symbol))
        return outputs

    def answered(self, symbol: str, body: bytes, now_us: int) -> list[Output]:
        try:
            found = self.feeds[symbol].snapshot(decode_snapshot(body), now_us)
        except msgspec.DecodeError as error:
            return [Refused(str(error))]
        self.counts["resync"] += 1
        if not self.synchronised(symbol):
            self.retry_us[symbol] = now_us + RETRY_US
        return list(found)

    def failed(self, symbol: str, now_us: int) -> list[Output]:
        self.retry_us[symbol] = now_us + RETRY_US
        return []

    def tick(self, now_us: int) -> list[Output]:
        return [self._fetch(s) for s, due in list(self.retry_us.items()) if now_us >= due]

    def resync(self, symbol: str, reason: str, now_us: int) -> list[Output]:
        self.feeds[symbol].splice.lose()
        return [StatusEvent(symbol, STATUS_SYMBOL_INVALID, reason, now_us), self._fetch(symbol)]

    def closed(self, now_us: int) -> list[Output]:
        self.retry_us.clear()
        valid = [s for s in self.symbols if self.synchronised(s)]
        for feed in self.feeds.values():
            feed.restart()
        return [StatusEvent(s, STATUS_SYMBOL_INVALID, "connection lost", now_us) for s in valid]

    def synchronised(self, symbol: str) -> bool:
        return self.feeds[symbol].splice.synchronised

    def last_heard_us(self) -> tuple[int, int]:
        return self.heard_us, self.heard_us


def plain_feed(share: int = 2, **options: object) -> Feed:
    """Return the feed of this core; its addresses come from the settings."""
    base = {
        "name": "plain",
        "exchange": "binance",
        "ws": "",
        "ws_path": "/ws",
        "rest": "",
        "instruments": ("/api/v3/exchangeInfo",),
    }
    return Feed(**base, rules=PlainRules(share), core=PlainCore, weight_per_min=60_000.0, **options)  # type: ignore[arg-type]

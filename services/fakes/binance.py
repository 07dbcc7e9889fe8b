"""A fake Binance: diffs with update ids, trades, best prices; REST lists and snapshots. Spot, USDⓈ-M or COIN-M."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from libs.venues.binance.symbols import Market
from services.fakes.book import ASK, BID, Change, FakeMarket, Print
from services.fakes.client import Client
from services.fakes.venue import FakeVenue

_PREFIX = {Market.SPOT: "/api/v3", Market.USDM: "/fapi/v1", Market.COINM: "/dapi/v1"}
DEFAULT_LIMIT = 500


class FakeBinance(FakeVenue):
    """Binance's protocol; ``kind`` says whose rules."""

    name = "binance"

    def __init__(self, markets: Iterable[FakeMarket], kind: Market = Market.SPOT, **options: Any) -> None:
        super().__init__(markets, **options)
        self.kind = kind
        self._old = {m.native: self.snapshot(m, DEFAULT_LIMIT) for m in self.markets.values()}

    def routes(self, app: web.Application) -> None:
        """Add exchangeInfo and depth."""
        prefix = _PREFIX[self.kind]
        app.router.add_get(f"{prefix}/exchangeInfo", self._info)
        app.router.add_get(f"{prefix}/depth", self._depth)

    def snapshot(self, market: FakeMarket, limit: int) -> dict[str, Any]:
        """Return the REST snapshot of now."""
        found: dict[str, Any] = {"lastUpdateId": market.sequence}
        if self.kind.futures:
            found |= {"E": _ms(), "T": _ms()}
        return found | {"bids": market.side(BID)[:limit], "asks": market.side(ASK)[:limit]}

    def on_text(self, client: Client, text: str) -> None:
        """Subscribe or unsubscribe streams."""
        try:
            wanted = json.loads(text)
            method, streams, number = wanted["method"], wanted.get("params", []), wanted.get("id")
        except (ValueError, KeyError, TypeError):
            client.say('{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}')
            return
        for stream in streams:
            symbol, _, channel = stream.partition("@")
            key = (symbol.upper(), channel.partition("@")[0])
            if method == "SUBSCRIBE":
                client.topics[key] = stream
            else:
                client.topics.pop(key, None)
        client.say(json.dumps({"result": None, "id": number}))

    def on_open(self, client: Client) -> None:
        """Take streams that the address names."""
        path = client.request.path
        named = client.request.query.get("streams", "") or (path[4:] if path.startswith("/ws/") else "")
        client.state["wrapped"] = path.endswith("/stream")
        for stream in filter(None, named.split("/")):
            symbol, _, channel = stream.partition("@")
            client.topics[symbol.upper(), channel.partition("@")[0]] = stream

    def publish(self, market: FakeMarket, change: Change) -> None:
        """Send one depthUpdate, a trade for each print, and the best prices."""
        before = market.sequence
        market.sequence += max(1, len(change.levels))
        depth: dict[str, Any] = {"e": "depthUpdate", "E": _ms(), "s": market.native, "U": before + 1}
        depth["u"] = market.sequence
        if self.kind.futures:
            depth |= {"T": _ms(), "pu": market.previous}
        depth |= {"b": market.changed(change, BID), "a": market.changed(change, ASK)}
        market.previous = market.sequence
        for client in list(self.clients):
            if stream := client.topics.get((market.native, "depth")):
                self.tell_book(client, market, self._wrap(client, stream, depth))
            if stream := client.topics.get((market.native, "trade")):
                for each in change.prints:
                    client.say(self._wrap(client, stream, self._trade(market, each)))
            if stream := client.topics.get((market.native, "bookTicker")):
                client.say(self._wrap(client, stream, self._ticker(market)))

    def reset(self, market: FakeMarket) -> None:
        """Announce a shutdown, then close every connection."""
        for client in list(self.clients):
            client.say(json.dumps({"e": "serverShutdown", "E": _ms()}))
            client.cut()

    def _trade(self, market: FakeMarket, each: Print) -> dict[str, Any]:
        return {
            "e": "trade", "E": _ms(), "T": _ms(), "s": market.native, "t": each.trade_id,
            "p": market.price(each.price), "q": market.size(each.size), "X": "MARKET", "m": not each.buyer,
        }  # fmt: skip

    def _ticker(self, market: FakeMarket) -> dict[str, Any]:
        (bid, bid_size), (ask, ask_size) = market.side(BID)[0], market.side(ASK)[0]
        return {
            "e": "bookTicker",
            "u": market.sequence,
            "s": market.native,
            "b": bid,
            "B": bid_size,
            "a": ask,
            "A": ask_size,
        }

    def _wrap(self, client: Client, stream: str, data: dict[str, Any]) -> str:
        return json.dumps({"stream": stream, "data": data} if client.state["wrapped"] else data, separators=(",", ":"))

    async def _info(self, request: web.Request) -> web.Response:
        if (refusal := self.refusal()) is not None:
            return refusal
        return web.json_response({"timezone": "UTC", "symbols": [self._symbol(m) for m in self.listed()]})

    def _symbol(self, market: FakeMarket) -> dict[str, Any]:
        base, quote, *rest = market.canonical.split("-")
        found: dict[str, Any] = {
            "symbol": market.native, "status": "TRADING", "baseAsset": base, "quoteAsset": quote,
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": market.price(1), "minPrice": market.price(1)},
                {"filterType": "LOT_SIZE", "stepSize": market.size(1), "minQty": market.size(1)},
            ],
        }  # fmt: skip
        if self.kind.futures:
            perpetual = rest == ["PERP"]
            found |= {"pair": base + quote, "contractType": "PERPETUAL" if perpetual else "CURRENT_QUARTER"}
            found |= {"marginAsset": quote if self.kind is Market.USDM else base, "contractStatus": "TRADING"}
            if self.kind is Market.COINM:
                found["contractSize"] = 100 if base == "BTC" else 10
        return found

    async def _depth(self, request: web.Request) -> web.Response:
        if (refusal := self.refusal()) is not None:
            return refusal
        market = self.markets.get(request.query.get("symbol", "").upper())
        if market is None or not market.listed:
            return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)
        if self.faults.strikes("stale_snapshot"):
            return web.json_response(self._old[market.native])
        self.snapshot_taken(market)
        return web.json_response(self.snapshot(market, int(request.query.get("limit", DEFAULT_LIMIT))))


def _ms() -> int:
    return time.time_ns() // 1_000_000

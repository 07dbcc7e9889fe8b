"""A fake Bybit v5: book snapshots and deltas in one topic, trades; REST lists of instruments."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from services.fakes.book import ASK, BID, Change, FakeMarket
from services.fakes.client import Client
from services.fakes.venue import FakeVenue

MOST_SPOT_TOPICS = 10


class FakeBybit(FakeVenue):
    """Bybit's protocol; ``category`` is spot, linear or inverse."""

    name = "bybit"

    def __init__(self, markets: Iterable[FakeMarket], category: str = "spot", **options: Any) -> None:
        super().__init__(markets, **options)
        self.category = category
        self.ws_path = f"/v5/public/{category}"

    def routes(self, app: web.Application) -> None:
        """Add instruments-info."""
        app.router.add_get("/v5/market/instruments-info", self._info)

    def on_text(self, client: Client, text: str) -> None:
        """Subscribe, unsubscribe or ping."""
        try:
            wanted = json.loads(text)
            op, topics, number = wanted["op"], wanted.get("args", []), wanted.get("req_id", "")
        except (ValueError, KeyError, TypeError):
            client.say(self._answer("", "", "Request parameter is not a valid JSON", ok=False))
            return
        if op == "ping":
            client.say(self._answer("ping", number, "pong"))
        elif op == "unsubscribe":
            for topic in topics:
                client.topics.pop(topic, None)
            client.say(self._answer(op, number))
        elif self.category == "spot" and len(topics) > MOST_SPOT_TOPICS:
            client.say(self._answer(op, number, "args size >10", ok=False))
        elif wrong := next((t for t in topics if t in client.topics or not self._market(t)), ""):
            known = "already subscribed" if wrong in client.topics else "handler not found"
            client.say(self._answer(op, number, f"error:{known},topic:{wrong}", ok=False))
        else:
            client.topics |= dict.fromkeys(topics, True)
            client.say(self._answer(op, number))
            for topic in topics:
                if topic.startswith("orderbook.") and (market := self._market(topic)):
                    client.say(self._snapshot(market, topic))
                    self.snapshot_taken(market)

    def publish(self, market: FakeMarket, change: Change) -> None:
        """Send a delta, and the prints in one message."""
        market.sequence += 1
        for client in list(self.clients):
            for topic in list(client.topics):
                if topic.rpartition(".")[2] != market.native:
                    continue
                if topic.startswith("orderbook."):
                    sides = (market.changed(change, BID), market.changed(change, ASK))
                    self.tell_book(client, market, self._book(market, topic, "delta", *sides))
                elif topic.startswith("publicTrade.") and change.prints:
                    client.say(self._trades(market, topic, change))

    def reset(self, market: FakeMarket) -> None:
        """Restart the service: numbers begin again at 1, with a snapshot."""
        market.sequence = 1
        for client in list(self.clients):
            for topic in list(client.topics):
                if topic.startswith("orderbook.") and topic.endswith(f".{market.native}"):
                    client.say(self._snapshot(market, topic))

    def _market(self, topic: str) -> FakeMarket | None:
        market = self.markets.get(topic.rpartition(".")[2])
        return market if market is not None and market.listed else None

    def _snapshot(self, market: FakeMarket, topic: str) -> str:
        return self._book(market, topic, "snapshot", market.side(BID), market.side(ASK))

    def _book(
        self, market: FakeMarket, topic: str, kind: str, bids: list[tuple[str, str]], asks: list[tuple[str, str]]
    ) -> str:
        now = time.time_ns() // 10**6
        data = {"s": market.native, "b": bids, "a": asks, "u": market.sequence, "seq": 7_000_000 + market.sequence}
        return json.dumps({"topic": topic, "type": kind, "ts": now, "data": data, "cts": now - 1})

    def _trades(self, market: FakeMarket, topic: str, change: Change) -> str:
        now = time.time_ns() // 10**6
        data = [
            {
                "T": now, "s": market.native, "S": "Buy" if p.buyer else "Sell", "v": market.size(p.size),
                "p": market.price(p.price), "L": "PlusTick", "BT": False, "seq": 7_000_000 + p.trade_id,
                "i": str(p.trade_id) if self.category == "spot"
                else str(uuid.uuid5(uuid.NAMESPACE_OID, f"{market.native} {p.trade_id}")),
            }
            for p in change.prints
        ]  # fmt: skip
        return json.dumps({"topic": topic, "type": "snapshot", "ts": now, "data": data})

    def _answer(self, op: str, number: str, text: str = "", *, ok: bool = True) -> str:
        return json.dumps({"success": ok, "ret_msg": text, "conn_id": "fake", "req_id": number, "op": op})

    async def _info(self, request: web.Request) -> web.Response:
        if (refusal := self.refusal()) is not None:
            return refusal
        found = [self._instrument(m) for m in self.listed()] if request.query.get("category") == self.category else []
        result = {"category": request.query.get("category"), "list": found, "nextPageCursor": ""}
        return web.json_response({"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": 0})

    def _instrument(self, market: FakeMarket) -> dict[str, Any]:
        base, quote, *_ = market.canonical.split("-")
        found: dict[str, Any] = {
            "symbol": market.native, "status": "Trading", "baseCoin": base, "quoteCoin": quote,
            "priceFilter": {"tickSize": market.price(1)},
        }  # fmt: skip
        if self.category == "spot":
            return found | {"lotSizeFilter": {"basePrecision": market.size(1), "minOrderQty": market.size(1)}}
        kind = "LinearPerpetual" if self.category == "linear" else "InversePerpetual"
        found |= {"contractType": kind, "settleCoin": quote if self.category == "linear" else base}
        return found | {"deliveryTime": "0", "lotSizeFilter": {"qtyStep": market.size(1)}}

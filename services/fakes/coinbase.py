"""Fake Coinbases: Advanced Trade under one sequence_num a connection, and Exchange without a sequence."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from services.fakes.book import ASK, BID, Change, FakeMarket, Print
from services.fakes.client import Client
from services.fakes.venue import FakeVenue

CHANNELS = {"level2": "l2_data", "market_trades": "market_trades", "heartbeats": "heartbeats"}
SIDES = ((BID, "bid"), (ASK, "offer"))


class FakeCoinbase(FakeVenue):
    """Coinbase Advanced Trade's protocol."""

    name = "coinbase"
    ws_path = "/"

    def routes(self, app: web.Application) -> None:
        """Add the list of products."""
        app.router.add_get("/api/v3/brokerage/market/products", self._products)

    def on_text(self, client: Client, text: str) -> None:
        """Subscribe or unsubscribe a channel."""
        try:
            wanted = json.loads(text)
            action, channel, products = wanted["type"], wanted["channel"], wanted.get("product_ids", [])
        except (ValueError, KeyError, TypeError):
            client.say(json.dumps({"type": "error", "message": "malformed message"}))
            return
        if channel not in CHANNELS:
            client.say(json.dumps({"type": "error", "message": f"channel {channel} is not supported"}))
            return
        known = [p for p in products if p in self.markets and self.markets[p].listed]
        if channel == "heartbeats":
            known = ["heartbeats"]
        for product in known:
            if action == "subscribe":
                client.topics[channel, product] = True
            else:
                client.topics.pop((channel, product), None)
        if action == "subscribe" and channel == "level2":
            for product in known:
                self._snapshot(client, self.markets[product])
        elif action == "subscribe" and channel == "market_trades":
            for _ in known:
                client.say(self._message(client, "market_trades", [{"type": "snapshot", "trades": []}]))
        current: dict[str, list[str]] = {}
        for of, product in client.topics:
            current.setdefault(of, []).append(product)
        client.say(self._message(client, "subscriptions", [{"subscriptions": current}]))

    def publish(self, market: FakeMarket, change: Change) -> None:
        """Send an update of the book, and one of the trades."""
        market.sequence += 1
        for client in list(self.clients):
            if ("level2", market.native) in client.topics:
                updates = [self._level(s, *level) for side, s in SIDES for level in market.changed(change, side)]
                event = {"type": "update", "product_id": market.native, "updates": updates}
                self.tell_book(client, market, self._message(client, "l2_data", [event]))
            if ("market_trades", market.native) in client.topics and change.prints:
                trades = [self._trade(market, each) for each in reversed(change.prints)]
                client.say(self._message(client, "market_trades", [{"type": "update", "trades": trades}]))

    def beat(self) -> None:
        """Send heartbeats to those that want them."""
        for client in list(self.clients):
            if ("heartbeats", "heartbeats") in client.topics:
                count = client.state["heartbeats"] = client.state.get("heartbeats", 0) + 1
                event = {"current_time": _now(), "heartbeat_counter": str(count)}
                client.say(self._message(client, "heartbeats", [event]))

    def reset(self, market: FakeMarket) -> None:
        """Maintain: every connection ends."""
        for client in list(self.clients):
            client.cut()

    def _snapshot(self, client: Client, market: FakeMarket) -> None:
        updates = [self._level(s, *level) for side, s in SIDES for level in market.side(side)]
        event = {"type": "snapshot", "product_id": market.native, "updates": updates}
        client.say(self._message(client, "l2_data", [event]))
        self.snapshot_taken(market)

    def _message(self, client: Client, channel: str, events: list[Any]) -> str:
        sequence = client.state["sequence"] = client.state.get("sequence", -1) + 1
        return json.dumps(
            {"channel": channel, "client_id": "", "timestamp": _now(), "sequence_num": sequence, "events": events}
        )

    def _level(self, side: str, price: str, size: str) -> dict[str, str]:
        return {"side": side, "event_time": _now(), "price_level": price, "new_quantity": size}

    def _trade(self, market: FakeMarket, each: Print) -> dict[str, str]:
        # The side is the maker's: a buyer takes from one who sells.
        return {
            "product_id": market.native, "trade_id": str(each.trade_id), "price": market.price(each.price),
            "size": market.size(each.size), "time": _now(), "side": "SELL" if each.buyer else "BUY",
        }  # fmt: skip

    async def _products(self, request: web.Request) -> web.Response:
        if (refusal := self.refusal()) is not None:
            return refusal
        products = [self._product(m) for m in self.listed()]
        return web.json_response({"products": products, "num_products": len(products)})

    def _product(self, market: FakeMarket) -> dict[str, Any]:
        base, quote, *_ = market.canonical.split("-")
        return {
            "product_id": market.native, "price": market.price(market.book.middle), "base_increment": market.size(1),
            "quote_increment": market.price(1), "price_increment": market.price(1), "base_currency_id": base,
            "quote_currency_id": quote, "product_type": "SPOT", "status": "online", "trading_disabled": False,
            "is_disabled": False, "view_only": False, "alias": "", "alias_to": [], "base_min_size": market.size(1),
        }  # fmt: skip


class FakeExchange(FakeVenue):
    """Coinbase Exchange's protocol: level2_batch without a sequence, matches, ticker, heartbeat a product."""

    name = "coinbase"
    ws_path = "/"
    channels = frozenset({"level2_batch", "level2", "matches", "ticker", "heartbeat"})

    def routes(self, app: web.Application) -> None:
        """Add the list of products."""
        app.router.add_get("/products", self._products)

    def on_text(self, client: Client, text: str) -> None:
        """Subscribe or unsubscribe channels."""
        try:
            wanted = json.loads(text)
            action, products, channels = wanted["type"], wanted["product_ids"], wanted["channels"]
        except (ValueError, KeyError, TypeError):
            client.say(json.dumps({"type": "error", "message": "Malformed JSON"}))
            return
        if unknown := set(channels) - self.channels:
            reason = f"{min(unknown)} is not a valid channel"
            client.say(json.dumps({"type": "error", "message": "Failed to subscribe", "reason": reason}))
            return
        known = [p for p in products if p in self.markets and self.markets[p].listed]
        for key in [(channel, product) for channel in channels for product in known]:
            if action == "subscribe":
                client.topics[key] = True
            else:
                client.topics.pop(key, None)
        named = [
            {"name": channel, "product_ids": [p for c, p in client.topics if c == channel]} for channel in channels
        ]
        client.say(json.dumps({"type": "subscriptions", "channels": named}))
        if action == "subscribe" and {"level2", "level2_batch"} & set(channels):
            for product in known:
                self._snapshot(client, self.markets[product])

    def publish(self, market: FakeMarket, change: Change) -> None:
        """Send an update of the book, then the trades."""
        market.sequence += 1
        for client in list(self.clients):
            if {("level2", market.native), ("level2_batch", market.native)} & set(client.topics):
                changes = [
                    (name, *level)
                    for side, name in ((BID, "buy"), (ASK, "sell"))
                    for level in market.changed(change, side)
                ]
                update = {"type": "l2update", "product_id": market.native, "changes": changes, "time": _now()}
                self.tell_book(client, market, json.dumps(update))
            if ("matches", market.native) in client.topics:
                for each in change.prints:
                    client.say(json.dumps(self._match(market, each)))

    def beat(self) -> None:
        """Send a heartbeat of each product."""
        for client in list(self.clients):
            for channel, product in list(client.topics):
                if channel == "heartbeat":
                    beat = {"type": "heartbeat", "product_id": product, "sequence": self.markets[product].sequence}
                    client.say(json.dumps(beat | {"last_trade_id": 0, "time": _now()}))

    def reset(self, market: FakeMarket) -> None:
        """Maintain: every connection ends."""
        for client in list(self.clients):
            client.cut()

    def _snapshot(self, client: Client, market: FakeMarket) -> None:
        sides = {"bids": market.side(BID), "asks": market.side(ASK)}
        client.say(json.dumps({"type": "snapshot", "product_id": market.native, **sides}))
        self.snapshot_taken(market)

    def _match(self, market: FakeMarket, each: Print) -> dict[str, Any]:
        return {
            "type": "match", "trade_id": each.trade_id, "side": "sell" if each.buyer else "buy",
            "size": market.size(each.size), "price": market.price(each.price), "product_id": market.native,
            "sequence": market.sequence, "time": _now(),
        }  # fmt: skip

    async def _products(self, request: web.Request) -> web.Response:
        if (refusal := self.refusal()) is not None:
            return refusal
        return web.json_response([self._pair(m) for m in self.listed()])

    def _pair(self, market: FakeMarket) -> dict[str, Any]:
        base, quote, *_ = market.canonical.split("-")
        return {
            "id": market.native, "base_currency": base, "quote_currency": quote, "quote_increment": market.price(1),
            "base_increment": market.size(1), "status": "online", "trading_disabled": False,
        }  # fmt: skip


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

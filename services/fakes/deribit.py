"""A fake Deribit: JSON-RPC over WebSocket, books by change_id, trades, test requests; REST lists of instruments."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

from aiohttp import web

from services.fakes.book import ASK, BID, Change, FakeMarket
from services.fakes.client import Client
from services.fakes.venue import FakeVenue

NO_RAW = {"message": "raw_subscriptions_not_available_for_unauthorized", "code": 13778}


def number(text: str) -> str:
    """Return a decimal as a JSON number in Deribit's manner: ``10.0``, ``4e-05``; plain where a double is not exact."""
    short = repr(float(text))
    return short if Decimal(short) == Decimal(text) else text


class FakeDeribit(FakeVenue):
    """Deribit's protocol."""

    name = "deribit"
    ws_path = "/ws/api/v2"

    def routes(self, app: web.Application) -> None:
        """Add get_instruments."""
        app.router.add_get("/api/v2/public/get_instruments", self._instruments)

    def on_text(self, client: Client, text: str) -> None:
        """Answer a JSON-RPC request."""
        try:
            wanted = json.loads(text)
            method, params, key = wanted["method"], wanted.get("params") or {}, wanted.get("id")
        except (ValueError, KeyError, TypeError):
            client.say('{"jsonrpc":"2.0","error":{"message":"Parse error","code":-32700}}')
            return
        if method == "public/subscribe":
            channels = [c for c in params.get("channels", []) if self._market(c)]
            if any(c.endswith(".raw") for c in channels):
                client.say(json.dumps({"jsonrpc": "2.0", "id": key, "error": NO_RAW}))
                return
            self._answer(client, key, channels)
            for channel in channels:
                self._subscribe(client, channel)
        elif method == "public/unsubscribe":
            for channel in params.get("channels", []):
                client.topics.pop(channel, None)
            self._answer(client, key, params.get("channels", []))
        elif method == "public/set_heartbeat":
            client.state["heartbeat"] = True
            self._answer(client, key, "ok")
        elif method == "public/test":
            client.state["tested"] = client.state.get("tested", 0) + 1
            self._answer(client, key, {"version": "1.2.26"})
        else:
            error = {"message": "Method not found", "code": -32601}
            client.say(json.dumps({"jsonrpc": "2.0", "id": key, "error": error}))

    def publish(self, market: FakeMarket, change: Change) -> None:
        """Send a change, and the prints in one notification."""
        before, market.sequence = market.sequence, market.sequence + max(1, len(change.levels))
        for client in list(self.clients):
            for channel in list(client.topics):
                if channel.split(".")[1] != market.native:
                    continue
                if channel.startswith("book."):
                    sides = (self._changed(market, change, BID), self._changed(market, change, ASK))
                    self.tell_book(client, market, self._book(market, channel, before, *sides))
                elif change.prints:
                    client.say(self._trades(market, channel, change))

    def beat(self) -> None:
        """Ask clients for a test that want heartbeats."""
        for client in list(self.clients):
            if client.state.get("heartbeat"):
                client.say('{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}')

    def reset(self, market: FakeMarket) -> None:
        """Restart the matching engine: every connection ends."""
        for client in list(self.clients):
            client.cut()

    def _market(self, channel: str) -> FakeMarket | None:
        parts = channel.split(".")
        market = self.markets.get(parts[1]) if len(parts) >= 3 and parts[0] in ("book", "trades") else None
        return market if market is not None and market.listed else None

    def _subscribe(self, client: Client, channel: str) -> None:
        if channel in client.topics:
            return
        client.topics[channel] = True
        if channel.startswith("book.") and (market := self._market(channel)):
            sides = ([("new", *level) for level in market.side(side)] for side in (BID, ASK))
            client.say(self._book(market, channel, None, *sides))
            self.snapshot_taken(market)

    def _answer(self, client: Client, key: Any, result: Any) -> None:
        now = time.time_ns() // 1000
        client.say(
            json.dumps({"jsonrpc": "2.0", "id": key, "result": result, "usIn": now, "usOut": now, "usDiff": 0,
                        "testnet": False})
        )  # fmt: skip

    def _changed(self, market: FakeMarket, change: Change, side: int) -> list[tuple[str, str, str]]:
        found = []
        for (of, price), size in change.levels.items():
            before = change.before[of, price]
            if of != side or (not before and not size):
                continue
            action = "new" if not before else "change" if size else "delete"
            found.append((action, market.price(price), market.size(size)))
        return found

    def _book(
        self,
        market: FakeMarket,
        channel: str,
        previous: int | None,
        bids: list[tuple[str, str, str]],
        asks: list[tuple[str, str, str]],
    ) -> str:
        sides = (
            f'"{name}":[' + ",".join(f'["{action}",{number(p)},{number(s)}]' for action, p, s in side) + "]"
            for name, side in (("bids", bids), ("asks", asks))
        )
        kind = '"type":"snapshot"' if previous is None else f'"type":"change","prev_change_id":{previous}'
        return (
            f'{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"{channel}","data":{{{kind},'
            f'"timestamp":{time.time_ns() // 10**6},"instrument_name":"{market.native}",'
            f'"change_id":{market.sequence},{",".join(sides)}}}}}}}'
        )

    def _trades(self, market: FakeMarket, channel: str, change: Change) -> str:
        trades = ",".join(
            f'{{"trade_seq":{p.trade_id},"trade_id":"{p.trade_id}","timestamp":{time.time_ns() // 10**6},'
            f'"tick_direction":0,"price":{number(market.price(p.price))},"instrument_name":"{market.native}",'
            f'"index_price":1.0,"direction":"{"buy" if p.buyer else "sell"}","amount":{number(market.size(p.size))}}}'
            for p in change.prints
        )
        return f'{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"{channel}","data":[{trades}]}}}}'

    async def _instruments(self, request: web.Request) -> web.Response:
        if (refusal := self.refusal()) is not None:
            return refusal
        currency = request.query.get("currency", "any")
        result = [self._instrument(m) for m in self.listed()]
        if currency != "any":
            result = [each for each in result if currency in (each["base_currency"], each["settlement_currency"])]
        return web.json_response({"jsonrpc": "2.0", "result": result, "usIn": 0, "usOut": 0, "usDiff": 0})

    def _instrument(self, market: FakeMarket) -> dict[str, Any]:
        base, quote, *rest = market.canonical.split("-")
        inverse = rest == ["PERP"] and quote == "USD"
        kind = ("future" if rest == ["PERP"] else "option") if rest else "spot"
        found: dict[str, Any] = {
            "instrument_name": market.native, "tick_size": float(market.price(1)), "is_active": True, "kind": kind,
            "min_trade_amount": float(market.size(1)), "contract_size": float(market.size(1)), "base_currency": base,
            "quote_currency": quote, "settlement_currency": base if inverse else quote, "counter_currency": quote,
            "state": "open",
        }  # fmt: skip
        if kind == "future":
            found |= {"settlement_period": "perpetual", "instrument_type": "reversed" if inverse else "linear"}
            found |= {"future_type": "reversed" if inverse else "linear", "expiration_timestamp": 32503708800000}
        return found

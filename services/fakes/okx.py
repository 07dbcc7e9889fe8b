"""A fake OKX v5: books with seqId and checksum, trades, text pings; REST lists and books."""

from __future__ import annotations

import json
import time
import zlib
from itertools import zip_longest
from typing import Any

from aiohttp import web

from services.fakes.book import ASK, BID, Change, FakeMarket
from services.fakes.client import Client
from services.fakes.venue import FakeVenue

CHECKED = 25
"""Levels a side in the checksum."""
BACK = 500
"""How far seqId goes back at a reset."""


class FakeOkx(FakeVenue):
    """OKX's protocol."""

    name = "okx"
    ws_path = "/ws/v5/public"

    def routes(self, app: web.Application) -> None:
        """Add instruments and books."""
        app.router.add_get("/api/v5/public/instruments", self._instruments)
        app.router.add_get("/api/v5/market/books", self._books)

    def on_text(self, client: Client, text: str) -> None:
        """Subscribe, unsubscribe, or answer a ping."""
        if text == "ping":
            client.say("pong")
            return
        try:
            wanted = json.loads(text)
            op, args = wanted["op"], wanted["args"]
        except (ValueError, KeyError, TypeError):
            client.say(json.dumps({"event": "error", "code": "60012", "msg": "Invalid request", "connId": "fake"}))
            return
        for arg in args:
            market = self.markets.get(arg.get("instId", ""))
            if market is None or not market.listed:
                what = f"Wrong URL or channel:{arg.get('channel')},instId:{arg.get('instId')} doesn't exist."
                client.say(json.dumps({"event": "error", "code": "60018", "msg": what, "connId": "fake"}))
                continue
            key = (arg["channel"], arg["instId"])
            if op == "subscribe":
                client.topics[key] = arg
            else:
                client.topics.pop(key, None)
            client.say(json.dumps({"event": op, "arg": arg, "connId": "fake"}))
            if op == "subscribe" and arg["channel"] == "books":
                client.say(self._message(market, "snapshot", -1, market.side(BID), market.side(ASK)))
                self.snapshot_taken(market)

    def publish(self, market: FakeMarket, change: Change) -> None:
        """Send an update, and a message a print."""
        self._publish(market, change, market.sequence + max(1, len(change.levels)))

    def _publish(self, market: FakeMarket, change: Change, sequence: int) -> None:
        before, market.sequence = market.sequence, sequence
        for client in list(self.clients):
            if ("books", market.native) in client.topics:
                wrong = self.faults.strikes("checksum")
                sides = (market.changed(change, BID), market.changed(change, ASK))
                self.tell_book(client, market, self._message(market, "update", before, *sides, wrong=wrong))
            if ("trades", market.native) in client.topics:
                for each in change.prints:
                    client.say(self._trade(market, each))

    def reset(self, market: FakeMarket) -> None:
        """Maintain: the next update is chained, but its number is lower."""
        self._publish(market, market.book.step(self.changes), market.sequence - BACK)

    def beat(self) -> None:
        """Keep books alive that nothing happens to."""
        if self.running:
            return
        for client in list(self.clients):
            for channel, native in list(client.topics):
                if channel == "books":
                    market = self.markets[native]
                    client.say(self._message(market, "update", market.sequence, [], []))

    def checksum(self, market: FakeMarket) -> int:
        """Return CRC32 of the best 25 levels, interleaved, as a signed number."""
        bids, asks = market.side(BID)[:CHECKED], market.side(ASK)[:CHECKED]
        words = [":".join(level) for pair in zip_longest(bids, asks) for level in pair if level]
        found = zlib.crc32(":".join(words).encode())
        return found - 2**32 if found >= 2**31 else found

    def _message(
        self,
        market: FakeMarket,
        action: str,
        previous: int,
        bids: list[tuple[str, str]],
        asks: list[tuple[str, str]],
        *,
        wrong: bool = False,
    ) -> str:
        data = {
            "asks": [[*level, "0", "1"] for level in asks], "bids": [[*level, "0", "1"] for level in bids],
            "ts": str(time.time_ns() // 10**6), "checksum": self.checksum(market) ^ wrong,
            "seqId": market.sequence, "prevSeqId": previous,
        }  # fmt: skip
        return json.dumps({"arg": {"channel": "books", "instId": market.native}, "action": action, "data": [data]})

    def _trade(self, market: FakeMarket, each: Any) -> str:
        data = {
            "instId": market.native, "tradeId": str(each.trade_id), "px": market.price(each.price),
            "sz": market.size(each.size), "side": "buy" if each.buyer else "sell",
            "ts": str(time.time_ns() // 10**6), "count": "1", "source": "0", "seqId": market.sequence,
        }  # fmt: skip
        return json.dumps({"arg": {"channel": "trades", "instId": market.native}, "data": [data]})

    async def _instruments(self, request: web.Request) -> web.Response:
        if (refusal := self.refusal()) is not None:
            return refusal
        wanted = request.query.get("instType", "")
        data = [each for m in self.listed() if (each := self._instrument(m))["instType"] == wanted]
        return web.json_response({"code": "0", "msg": "", "data": data})

    def _instrument(self, market: FakeMarket) -> dict[str, Any]:
        base, quote, *rest = market.canonical.split("-")
        found: dict[str, Any] = {
            "instId": market.native, "tickSz": market.price(1), "lotSz": market.size(1), "minSz": market.size(1),
            "state": "live", "alias": "", "expTime": "", "stk": "", "optType": "",
        }  # fmt: skip
        blank = dict.fromkeys(("ctMult", "ctType", "ctVal", "ctValCcy", "settleCcy", "uly", "baseCcy", "quoteCcy"), "")
        if not rest:
            return blank | found | {"instType": "SPOT", "baseCcy": base, "quoteCcy": quote}
        inverse = quote == "USD"
        contract = {
            "instType": "SWAP", "ctMult": "1", "ctType": "inverse" if inverse else "linear", "uly": f"{base}-{quote}",
            "ctVal": "100" if inverse else "0.01", "ctValCcy": "USD" if inverse else base,
            "settleCcy": base if inverse else quote,
        }  # fmt: skip
        return blank | found | contract

    async def _books(self, request: web.Request) -> web.Response:
        if (refusal := self.refusal()) is not None:
            return refusal
        market = self.markets.get(request.query.get("instId", ""))
        if market is None:
            return web.json_response({"code": "51001", "msg": "Instrument ID does not exist", "data": []})
        data = {
            "asks": [[*level, "0", "1"] for level in market.side(ASK)],
            "bids": [[*level, "0", "1"] for level in market.side(BID)],
            "ts": str(time.time_ns() // 10**6), "seqId": market.sequence,
        }  # fmt: skip
        return web.json_response({"code": "0", "msg": "", "data": [data]})

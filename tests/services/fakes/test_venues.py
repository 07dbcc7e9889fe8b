"""Every fake venue speaks its protocol: who follows it by the venue's own rules has the venue's own book."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Awaitable, Callable
from decimal import Decimal
from itertools import zip_longest
from typing import Any

import aiohttp
import pytest

from services.fakes.catalogue import PLAYS, new_fake
from services.fakes.venue import FakeVenue

Sides = tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]


class Follower:
    """A book that a few lines of the venue's rules keep."""

    def __init__(self) -> None:
        self.sides: Sides = ({}, {})
        self.id: int | None = None
        self.trades = 0

    def apply(self, bids: list[Any], asks: list[Any], *, fresh: bool) -> None:
        for side, levels in zip(self.sides, (bids, asks), strict=True):
            if fresh:
                side.clear()
            for price, size, *_ in levels:
                if Decimal(size):
                    side[Decimal(price)] = Decimal(size)
                else:
                    side.pop(Decimal(price), None)


def follow_bybit(f: Follower, m: dict[str, Any]) -> None:
    if m.get("topic", "").startswith("orderbook"):
        fresh = m["type"] == "snapshot"
        assert fresh or m["data"]["u"] == f.id + 1
        f.id = m["data"]["u"]
        f.apply(m["data"]["b"], m["data"]["a"], fresh=fresh)
    elif m.get("topic", "").startswith("publicTrade"):
        assert {t["S"] for t in m["data"]} <= {"Buy", "Sell"}
        f.trades += len(m["data"])


def follow_okx(f: Follower, m: dict[str, Any]) -> None:
    if m.get("arg", {}).get("channel") == "books" and "data" in m:
        (d,) = m["data"]
        assert d["prevSeqId"] == (-1 if m["action"] == "snapshot" else f.id)
        f.id = d["seqId"]
        f.apply(d["bids"], d["asks"], fresh=m["action"] == "snapshot")
        bids = sorted(f.sides[0].items(), reverse=True)[:25]
        pairs = zip_longest(bids, sorted(f.sides[1].items())[:25])
        words = [f"{p}:{s}" for pair in pairs for p, s in filter(None, pair)]
        assert d["checksum"] & 0xFFFFFFFF == zlib.crc32(":".join(words).encode())
    elif m.get("arg", {}).get("channel") == "trades" and "data" in m:
        f.trades += 1


def follow_deribit(f: Follower, m: dict[str, Any]) -> None:
    channel, d = m.get("params", {}).get("channel", ""), m.get("params", {}).get("data")
    if channel.startswith("book."):
        assert d.get("prev_change_id", f.id) == f.id or d["type"] == "snapshot"
        f.id = d["change_id"]
        for action, price, size in d["bids"] + d["asks"]:
            assert (action == "delete") == (size == 0)
            known = Decimal(str(price)) in f.sides[0] or Decimal(str(price)) in f.sides[1]
            assert d["type"] == "snapshot" or (action == "new") != known
        bids, asks = ([(str(p), str(s)) for _, p, s in d[side]] for side in ("bids", "asks"))
        f.apply(bids, asks, fresh=d["type"] == "snapshot")
    elif channel.startswith("trades."):
        f.trades += len(d)


def follow_coinbase(f: Follower, m: dict[str, Any]) -> None:
    assert m["sequence_num"] == (0 if f.id is None else f.id + 1)
    f.id = m["sequence_num"]
    for event in m["events"]:
        if m["channel"] == "l2_data":
            bids, asks = (
                [(u["price_level"], u["new_quantity"]) for u in event["updates"] if u["side"] == side]
                for side in ("bid", "offer")
            )
            f.apply(bids, asks, fresh=event["type"] == "snapshot")
        elif m["channel"] == "market_trades":
            f.trades += len(event["trades"])


def follow_exchange(f: Follower, m: dict[str, Any]) -> None:
    if m["type"] == "snapshot":
        f.apply(m["bids"], m["asks"], fresh=True)
    elif m["type"] == "l2update":
        bids, asks = ([(p, s) for of, p, s in m["changes"] if of == side] for side in ("buy", "sell"))
        f.apply(bids, asks, fresh=False)
    elif m["type"] == "match":
        f.trades += 1


def follow_binance(f: Follower, m: dict[str, Any]) -> None:
    if m.get("e") == "depthUpdate":
        previous = m["pu"] if "pu" in m else m["U"] - 1
        assert f.id is None or previous == f.id
        f.id = m["u"]
        f.apply(m["b"], m["a"], fresh=False)
    elif m.get("e") == "trade":
        f.trades += 1


def binance_says(native: str) -> list[Any]:
    streams = [f"{native.lower()}@depth@100ms", f"{native.lower()}@trade"]
    return [{"method": "SUBSCRIBE", "params": streams, "id": 1}]


def bybit_says(native: str) -> list[Any]:
    return [{"op": "subscribe", "args": [f"orderbook.50.{native}", f"publicTrade.{native}"]}, {"op": "ping"}]


def okx_says(native: str) -> list[Any]:
    return [{"op": "subscribe", "args": [{"channel": c, "instId": native} for c in ("books", "trades")]}]


def deribit_says(native: str) -> list[Any]:
    channels = [f"book.{native}.100ms", f"trades.{native}.100ms"]
    return [{"jsonrpc": "2.0", "id": 1, "method": "public/subscribe", "params": {"channels": channels}}]


def coinbase_says(native: str) -> list[Any]:
    return [
        {"type": "subscribe", "product_ids": [native], "channel": c} for c in ("level2", "market_trades", "heartbeats")
    ]


def exchange_says(native: str) -> list[Any]:
    return [{"type": "subscribe", "product_ids": [native], "channels": ["level2_batch", "matches", "heartbeat"]}]


WAYS: dict[str, tuple[Callable[[str], list[Any]], Callable[[Follower, dict[str, Any]], None]]] = {
    "binance": (binance_says, follow_binance),
    "bybit": (bybit_says, follow_bybit),
    "okx": (okx_says, follow_okx),
    "deribit": (deribit_says, follow_deribit),
    "coinbase": (coinbase_says, follow_coinbase),
    "coinbase_exchange": (exchange_says, follow_exchange),
}


async def follow(name: str, fake: FakeVenue, until: Callable[[Follower], Any]) -> Follower:
    """Follow the first market of a fake venue until something holds."""
    say, take = WAYS.get(name) or WAYS[name.partition("_")[0]]
    (market, *_) = fake.markets.values()
    f = Follower()
    if name.startswith("binance"):
        # From REST's place on: nothing has moved yet.
        f.sides = tuple({Decimal(p): Decimal(s) for p, s in fake.truth(market)[k]} for k in ("bids", "asks"))
    async with aiohttp.ClientSession() as session, session.ws_connect(fake.ws) as ws:
        for each in say(market.native):
            await ws.send_str(json.dumps(each))
        await asyncio.sleep(0.05)
        fake.running = True
        while not until(f):
            message = await ws.receive(timeout=5)
            assert message.type is aiohttp.WSMsgType.TEXT, message
            take(f, json.loads(message.data))
    return f


def play(name: str, body: Callable[[FakeVenue], Awaitable[None]], **options: Any) -> None:
    """Run something against a fake venue."""

    async def run() -> None:
        fake = new_fake(name, rate=400.0, **options)
        fake.running = False
        await fake.start()
        try:
            await body(fake)
        finally:
            await fake.stop()

    asyncio.run(run())


@pytest.mark.parametrize("name", PLAYS)
def test_who_follows_has_the_venues_book(name: str) -> None:
    """After hundreds of messages, by the venue's own numbers and, at OKX, checksums."""

    async def body(fake: FakeVenue) -> None:
        (market, *_) = fake.markets.values()
        told = 0

        def enough(f: Follower) -> bool:
            nonlocal told
            told += 1
            fake.running = told < 300
            right = all(
                side == {Decimal(p): Decimal(s) for p, s in fake.truth(market)[k]}
                for side, k in zip(f.sides, ("bids", "asks"), strict=True)
            )
            return not fake.running and right

        f = await follow(name, fake, enough)
        assert f.trades > 10

    play(name, body)


def test_one_seed_makes_one_market() -> None:
    """The same seed gives the same books after as many steps, another seed others."""
    books = []
    for seed in (1, 1, 2):
        (market, *_) = new_fake("okx", seed=seed).markets.values()
        for _ in range(200):
            market.book.step(3)
        books.append([market.book.ranked(side) for side in (0, 1)])
    assert books[0] == books[1] != books[2]


def test_a_book_is_never_crossed_and_stays_small() -> None:
    """Bids stay below asks, and no side grows beyond what the shallowest channel shows."""
    (market, *_) = new_fake("binance", seed=3).markets.values()
    prints = 0
    for _ in range(3000):
        prints += len(market.book.step(3).prints)
        assert market.book.best(0) < market.book.best(1)
        assert max(len(side) for side in market.book.sides) < 50
    assert prints > 300


def test_a_spot_request_of_too_many_topics_is_refused_whole() -> None:
    """As Bybit does with more than ten."""

    async def body(fake: FakeVenue) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(fake.ws) as ws:
            await ws.send_str(json.dumps({"op": "subscribe", "args": ["publicTrade.BTCUSDT"] * 11}))
            assert json.loads((await ws.receive()).data)["success"] is False

    play("bybit", body)


def test_raw_needs_a_key() -> None:
    """As Deribit says: error 13778."""

    async def body(fake: FakeVenue) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(fake.ws) as ws:
            await ws.send_str(
                json.dumps({"id": 7, "method": "public/subscribe", "params": {"channels": ["book.BTC-PERPETUAL.raw"]}})
            )
            answer = json.loads((await ws.receive()).data)
            assert (answer["id"], answer["error"]["code"]) == (7, 13778)

    play("deribit", body)


def test_the_control_api_arms_faults_and_tells_the_truth() -> None:
    """What is armed is counted when it strikes; a fault or a symbol that does not exist is refused by name."""

    async def body(fake: FakeVenue) -> None:
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{fake.rest}/fake/fault", json={"kind": "too_many"}) as answer:
                assert (await answer.json())["armed"] == {"too_many": 1}
            async with session.get(f"{fake.rest}/api/v3/exchangeInfo") as answer:
                assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
            async with session.get(f"{fake.rest}/fake/status") as answer:
                assert (await answer.json())["faults"] == {"too_many": 1}
            async with session.post(f"{fake.rest}/fake/fault", json={"kind": "dropp"}) as answer:
                assert answer.status == 400
            async with session.get(f"{fake.rest}/fake/truth?symbol=BTC-USDT") as answer:
                assert len((await answer.json())["bids"]) == 20
            async with session.get(f"{fake.rest}/fake/truth?symbol=BTC-NONE") as answer:
                assert answer.status == 404

    play("binance", body)

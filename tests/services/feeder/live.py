"""A feeder, a fake venue and a consumer's engine in one process; WebSockets, REST and multicast are real."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import aiohttp
import msgspec

from libs.book.reader import snapshot_levels
from libs.market.exchanges import exchange_id
from services.fakes.book import FakeMarket, TruthBook
from services.fakes.venue import FakeVenue
from services.feeder.app import Feeder
from services.feeder.settings import FeedSettings, Settings
from services.feeder.venues import Feed
from tests.libs.engine.harness import Host
from tests.libs.sending.listen import open_ear

GROUP = "239.192.7.3"
PATIENCE_S = 60.0
Book = tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]


def spot(*symbols: str, seed: int = 1) -> list[FakeMarket]:
    """Return markets of a spot venue that writes BTC-USDT as BTCUSDT."""
    return [
        FakeMarket(s.replace("-", ""), s, (1, -2), (1, -5), TruthBook(f"{seed} {s}", 6_000_000 + 1000 * k))
        for k, s in enumerate(symbols)
    ]


class Live:
    """Runs everything while it is entered.

    Parameters
    ----------
    port : int
        Of the group.
    feeds : dict
        Feed by name.
    venues : dict
        The fake venue that plays each feed.
    settings : object
        More settings of the feeder.
    """

    def __init__(self, port: int, feeds: dict[str, Feed], venues: dict[str, FakeVenue], **settings: Any) -> None:
        self.port, self.feeds, self.venues, self.more = port, feeds, venues, settings
        self.host = Host(max_books=64, max_symbols=64)
        self.datagrams: list[bytes] = []
        self.ear: socket.socket = open_ear(GROUP, port)

    async def __aenter__(self) -> Live:
        for venue in self.venues.values():
            await venue.start()
        plain = {"group": GROUP, "port": self.port, "recovery_port": 0, "backoff_s": 0.05, "longest_backoff_s": 0.2}
        wanted = {
            name: FeedSettings(
                symbols=tuple(m.canonical for m in venue.markets.values()), ws=venue.root, rest=venue.rest
            )
            for name, venue in self.venues.items()
        }
        self.settings = msgspec.structs.replace(msgspec.convert(plain | self.more, Settings), feeds=wanted)
        self.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        self.feeder = Feeder(self.settings, self.feeds, "test")
        await self.feeder.prepare(self.session)
        asyncio.get_running_loop().add_reader(self.ear.fileno(), self._hear)
        await self.feeder.feed()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.feeder.end_session()
        await self.feeder._ended
        asyncio.get_running_loop().remove_reader(self.ear.fileno())
        self._hear()
        self.feeder.recovery.stop()
        self.feeder.transmission.close()
        self.ear.close()
        await self.session.close()
        for venue in self.venues.values():
            await venue.stop()

    def _hear(self) -> None:
        while True:
            try:
                data = self.ear.recv(65_536)
            except BlockingIOError:
                return
            self.datagrams.append(data)
            self.host.take_bytes(data)

    async def until(self, holds: Callable[[], Any], what: str = "") -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline, what or self.said()
            await asyncio.sleep(0.01)

    def said(self) -> str:
        """Return what there is to know when a wait was in vain."""
        return str({c.name: (c.last_reason, dict(c.core.counts)) for c in self.feeder.hub.connections})

    def book(self, exchange: str, symbol: str) -> Book:
        """Return the consumer's book in decimals."""
        books, b = self.host.engine.books, self.host.id_of(symbol, exchange_id(exchange))
        view = snapshot_levels(books, b, 64)
        assert view is not None
        price, size = view.price_exp, view.size_exp
        bids, asks = (
            {Decimal(p).scaleb(price): Decimal(s).scaleb(size) for p, s in side} for side in (view.bids, view.asks)
        )
        return bids, asks

    def equal(self, name: str, venue: FakeVenue | None = None) -> bool:
        """Return whether the consumer's valid books of a feed are the venue's own, all of them."""
        fake, exchange = venue or self.venues[name], self.feeds[name].exchange
        number = exchange_id(exchange)
        return all(
            self.host.id_of(m.canonical, number) >= 0
            and self.host.valid(m.canonical, number)
            and self.book(exchange, m.canonical) == truth(fake, m)
            for m in fake.listed()
        )

    async def settles(self, name: str) -> None:
        """Hold the venue, wait until the consumer's books are equal to it, and let it go on."""
        self.venues[name].running = False
        try:
            await self.until(lambda: self.equal(name), f"{name} does not settle")
        finally:
            self.venues[name].running = True


def truth(venue: FakeVenue, market: FakeMarket) -> Book:
    """Return the venue's own book in decimals."""
    found = venue.truth(market)
    bids, asks = ({Decimal(p): Decimal(s) for p, s in found[side]} for side in ("bids", "asks"))
    return bids, asks

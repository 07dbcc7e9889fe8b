"""What all fake venues share: markets that move, clients, faults, and a control API for tests and people."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from services.fakes.book import ASK, BID, Change, FakeMarket
from services.fakes.client import Client
from services.fakes.faults import Faults

PING_S = 5.0
"""Shorter than any venue's, so that a test sees one."""
RETRY_AFTER_S = 1


class FakeVenue:
    """A venue on 127.0.0.1.

    Parameters
    ----------
    markets : iterable of FakeMarket
    seed : int
    rate : float
        Book messages a second over all symbols.
    changes : int
        Orders a message.
    odds : dict, optional
        Of each kind of fault, a message.
    """

    name = ""
    ws_path = "/ws"

    def __init__(
        self,
        markets: Iterable[FakeMarket],
        seed: int = 1,
        rate: float = 100.0,
        changes: int = 3,
        odds: dict[str, float] | None = None,
    ) -> None:
        self.markets = {m.native: m for m in markets}
        self.rate, self.changes = rate, changes
        self.faults = Faults(f"{seed} {self.name}", odds)
        self.clients: set[Client] = set()
        self.running = True
        self.steps = self.requests = 0
        self.connections = 0
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._resynced: set[str] = set()

    # What a venue says in its own way.

    def routes(self, app: web.Application) -> None:
        """Add the venue's REST routes."""

    def on_text(self, client: Client, text: str) -> None:
        """Answer what a client says."""

    def on_open(self, client: Client) -> None:
        """Greet a client, where the venue does."""

    def publish(self, market: FakeMarket, change: Change) -> None:
        """Tell the clients what a step did."""

    def beat(self) -> None:
        """Send what the venue sends by the clock, once a second."""

    def reset(self, market: FakeMarket) -> None:
        """Do to a symbol what the venue calls a reset."""

    # What they share.

    async def start(self, port: int = 0) -> None:
        """Listen, and let the markets move."""
        app = web.Application()
        app.router.add_get("/fake/truth", self._truth)
        app.router.add_get("/fake/status", self._status)
        app.router.add_post("/fake/{action}", self._control)
        self.routes(app)
        app.router.add_get("/{tail:.*}", self._socket)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._tasks = [asyncio.create_task(self._move()), asyncio.create_task(self._keep_beating())]

    async def stop(self) -> None:
        """Cut every client off and close."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for client in list(self.clients):
            client.cut()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def root(self) -> str:
        """Root of the WebSocket's address."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        """Address of the WebSocket."""
        return self.root + self.ws_path

    @property
    def rest(self) -> str:
        """Root of REST."""
        return f"http://127.0.0.1:{self.port}"

    def listed(self) -> list[FakeMarket]:
        """Return the markets that are traded."""
        return [m for m in self.markets.values() if m.listed]

    def refusal(self) -> web.Response | None:
        """Return what a REST request gets instead of an answer, when something is to go wrong."""
        self.requests += 1
        for kind, status in (("too_many", 429), ("banned", 418)):
            if self.faults.strikes(kind):
                return web.json_response(
                    {"code": -1003, "msg": "Too many requests"}, status=status,
                    headers={"Retry-After": str(RETRY_AFTER_S)},
                )  # fmt: skip
        return None

    def tell_book(self, client: Client, market: FakeMarket, text: str) -> None:
        """Send a book message to a client, past the faults."""
        fresh = market.native in self._resynced
        self._resynced.discard(market.native)
        client.say_book(text, market.native, after_snapshot=fresh)

    def snapshot_taken(self, market: FakeMarket) -> None:
        """Note that somebody has just got a snapshot."""
        self._resynced.add(market.native)

    def step(self, market: FakeMarket) -> None:
        """Move one market and tell everyone."""
        if self.faults.strikes("reset"):
            self.reset(market)
        if self.faults.strikes("delist"):
            market.listed = False
            return
        self.steps += 1
        self.publish(market, market.book.step(self.changes))

    async def _move(self) -> None:
        began, done, at = time.monotonic(), 0, 0
        while True:
            await asyncio.sleep(0.002)
            due = int((time.monotonic() - began) * self.rate)
            if not self.running:
                done = due
            open_ = self.listed()
            for _ in range(min(due - done, 200)):
                if open_:
                    at = (at + 1) % len(open_)
                    self.step(open_[at])
            done = due

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.beat()

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(autoping=False, heartbeat=None, max_msg_size=1 << 20)
        if not ws.can_prepare(request).ok:
            return web.json_response({"error": "no such path"}, status=404)
        await ws.prepare(request)
        client = Client(ws, request, self.faults)
        self.clients.add(client)
        self.connections += 1
        tasks = [asyncio.create_task(client.write()), asyncio.create_task(self._ping(client))]
        try:
            self.on_open(client)
            while (message := await client.read()) is not None:
                self.on_text(client, message.data)
        finally:
            self.clients.discard(client)
            for task in tasks:
                task.cancel()
        return ws

    async def _ping(self, client: Client) -> None:
        while True:
            await asyncio.sleep(PING_S)
            if not client.half_open and not client.ws.closed:
                await client.ws.ping(str(time.time_ns() // 10**6).encode())

    def truth(self, market: FakeMarket) -> dict[str, Any]:
        """Return a market's book as it is."""
        return {
            "symbol": market.canonical,
            "native": market.native,
            "sequence": market.sequence,
            "listed": market.listed,
            "bids": market.side(BID),
            "asks": market.side(ASK),
        }

    async def _truth(self, request: web.Request) -> web.Response:
        wanted = request.query.get("symbol", "")
        for market in self.markets.values():
            if wanted in (market.native, market.canonical):
                return web.json_response(self.truth(market))
        return web.json_response({"error": f"no symbol {wanted}; known: {', '.join(self.markets)}"}, status=404)

    async def _status(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "venue": self.name, "running": self.running, "clients": len(self.clients), "steps": self.steps,
                "connections": self.connections, "requests": self.requests, "faults": dict(self.faults.done),
                "armed": dict(self.faults.armed),
            }
        )  # fmt: skip

    async def _control(self, request: web.Request) -> web.Response:
        action = request.match_info["action"]
        if action in ("pause", "resume"):
            self.running = action == "resume"
        elif action == "fault":
            try:
                wanted = json.loads(await request.read() or b"{}")
                self.faults.arm(str(wanted["kind"]), int(wanted.get("count", 1)))
            except (KeyError, ValueError, TypeError) as error:
                return web.json_response({"error": str(error)}, status=400)
        else:
            return web.json_response({"error": f"no action {action}; known: pause, resume, fault"}, status=404)
        return await self._status(request)

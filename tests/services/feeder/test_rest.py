"""REST within a budget, against a real server."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web

from libs.venues.core import Fetch
from services.feeder.rest import MOST_WAITING, Rest, Wish

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def against(handler: Handler, body: Callable[[Rest], Awaitable[None]], weight_per_min: float = 60_000.0) -> None:
    """Run something with a client of a server."""

    async def run() -> None:
        app = web.Application()
        app.router.add_get("/{tail:.*}", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        root = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        async with aiohttp.ClientSession() as session:
            await body(Rest(root, session, weight_per_min, random.Random(1), timeout_s=0.5))
        await runner.cleanup()

    asyncio.run(run())


def test_nothing_is_asked_while_the_venue_wants_silence() -> None:
    """After 429 or 418 for as long as Retry-After says, whatever else is wanted."""
    times: list[float] = []

    async def handler(request: web.Request) -> web.Response:
        times.append(time.monotonic())
        if len(times) == 1:
            return web.Response(status=418, headers={"Retry-After": "1"})
        return web.Response(text="[]")

    async def body(rest: Rest) -> None:
        assert await rest.get("/a", 1) is None
        assert await asyncio.gather(rest.get("/b", 1), rest.get("/c", 1)) == [b"[]", b"[]"]
        assert min(times[1:]) - times[0] >= 1.0
        assert dict(rest.counts) == {"418": 1, "ok": 2}

    against(handler, body)


def test_requests_keep_the_budget() -> None:
    """A tenth of a minute's weight at once, then no faster than it comes back."""

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text="x")

    async def body(rest: Rest) -> None:
        began = time.monotonic()
        for _ in range(8):
            await rest.get("/", 5)
        # 60 at once, 10 a second: 8 × 5 take none of it; the next 8 × 5 take 2 s.
        assert time.monotonic() - began < 1.0
        for _ in range(8):
            await rest.get("/", 5)
        assert time.monotonic() - began > 1.5

    against(handler, body, weight_per_min=600.0)


def test_a_failure_is_told_after_a_while() -> None:
    """So that a core that asks again at once does not spin; a slow answer counts as one."""

    async def handler(request: web.Request) -> web.Response:
        if "slow" in request.path:
            await asyncio.sleep(2.0)
        return web.Response(status=500)

    async def body(rest: Rest) -> None:
        told: asyncio.Queue[bytes | None] = asyncio.Queue()
        worker = asyncio.create_task(rest.run())
        for path in ("/x", "/slow"):
            rest.ask(Wish(Fetch("A", path, 1), told.put_nowait))
        assert [await told.get(), await told.get()] == [None, None]
        assert dict(rest.counts) == {"500": 1, "error": 1}
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)

    against(handler, body)


def test_a_line_that_is_too_long_is_refused() -> None:
    """At once, and counted."""

    async def handler(request: web.Request) -> web.Response:
        return web.Response()

    async def body(rest: Rest) -> None:
        told: list[bytes | None] = []
        for _ in range(MOST_WAITING + 1):
            rest.ask(Wish(Fetch("A", "/", 1), told.append))
        assert (told, rest.counts["too_many"], rest.waiting) == ([None], 1, MOST_WAITING)

    against(handler, body)

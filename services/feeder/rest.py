"""REST of one venue: requests within its budget of weight, and silence when it asks for silence."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import aiohttp

from libs.venues.core import Fetch
from services.feeder.limits import SECOND_NS, Bucket, FullJitter

LONGEST_ANSWER = 64 << 20
DEFAULT_RETRY_S = 5.0
LONGEST_RETRY_S = 3 * 86_400.0
"""Binance bans for up to three days (418)."""
MOST_WAITING = 4096


class Wish(NamedTuple):
    """A request that waits for its turn; ``deliver`` is given the body, or None when it came to nothing."""

    fetch: Fetch
    deliver: Callable[[bytes | None], None]


class Rest:
    """The REST client of one feed.

    Parameters
    ----------
    root : str
        What paths are put behind.
    session : aiohttp.ClientSession
    weight_per_min : float
        The budget.
    rng : random.Random
        Of the wait after a failure.
    timeout_s : float
    workers : int
        Requests under way at the most.

    Attributes
    ----------
    counts : Counter of str
        ``ok``, ``429``, ``418``, another status, or ``error``.
    """

    def __init__(
        self,
        root: str,
        session: aiohttp.ClientSession,
        weight_per_min: float,
        rng: random.Random,
        timeout_s: float = 10.0,
        workers: int = 4,
    ) -> None:
        self.root, self.session, self.workers = root.rstrip("/"), session, workers
        self.timeout = aiohttp.ClientTimeout(total=timeout_s)
        self.counts: Counter[str] = Counter()
        self.silent_until_ns = 0
        self._backoff = FullJitter(0.1, 5.0, rng)
        self._bucket = Bucket(weight_per_min / 10, weight_per_min / 60)
        self._waiting: asyncio.Queue[Wish] = asyncio.Queue(MOST_WAITING)

    def ask(self, wish: Wish) -> None:
        """Put a request in line; one too many fails at once."""
        try:
            self._waiting.put_nowait(wish)
        except asyncio.QueueFull:
            self.counts["too_many"] += 1
            wish.deliver(None)

    @property
    def waiting(self) -> int:
        """Requests in line."""
        return self._waiting.qsize()

    async def run(self) -> None:
        """Work the line off until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            wish = await self._waiting.get()
            body = await self.get(wish.fetch.path, wish.fetch.weight)
            if body is None:
                # Whoever asked will ask again, at once.
                await asyncio.sleep(self._backoff.next_s())
            else:
                self._backoff.succeed()
            wish.deliver(body)

    async def get(self, path: str, weight: int) -> bytes | None:
        """Return the answer to one request, sent when the budget has room; None when it came to nothing."""
        await self._turn(weight)
        try:
            async with self.session.get(self.root + path, timeout=self.timeout) as answer:
                if answer.status == 200:
                    body = await _body(answer)
                    self.counts["ok" if body is not None else "error"] += 1
                    return body
                self.counts[str(answer.status)] += 1
                if answer.status in (418, 429):
                    self._be_silent(answer.headers.get("Retry-After", ""))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            self.counts["error"] += 1
        return None

    async def _turn(self, weight: int) -> None:
        while True:
            now = time.monotonic_ns()
            wait = self.silent_until_ns - now
            if wait <= 0:
                wait = self._bucket.wait_ns(weight, now)
            if wait <= 0:
                return
            await asyncio.sleep(wait / SECOND_NS)

    def _be_silent(self, retry_after: str) -> None:
        try:
            seconds = min(max(float(retry_after), 0.0), LONGEST_RETRY_S)
        except ValueError:
            seconds = DEFAULT_RETRY_S
        self.silent_until_ns = max(self.silent_until_ns, time.monotonic_ns() + int(seconds * SECOND_NS))


async def _body(answer: aiohttp.ClientResponse) -> bytes | None:
    """Return the whole body, or None when it is longer than any venue's answer."""
    parts, size = [], 0
    async for part in answer.content.iter_chunked(1 << 16):
        parts.append(part)
        size += len(part)
        if size > LONGEST_ANSWER:
            return None
    return b"".join(parts)

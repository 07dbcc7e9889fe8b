"""One WebSocket of one venue: opened, kept alive, turned over before the venue does, opened again when it is lost.

It only carries: what comes in goes to the inbox in order, what the core wishes to send comes from :meth:`send`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter, deque
from typing import Literal

import aiohttp

from libs.venues.core import VenueCore
from services.feeder.inbox import CLOSED, MESSAGE, OPENED, Inbox, Item
from services.feeder.limits import SECOND_NS, Bucket, FullJitter
from services.feeder.venues import Feed

WebSocket = aiohttp.ClientWebSocketResponse[Literal[False]]
LONGEST_MESSAGE = 64 << 20
MOST_UNSENT = 4096
OPEN_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 0.25
PING = ""
"""Stands among the messages to be sent for a ping."""
STEADY_S = 10.0
"""A connection that held for so long ends a row of failures."""


class Connection:
    """A connection and the core of its symbols.

    Parameters
    ----------
    name : str
        Of the feed, with a number.
    feed : Feed
    url : str
    core : VenueCore
    inbox : Inbox
    session : aiohttp.ClientSession
    openings : Bucket
        Of the venue: connections in a time.
    rng : random.Random

    Attributes
    ----------
    generation : int
        Goes up with each opening; what an older one wished for is dropped.
    heard_ns : int
        When the last frame of any kind came, on CLOCK_MONOTONIC; 0 while it is not open.
    held_up : bool
        Whether the reader waits for room in the inbox: then silence is ours.
    """

    def __init__(
        self,
        name: str,
        feed: Feed,
        url: str,
        core: VenueCore,
        inbox: Inbox,
        session: aiohttp.ClientSession,
        openings: Bucket,
        rng: random.Random,
    ) -> None:
        self.name, self.feed, self.url, self.core, self.inbox = name, feed, url, core, inbox
        self.session, self.openings, self.rng = session, openings, rng
        self.counts: Counter[str] = Counter()
        self.generation = self.heard_ns = self.opened_ns = 0
        self.held_up = False
        self.last_reason = ""
        self.backoff = FullJitter(feed.backoff_s, feed.longest_backoff_s, rng)
        self._ws: WebSocket | None = None
        self._unsent: deque[str] = deque()
        self._more = asyncio.Event()
        self._closing = asyncio.Event()

    @property
    def open(self) -> bool:
        """Whether there is a connection now."""
        return self._ws is not None

    async def run(self) -> None:
        """Open, carry and open again until cancelled."""
        while True:
            await self._await_opening()
            began = time.monotonic()
            try:
                async with asyncio.timeout(OPEN_TIMEOUT_S):
                    ws = await self.session.ws_connect(
                        self.url,
                        max_msg_size=LONGEST_MESSAGE,
                        autoping=False,
                        autoclose=False,
                        compress=15,
                        decode_text=False,
                    )
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self.counts["refused"] += 1
                self.last_reason = f"cannot open: {type(error).__name__}"
            else:
                await self._carry(ws)
                if time.monotonic() - began >= STEADY_S:
                    self.backoff.succeed()
            await asyncio.sleep(self.backoff.next_s())

    def send(self, text: str, generation: int) -> None:
        """Queue a message of the core's; one that an earlier connection wished for is dropped."""
        if generation != self.generation or not self.open:
            return
        if len(self._unsent) >= MOST_UNSENT:
            self.close("too many messages wait to be sent")
            return
        self._unsent.append(text)
        self._more.set()

    def close(self, reason: str) -> None:
        """Give this connection up and open another."""
        if self.open and not self._closing.is_set():
            self.last_reason = reason
            self._closing.set()

    def ask_for_life(self) -> None:
        """Ping, unless one is under way."""
        if PING not in self._unsent:
            self._unsent.append(PING)
            self._more.set()

    async def _await_opening(self) -> None:
        while wait := self.openings.wait_ns(1, time.monotonic_ns()):
            await asyncio.sleep(wait / SECOND_NS)

    async def _carry(self, ws: WebSocket) -> None:
        """Carry messages until the connection ends, for whatever reason."""
        self._ws = ws
        self.generation += 1
        self.counts["opened"] += 1
        self._unsent.clear()
        self._closing.clear()
        self.heard_ns = self.opened_ns = time.monotonic_ns()
        self.inbox.put_now(Item(OPENED, self, self.opened_ns, generation=self.generation))
        # The venue cuts at a time of its own: before that, and not all connections at once.
        lifetime_s = self.feed.rotate_s * self.rng.uniform(0.8, 1.0)
        tasks = [
            asyncio.create_task(self._read(ws)),
            asyncio.create_task(self._write(ws)),
            asyncio.create_task(self._closing.wait()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, timeout=lifetime_s, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                self.counts["rotated"] += 1
                self.last_reason = "turned over before the venue cuts"
                self.backoff.succeed()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._ws, self.heard_ns = None, 0
            self.counts["closed"] += 1
            self.inbox.put_now(Item(CLOSED, self, time.monotonic_ns(), generation=self.generation))
            with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await ws.close()

    async def _read(self, ws: WebSocket) -> None:
        while True:
            frame = await ws.receive()
            now = time.monotonic_ns()
            if frame.type is aiohttp.WSMsgType.TEXT or frame.type is aiohttp.WSMsgType.BINARY:
                self.heard_ns, self.held_up = now, True
                await self.inbox.put(Item(MESSAGE, self, now, frame.data, generation=self.generation))
                self.held_up = False
            elif frame.type is aiohttp.WSMsgType.PING:
                await ws.pong(frame.data)
            elif frame.type is not aiohttp.WSMsgType.PONG:
                self.last_reason = f"{frame.type.name.lower()} {ws.close_code or ''}".strip()
                return
            self.heard_ns = now

    async def _write(self, ws: WebSocket) -> None:
        """Send what is queued, no faster than the venue takes it."""
        bucket = Bucket(max(1.0, self.feed.messages_per_s), self.feed.messages_per_s)
        while True:
            while not self._unsent:
                self._more.clear()
                await self._more.wait()
            if wait := bucket.wait_ns(1, time.monotonic_ns()):
                await asyncio.sleep(wait / SECOND_NS)
                continue
            try:
                text = self._unsent.popleft()
                await (ws.ping() if text == PING else ws.send_str(text))
            except (ConnectionError, RuntimeError, aiohttp.ClientError):
                self.last_reason = "lost while sending"
                return

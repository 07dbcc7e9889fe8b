"""One connection to a fake venue: what it is subscribed to, and what goes wrong on its way."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from aiohttp import WSMessage, WSMsgType, web

from services.fakes.faults import Faults

MOST_QUEUED = 20_000
SLOW_S, SLOW_FOR = 0.05, 20
GARBAGE = '{"e":"depthUpdate","E":17'


class Client:
    """A client of a fake venue.

    Parameters
    ----------
    ws : web.WebSocketResponse
    request : web.Request
    faults : Faults

    Attributes
    ----------
    topics : dict
        What it is subscribed to, each with whatever the venue keeps for it.
    state : dict
        Whatever the venue keeps for the connection.
    """

    def __init__(self, ws: web.WebSocketResponse, request: web.Request, faults: Faults) -> None:
        self.ws, self.request, self.faults = ws, request, faults
        self.topics: dict[Any, Any] = {}
        self.state: dict[str, Any] = {}
        self.half_open = False
        self.overflowed = 0
        self._slow = 0
        self._held: tuple[str, str] | None = None
        self._queue: asyncio.Queue[str] = asyncio.Queue(MOST_QUEUED)

    def say(self, text: str) -> None:
        """Send a text as it is; a client that does not read is cut off."""
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            self.overflowed += 1
            self.cut()

    def say_book(self, text: str, symbol: str, *, after_snapshot: bool = False) -> None:
        """Send a symbol's book message, unless something goes wrong with it."""
        faults = self.faults
        if faults.strikes("drop") or (after_snapshot and faults.strikes("gap_in_resync")):
            return
        if faults.strikes("garbage"):
            self.say(GARBAGE)
        if faults.strikes("slow"):
            self._slow = SLOW_FOR
        if faults.strikes("half_open"):
            self.half_open = True
        if faults.strikes("disconnect"):
            self.cut(text)
            return
        if self._held is None and faults.strikes("reorder"):
            self._held = symbol, text
            return
        self.say(text)
        if faults.strikes("duplicate"):
            self.say(text)
        if self._held is not None and self._held[0] == symbol:
            self.say(self._held[1])
            self._held = None

    def cut(self, within: str = "") -> None:
        """End the connection without a word, or within a message."""
        transport = self.request.transport
        if transport is not None:
            if within:
                # The head of a frame that announces more than follows.
                transport.write(b"\x81\x7e" + len(within.encode()).to_bytes(2, "big") + within.encode()[:20])
            transport.abort()

    async def write(self) -> None:
        """Send what is queued until cancelled."""
        while True:
            text = await self._queue.get()
            while self.half_open:
                await asyncio.sleep(3600)
            if self._slow:
                self._slow -= 1
                await asyncio.sleep(SLOW_S)
            with contextlib.suppress(ConnectionError, RuntimeError):
                await self.ws.send_str(text)

    async def read(self) -> WSMessage | None:
        """Return the next text of the client, having answered pings; None at the end."""
        while True:
            message = await self.ws.receive()
            if self.half_open:
                if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
                    return None
                continue
            if message.type is WSMsgType.PING:
                await self.ws.pong(message.data)
            elif message.type is WSMsgType.TEXT:
                return message
            elif message.type is not WSMsgType.PONG:
                return None

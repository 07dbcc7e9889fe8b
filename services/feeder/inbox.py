"""What venues said, on its way from the sockets to the cores: one bounded queue, in order of arrival.

A reader that finds it full stops reading: TCP then slows the venue down, and the wait is counted. Nothing is dropped.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, NamedTuple

OPENED, MESSAGE, ANSWER, FAILED, CLOSED = range(5)
"""Kinds of items."""


class Item(NamedTuple):
    """One thing that happened to a connection.

    Parameters
    ----------
    kind : int
    connection : Connection
    mono_ns : int
        When, on CLOCK_MONOTONIC.
    data : bytes
        Of a MESSAGE or an ANSWER.
    symbol : str
        Of an ANSWER or FAILED.
    generation : int
        The connection's, when it happened.
    path : str
        Of the request that an ANSWER answers.
    """

    kind: int
    connection: Any
    mono_ns: int
    data: bytes = b""
    symbol: str = ""
    generation: int = 0
    path: str = ""


class Inbox:
    """The queue.

    Parameters
    ----------
    items, size : int
        Messages and bytes that it holds at the most; one message beyond the bytes is let in when it is alone.

    Attributes
    ----------
    waits : int
        How often a reader had to wait for room.
    high_water : int
        The most items that were ever in it.
    """

    def __init__(self, items: int = 8192, size: int = 64 << 20) -> None:
        self.items, self.size = items, size
        self.waits = self.high_water = self.bytes = 0
        self._queue: deque[Item] = deque()
        self._room, self._filled = asyncio.Event(), asyncio.Event()

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Whether the next reader has to wait."""
        return len(self._queue) >= self.items or self.bytes >= self.size

    async def put(self, item: Item) -> None:
        """Append an item, once there is room."""
        if self.full:
            self.waits += 1
            while self.full:
                self._room.clear()
                await self._room.wait()
        self.put_now(item)

    def put_now(self, item: Item) -> None:
        """Append what cannot wait: that a connection opened or closed. One each, so that the queue stays bounded."""
        self._queue.append(item)
        self.bytes += len(item.data)
        self.high_water = max(self.high_water, len(self._queue))
        self._filled.set()

    def take(self) -> Item | None:
        """Return the oldest item, or None."""
        if not self._queue:
            self._filled.clear()
            return None
        item = self._queue.popleft()
        self.bytes -= len(item.data)
        if not self.full:
            self._room.set()
        return item

    async def wait(self, timeout_s: float) -> bool:
        """Wait until something is in it; False after the time."""
        if self._queue:
            return True
        self._filled.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._filled.wait()
        except TimeoutError:
            return False
        return True

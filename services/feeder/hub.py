"""The one task that drives every core: items of the inbox in, events to the outlet, wishes to connections and REST."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from libs.sending.encode import HEARD, MUTE, VENUE_DOWN, VENUE_UP
from libs.venues.core import Close, Fetch, Output, Refused, Send
from libs.venues.events import BookEvent, StatusEvent, TradeEvent
from services.feeder.clock import FeedClock
from services.feeder.connection import Connection
from services.feeder.inbox import ANSWER, CLOSED, FAILED, MESSAGE, OPENED, Inbox, Item
from services.feeder.outlet import Outlet
from services.feeder.raw import RawRecorder
from services.feeder.rest import Rest, Wish

TICK_S = 0.1
BATCH_NS = 500_000
"""Longest time of work on items before what they made is handed over."""
BLOCKED_S = 0.0005


class Hub:
    """Drives the cores.

    Parameters
    ----------
    inbox : Inbox
    outlet : Outlet
    clock : FeedClock
    rests : dict
        REST client of each feed, by its name.
    log : logger

    Attributes
    ----------
    counts : Counter of str
        ``messages``, ``refused``, ``blocked``, ``not_carried``, ``mute``, ``stale_answers``.
    mute : set of Connection
        Those that give no sign of life.
    """

    def __init__(self, inbox: Inbox, outlet: Outlet, clock: FeedClock, rests: dict[str, Rest], log: Any) -> None:
        self.inbox, self.outlet, self.clock, self.rests, self.log = inbox, outlet, clock, rests, log
        self.connections: list[Connection] = []
        self.counts: Counter[str] = Counter()
        self.mute: set[Connection] = set()
        self.raw: RawRecorder | None = None
        """Keeps what is said, where that is wanted."""
        self._down: set[str] = set()
        self._open: set[Connection] = set()
        self._act: dict[int, Callable[[Item, int], list[Output]]] = {
            OPENED: self._opened,
            MESSAGE: self._message,
            ANSWER: self._answer,
            FAILED: lambda item, us: item.connection.core.failed(item.symbol, us),
            CLOSED: self._closed,
        }

    def begin(self, connections: list[Connection]) -> None:
        """Take the connections, all of them closed: their venues are down until the first opens."""
        self.connections = connections
        self._down = {c.feed.exchange for c in connections}

    def resync(self, c: Connection, symbol: str, reason: str) -> None:
        """Fetch one book anew."""
        now = time.monotonic_ns()
        self._carry_out(c, c.core.resync(symbol, reason, self.clock.us(now)), now)

    async def run(self) -> None:
        """Work until cancelled."""
        due = time.monotonic_ns()
        while True:
            await self.inbox.wait(max(0.0, (due - time.monotonic_ns()) / 1e9))
            self._batch()
            now = time.monotonic_ns()
            if now >= due and not len(self.inbox):
                due = now + int(TICK_S * 1e9)
                self._tick(now)
                self.outlet.flush(now, idle=True)
            elif now >= due + int(TICK_S * 1e9):
                # Never idle: the cores' clocks go on all the same.
                due = now + int(TICK_S * 1e9)
                self._tick(now)
            while self.outlet.blocked:
                self.counts["blocked"] += 1
                await asyncio.sleep(BLOCKED_S)
                self.outlet.flush(time.monotonic_ns())
            await asyncio.sleep(0)

    def _batch(self) -> None:
        """Work on items for a short while, and hand over what they made."""
        began = time.monotonic_ns()
        while not self.outlet.overfull and (item := self.inbox.take()) is not None:
            self._handle(item)
            if time.monotonic_ns() - began >= BATCH_NS:
                break
        self.outlet.flush(time.monotonic_ns())

    def _handle(self, item: Item) -> None:
        c = item.connection
        outputs = self._act[item.kind](item, self.clock.us(item.mono_ns))
        self._carry_out(c, outputs, item.mono_ns)

    def _opened(self, item: Item, us: int) -> list[Output]:
        c = item.connection
        self._open.add(c)
        self._keep("open", item, us)
        self.log.info("connection_open", connection=c.name, generation=item.generation)
        if c.feed.exchange in self._down:
            self._down.discard(c.feed.exchange)
            self._say(c.feed.exchange, VENUE_UP, "connected", item.mono_ns)
        if c in self.mute:
            self.mute.discard(c)
            self._say_of(c, HEARD, "connected again", item.mono_ns)
        return c.core.opened(us)

    def _message(self, item: Item, us: int) -> list[Output]:
        self.counts["messages"] += 1
        self._keep("recv", item, us)
        return item.connection.core.received(item.data, us)

    def _answer(self, item: Item, us: int) -> list[Output]:
        self._keep("http", item, us)
        return item.connection.core.answered(item.symbol, item.data, us)

    def _keep(self, kind: str, item: Item, us: int) -> None:
        if self.raw is not None:
            self.raw.put(kind, item.connection.name, us, item.data, item.path)

    def _closed(self, item: Item, us: int) -> list[Output]:
        c = item.connection
        self._open.discard(c)
        self._keep("close", item, us)
        self.log.warning("connection_closed", connection=c.name, reason=c.last_reason, generation=item.generation)
        outputs = c.core.closed(us)
        exchange = c.feed.exchange
        if not any(other.feed.exchange == exchange for other in self._open):
            self._carry_out(c, outputs, item.mono_ns)
            self._down.add(exchange)
            self._say(exchange, VENUE_DOWN, "disconnected", item.mono_ns)
            return []
        return outputs

    def _carry_out(self, c: Connection, outputs: list[Output], mono_ns: int) -> None:
        for output in outputs:
            if isinstance(output, BookEvent | TradeEvent):
                self._put(c, output, mono_ns)
            elif isinstance(output, StatusEvent):
                self.log.info("status", connection=c.name, symbol=output.symbol, code=output.code, text=output.text)
                self._put(c, output, mono_ns)
            elif isinstance(output, Send):
                c.send(output.text, c.generation)
            elif isinstance(output, Fetch):
                self.rests[c.feed.name].ask(Wish(output, partial(self._deliver, c, output, c.generation)))
            elif isinstance(output, Close):
                c.close(output.reason)
            elif isinstance(output, Refused):
                self.counts["refused"] += 1
                self.log.warning("refused", connection=c.name, reason=output.reason)

    def _put(self, c: Connection, event: BookEvent | TradeEvent | StatusEvent, mono_ns: int) -> None:
        if self.outlet.put(c.feed.exchange, event, mono_ns):
            return
        self.counts["not_carried"] += 1
        self.log.warning("not_carried", connection=c.name, symbol=event.symbol, event_type=type(event).__name__)
        if isinstance(event, BookEvent):
            outputs = c.core.resync(event.symbol, "more levels than a message may hold", self.clock.us(mono_ns))
            self._carry_out(c, outputs, mono_ns)

    def _deliver(self, c: Connection, fetch: Fetch, generation: int, body: bytes | None) -> None:
        """Bring a REST answer in, in order with the messages; one for an earlier connection is no use."""
        if generation != c.generation or not c.open:
            self.counts["stale_answers"] += 1
            return
        kind = FAILED if body is None else ANSWER
        self.inbox.put_now(Item(kind, c, time.monotonic_ns(), body or b"", fetch.symbol, generation, fetch.path))

    def _tick(self, now: int) -> None:
        us = self.clock.us(now)
        for c in self._open:
            self._carry_out(c, c.core.tick(us), now)
            self._mind_silence(c, now, us)

    def _mind_silence(self, c: Connection, now: int, us: int) -> None:
        """Call books mute whose connection gives no sign of life, and give it up when that lasts."""
        if not c.open or c.held_up or len(self.inbox) > self.inbox.items // 2:
            return
        silent_s = (now - c.heard_ns) / 1e9
        if c in self.mute:
            if silent_s < c.feed.mute_after_s:
                self.mute.discard(c)
                self._say_of(c, HEARD, "heard again", now)
            elif silent_s >= c.feed.dead_after_s:
                c.close(f"no sign of life for {silent_s:.0f} s")
        elif silent_s >= c.feed.mute_after_s:
            self.mute.add(c)
            self.counts["mute"] += 1
            self._say_of(c, MUTE, f"no sign of life for {silent_s:.0f} s", now)
        elif silent_s >= c.feed.mute_after_s / 2:
            c.ask_for_life()

    def _say(self, exchange: str, code: int, text: str, mono_ns: int) -> None:
        for c in self.connections:
            if c.feed.exchange == exchange:
                self._say_of(c, code, text, mono_ns)

    def _say_of(self, c: Connection, code: int, text: str, mono_ns: int) -> None:
        us = self.clock.us(mono_ns)
        for symbol in c.core.symbols:
            self.outlet.put(c.feed.exchange, StatusEvent(symbol, code, text, us), mono_ns)

"""Wire the feeder together and run it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
from aiohttp import web

from libs.errors import MissingError
from libs.market.exchanges import exchange_id
from libs.sending.answering import Recovery
from libs.sending.pace import SESSION_MONO
from libs.sending.transmission import Transmission
from libs.sending.transmit import ERRORS
from libs.telemetry import logs
from libs.telemetry.front import Front
from libs.telemetry.pulse import Pulse, with_pulse
from libs.telemetry.segment import Segment
from services.feeder import metrics, warming
from services.feeder.clock import FeedClock
from services.feeder.control import control_app
from services.feeder.hub import Hub
from services.feeder.inbox import Inbox
from services.feeder.markets import Market, connections_of, instruments_of, list_of, markets_of
from services.feeder.outlet import Outlet
from services.feeder.raw import RawRecorder
from services.feeder.settings import Settings
from services.feeder.venues import Feed

REPORT_S = 0.2
STATS_S = 1.0
MOST_BOOKS = 10_240


class Feeder:
    """The running service.

    Parameters
    ----------
    settings : Settings
    feeds : mapping of str to Feed
        By name.
    file : str
        Where the settings come from, for messages about them.
    """

    def __init__(self, settings: Settings, feeds: Mapping[str, Feed], file: str) -> None:
        self.settings, self.feeds, self.file = settings, feeds, file
        self.log = logs.get("feeder")
        self.clock = FeedClock()
        self.inbox = Inbox(settings.inbox_messages, settings.inbox_bytes)
        self.stopping, self.beginning = asyncio.Event(), asyncio.Event()
        self._ending = False
        self._tasks: list[asyncio.Task[None]] = []
        self._ended: asyncio.Task[None] | None = None
        used = {feeds[n].exchange for n, f in settings.feeds.items() if f.enabled and f.symbols}
        self.channels = sorted(exchange_id(name) for name in used)
        names = [n for n, f in settings.feeds.items() if f.enabled and f.symbols]
        self.segment = Segment.create("feeder", with_pulse(metrics.series(self.channels, names)))
        self.pulse = Pulse(self.segment, REPORT_S)
        row = self.segment.row("feeder_latency_seconds")
        self.transmission = Transmission(settings, self.channels, self.segment.rows[row : row + 1], live=True)
        self.outlet = Outlet(self.transmission.outbox, settings, MOST_BOOKS)
        self.recovery = Recovery(settings, self.transmission.history, MOST_BOOKS, "feeder")
        self.markets: list[Market] = []
        self.hub = Hub(self.inbox, self.outlet, self.clock, {}, self.log)

    @property
    def state(self) -> str:
        """``waiting``, ``running`` or ``done``."""
        if self.transmission.done:
            return "done"
        return "running" if self.transmission.begun else "waiting"

    async def prepare(self, session: aiohttp.ClientSession) -> None:
        """Ask every venue for its instruments and share the symbols out; nothing is subscribed yet.

        Raises
        ------
        ConfigError
            For a symbol that a venue does not have.
        MissingError
            When a venue does not answer and no file stands in.
        """
        self.markets = markets_of(self.settings, self.feeds, session)
        self.hub.rests = {m.feed.name: m.rest for m in self.markets}
        lists = await asyncio.gather(*(instruments_of(m, self.settings, self.file, self.log) for m in self.markets))
        connections = []
        for market, instruments in zip(self.markets, lists, strict=True):
            for instrument in instruments.values():
                self.outlet.list(instrument)
            connections += connections_of(market, instruments, self.inbox, session, self.settings.seed)
        self.hub.begin(connections)
        if self.settings.raw_dir:
            names = {c.name: c.feed.name for c in connections}
            self.hub.raw = RawRecorder(Path(self.settings.raw_dir), names, self.settings.raw_keep_hours, self.log)

    async def feed(self) -> None:
        """Begin the session, then connect to every venue."""
        self.transmission.start()
        while not self.transmission.sender.state[SESSION_MONO]:
            await asyncio.sleep(0.005)
        self.outlet.begin(time.monotonic_ns())
        if self.hub.raw is not None:
            self.hub.raw.start()
        tasks = [self.hub.run(), self._look_for_delisted()]
        tasks += [c.run() for c in self.hub.connections] + [m.rest.run() for m in self.markets]
        self._tasks = [asyncio.create_task(each) for each in tasks]

    def end_session(self) -> None:
        """Disconnect and end the session; the process stays."""
        if self._ended is None:
            self._ended = asyncio.create_task(self._end())

    async def _end(self) -> None:
        self._ending = True
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                self.log.error("task_died", error=repr(result))
        self.outlet.flush(time.monotonic_ns())
        if self.hub.raw is not None:
            await asyncio.to_thread(self.hub.raw.stop)
        await asyncio.to_thread(self.transmission.stop)

    def resync(self, exchange: str, symbol: str) -> list[str]:
        """Fetch a book anew; return the known symbols when there is none of that name."""
        for c in self.hub.connections:
            if c.feed.exchange == exchange and symbol in c.core.symbols:
                self.hub.resync(c, symbol, "asked for")
                return []
        return [s for c in self.hub.connections for s in c.core.symbols] or ["none"]

    async def serve(self) -> int:
        """Run until SIGTERM or SIGINT; return the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        s = self.settings
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
            await self.prepare(session)
            app = control_app(lambda: metrics.status(self), self.beginning.set, self.end_session, self.resync)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            backend = f"\0crossbook-feeder-{os.getpid()}"
            await web.UnixSite(runner, backend).start()
            token = os.environ.get("CROSSBOOK_TOKEN")
            front = Front.start(self.segment, s.http_host, s.http_port, backend=backend, token=token)
            try:
                self.recovery.start()
                books = int(self.outlet.listing.used[0])
                self.log.info(
                    "ready", targets=s.targets, http_port=front.port, recovery_port=self.recovery.listener.port,
                    symbols=books, connections=len(self.hub.connections),
                )  # fmt: skip
                await self._run()
            finally:
                self.end_session()
                assert self._ended is not None
                await self._ended
                self._report()
                self.log.info("stats", **self._stats())
                self.recovery.stop()
                self.transmission.close()
                front.stop()
                self.pulse.close()
                await runner.cleanup()
        return self._exit_status()

    async def _run(self) -> None:
        """Report, begin when told, and look after the tasks until the end."""
        if not self.settings.start_paused:
            self.beginning.set()
        began = said = time.monotonic()
        while not self.stopping.is_set():
            self._report()
            now = time.monotonic()
            if self.beginning.is_set() and self.state == "waiting" and self._ended is None:
                began = now
                await self.feed()
            if self._died():
                return
            if now - said >= STATS_S and self.state == "running":
                said = now
                self.log.info("stats", **self._stats())
            if 0 < self.settings.duration_s <= now - began and self.state == "running":
                self.end_session()
            try:
                async with asyncio.timeout(REPORT_S):
                    await self.stopping.wait()
            except TimeoutError:
                continue

    def _died(self) -> bool:
        return self.transmission.error is not None or (not self._ending and any(t.done() for t in self._tasks))

    def _exit_status(self) -> int:
        if self.transmission.error is not None:
            self.log.error("thread_died", error=repr(self.transmission.error))
            return 1
        failed = int(self.transmission.sender.lines.stats[:, ERRORS].sum())
        died = any(t.done() and not t.cancelled() and t.exception() is not None for t in self._tasks)
        return 1 if failed or died else 0

    async def _look_for_delisted(self) -> None:
        """Ask the venues for their instruments again from time to time, and say what has gone or come back."""
        while True:
            await asyncio.sleep(self.settings.instruments_every_s)
            for market in self.markets:
                known = await list_of(market)
                if not known:
                    continue
                for symbol in market.symbols:
                    gone = symbol not in known
                    if self.outlet.delist(market.feed.exchange, symbol, delisted=gone):
                        self.log.warning("delisted" if gone else "listed_again", feed=market.feed.name, symbol=symbol)

    def _report(self) -> None:
        metrics.report(self, self.clock.us(time.monotonic_ns()))
        self.pulse.beat()
        self.segment.ready(True)
        self.segment.publish_status(metrics.status(self))

    def _stats(self) -> dict[str, Any]:
        late = metrics.status(self)["sender_late"]
        return {
            "state": self.state,
            "events": self.outlet.events,
            "messages": self.hub.counts["messages"],
            "inbox": len(self.inbox),
            "synchronised": sum(c.core.synchronised(s) for c in self.hub.connections for s in c.core.symbols),
            "late_p99_us": late["p99_ns"] // 1000,
        }


def run(settings: Settings, feeds: Mapping[str, Feed], file: str) -> int:
    """Run the service until SIGTERM or SIGINT.

    Returns
    -------
    int
        0; 1 when a datagram could not be sent or a part of the feeder died.

    Raises
    ------
    ConfigError
        For a symbol that a venue does not have.
    MissingError
        When a venue, the interface or a port is not to be had.
    """
    logs.configure("feeder", settings.log_format)
    warming.warm()

    async def serve() -> int:
        try:
            feeder = Feeder(settings, feeds, file)
        except OSError as error:
            where = f"{settings.group}:{settings.port} from {settings.interface}"
            raise MissingError(f"cannot send to {where}: {error}; try another interface") from error
        gc.freeze()
        return await feeder.serve()

    sys.setswitchinterval(0.0005)
    return uvloop.run(serve())

"""The thread that asks recovery servers for what the lines lost, and hands the answers to the receive thread.

The lines never wait for it: requests come from queues that refuse when they are full, answers go out through a datagram
socket of bounded size, and what cannot be sent is waited for here alone.
"""

from __future__ import annotations

import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from libs.engine import requests
from libs.engine.requests import take_requests
from libs.engine.state import bind_table
from libs.market.exchanges import EXCHANGES
from libs.market.symbol_table import t_name
from libs.recovery.client import RecoveryClient
from libs.recovery.counts import new_counters
from libs.recovery.reading import AnswerReader
from libs.recovery.wants import MS, Limits
from libs.scheduling import name_thread
from libs.sequencing.state import EXPECTED, SESSION
from libs.wire.recovery import OK, RANGE, SNAPSHOT, Answer, Request
from services.consumer.recovery_link import OPEN, Link
from services.consumer.settings import RecoveryLimits, Settings

Arrays = Mapping[str, np.ndarray]

IDLE_NS = 250 * MS
"""Nothing is waited for longer than this, should a wake-up be lost."""
BATCH = 256
ROUNDS = 8


def limits_of(settings: RecoveryLimits) -> Limits:
    """Return a client's limits as they are configured."""
    return Limits(
        messages=settings.messages_per_request,
        requests_per_second=settings.requests_per_second,
        in_flight=settings.in_flight,
        range_timeout_ns=settings.range_timeout_ms * MS,
        snapshot_timeout_ns=settings.snapshot_timeout_ms * MS,
    )


class Recovery(threading.Thread):
    """Ask until stopped.

    Parameters
    ----------
    settings : Settings
        ``recovery``: the servers; ``recovery_limits``.
    arrays : mapping
        The engine's: its request queues, what it expects next, the names of books.
    out_socket : socket
        A datagram socket whose other end the receive thread reads; each datagram is one delivery.
    wake_fd : int
        An eventfd, not blocking, that is written to when a request is queued.
    log
        Of structlog.

    Attributes
    ----------
    error : BaseException or None
        What ended the thread.
    """

    def __init__(self, settings: Settings, arrays: Arrays, out_socket: socket.socket, wake_fd: int, log: Any) -> None:
        super().__init__(name="recovery", daemon=True)
        self.arrays, self.out_socket, self.wake_fd, self.log = arrays, out_socket, wake_fd, log
        self.table = bind_table(arrays)
        self.channels = arrays["sequencer_channels"]
        self.error: BaseException | None = None
        self.undelivered = 0
        self._stopping = False
        self._pending: deque[bytes] = deque()
        self._taken = np.zeros((BATCH, requests.REQUEST_WORDS), np.int64)
        out_socket.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(wake_fd, selectors.EVENT_READ, self._on_wake)
        limits = limits_of(settings.recovery_limits)
        self.links = [
            Link(
                server.host,
                server.port,
                map(EXCHANGES.index, server.exchanges or EXCHANGES),
                RecoveryClient(limits, self.position),
                self._selector,
                log,
            )
            for server in settings.recovery
        ]

    def position(self, exchange: int) -> tuple[int, int]:
        """Return an exchange's session and the next sequence that the receive thread expects of it."""
        channel = self.channels[exchange]
        while True:
            session, expected = int(channel[SESSION]), int(channel[EXPECTED])
            if int(channel[SESSION]) == session:
                return session, expected

    @property
    def counters(self) -> dict[str, int]:
        """Every counter (:func:`libs.recovery.counts.new_counters`), summed over the servers."""
        total = new_counters()
        for link in self.links:
            for name, n in link.client.counters.items():
                total[name] += n
        return total

    @property
    def connected(self) -> int:
        """How many servers are connected."""
        return sum(link.state == OPEN for link in self.links)

    def status(self) -> dict[str, Any]:
        """Return the ``recovery`` document of /status; any thread may call it."""
        return {
            "connected": 0 < len(self.links) == self.connected,
            "in_flight": sum(link.client.in_flight for link in self.links),
            "wanted": sum(link.client.wanted for link in self.links),
            "last_error": next((link.last_error for link in self.links if link.last_error), ""),
            "undelivered": self.undelivered,
            "counters": {name: n for name, n in self.counters.items() if n},
            "servers": [
                {
                    "address": "{}:{}".format(*link.address),
                    "exchanges": [EXCHANGES[exchange] for exchange in sorted(link.exchanges)],
                    "connected": link.state == OPEN,
                    "connections": link.connections,
                    "last_error": link.last_error,
                }
                for link in self.links
            ],
        }

    def stop(self) -> None:
        """End soon; what is in flight is forgotten."""
        self._stopping = True
        os.eventfd_write(self.wake_fd, 1)

    def run(self) -> None:
        """See :class:`Recovery`."""
        name_thread(self.name)
        try:
            while not self._stopping:
                self._turn()
        except BaseException as error:  # noqa: BLE001 - reported by the main thread
            self.error = error
        finally:
            for link in self.links:
                link.stop()
            self._selector.close()

    def _turn(self) -> None:
        now_ns = time.monotonic_ns()
        self._take("range_requests", now_ns)
        self._take("snapshot_requests", now_ns)
        for link in self.links:
            link.tend(now_ns)
        self._deliver(now_ns)
        next_ns = now_ns + IDLE_NS
        if not self._pending:
            next_ns = min([next_ns, *(link.next_ns(now_ns) for link in self.links)])
        for key, mask in self._selector.select(max(0, next_ns - time.monotonic_ns()) / 1e9):
            key.data(mask)
        self._deliver(time.monotonic_ns())

    def _on_wake(self, mask: int) -> None:
        os.eventfd_read(self.wake_fd)

    def _take(self, queue: str, now_ns: int) -> None:
        """Move what the engine asks for to the clients."""
        for _ in range(ROUNDS):
            n = int(take_requests(self.arrays[queue], self.arrays[f"{queue}_control"], self._taken))
            for row in self._taken[:n].tolist():
                self._want(row, now_ns)
            if n < BATCH:
                return

    def _want(self, row: list[int], now_ns: int) -> None:
        exchange, session = row[requests.EXCHANGE], row[requests.SESSION]
        link = self._link_for(exchange)
        if link is None:
            return
        if row[requests.KIND] == RANGE:
            link.client.want_range(exchange, session, row[requests.FIRST], row[requests.LAST], now_ns)
        else:
            link.client.want_snapshot(exchange, session, t_name(self.table, row[requests.BOOK]), now_ns)

    def _link_for(self, exchange: int) -> Link | None:
        """Return the first server of an exchange that is connected, else the first."""
        found = [link for link in self.links if exchange in link.exchanges]
        return next((link for link in found if link.state == OPEN), found[0] if found else None)

    def _deliver(self, now_ns: int) -> None:
        """Hand on what there is; the rest waits until the receive thread has read some."""
        if not self._pending:
            for link in self.links:
                self._pending.extend(link.client.deliveries(now_ns))
        was_blocked = self.out_socket.fileno() in self._selector.get_map()
        try:
            while self._pending:
                self.out_socket.send(self._pending[0])
                self._pending.popleft()
        except BlockingIOError:
            if not was_blocked:
                self._selector.register(self.out_socket, selectors.EVENT_WRITE, self._on_room)
            return
        except OSError as error:
            self.undelivered += len(self._pending)
            self._pending.clear()
            self.log.warning("recovery_undelivered", reason=os.strerror(error.errno or 0))
        if was_blocked:
            self._selector.unregister(self.out_socket)

    def _on_room(self, mask: int) -> None:
        self._deliver(time.monotonic_ns())


def warm_recovery(arrays: Arrays) -> None:
    """Compile or load the kernels of this thread by running each over nothing; what is queued stays."""
    for queue in ("range_requests", "snapshot_requests"):
        take_requests(arrays[queue], arrays[f"{queue}_control"], np.zeros((0, requests.REQUEST_WORDS), np.int64))
    for kind in (RANGE, SNAPSHOT):
        request = Request(kind, 0, 1, 1, 1, 1, "S")
        AnswerReader().read(request, Answer(kind, 0, OK, 1, 1, 1, 1, 1), b"\0")

"""The recovery server on TCP: a thread with an event loop of its own, which may be slow but never slows the sender.

The sending kernel runs without the GIL and shares nothing with this thread but the history, which nobody locks. On a
machine that is busy this thread gives way.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from time import monotonic_ns
from typing import Any

from libs.recovery.connection import Connection, ConnectionLimits, Traffic
from libs.recovery.faults import Faults
from libs.recovery.server import RecoveryServer
from libs.scheduling import name_thread

TURN_S = 0.02
"""How often the mirror follows; connections are accepted, and looked at, this often at the least."""
_ACCEPTS = 32
"""In one turn: a flood of connections takes no more of a core than this."""
_BACKLOG = 1024
"""So many wait in the kernel while a flood is turned away, rather than try again in seconds."""


class Listener(threading.Thread):
    """Accepts receivers and answers them until ``stop``.

    Parameters
    ----------
    server : RecoveryServer
        Used by this thread alone from ``start`` on.
    host : str
        A numeric IPv4 address of this machine: loopback, or one interface.
    port : int
        0: any free one.
    limits : ConnectionLimits
    follow : callable
        Called in every turn, to keep the mirror up with the sender.
    faults : Faults

    Attributes
    ----------
    host, port : str, int
        Where it listens.
    error : BaseException or None
        What broke a connection or the thread, the first of all.

    Raises
    ------
    OSError
        When the address cannot be had.
    """

    def __init__(
        self,
        server: RecoveryServer,
        host: str,
        port: int,
        limits: ConnectionLimits,
        *,
        follow: Callable[[], object] = int,
        faults: Faults | None = None,
    ) -> None:
        super().__init__(name="recovery", daemon=True)
        self.server, self.limits = server, limits
        self.faults = faults or Faults()
        self.traffic = Traffic()
        self.error: BaseException | None = None
        self._follow = follow
        self._connections: dict[Connection, asyncio.Task[None] | None] = {}
        self._wanted = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((host, port))
            self._socket.listen(_BACKLOG)
            self._socket.setblocking(False)
        except OSError:
            self._socket.close()
            raise
        self.host, self.port = self._socket.getsockname()

    @property
    def connections(self) -> int:
        """Receivers that are connected."""
        return len(self._connections)

    def run(self) -> None:
        """Serve; an error is kept for the main thread."""
        name_thread(self.name)
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - the main thread reports it
            self.error = self.error or error
        finally:
            self._socket.close()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Close every connection and end the thread."""
        self._wanted.set()
        if self.ident is None:
            self._socket.close()
            return
        loop, stopping = self._loop, self._stopping
        if loop is not None and stopping is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just closed
                loop.call_soon_threadsafe(stopping.set)
        self.join(timeout_s)

    def status(self) -> dict[str, Any]:
        """Return where it listens, and what has come and gone; requests that never came are left out."""
        requests: dict[str, dict[str, int]] = {}
        for (kind, status), count in list(self.server.answered.items()):
            if count:
                requests.setdefault(kind, {})[status] = count
        return {
            "host": self.host,
            "port": self.port,
            "connections": self.connections,
            **self.traffic.outcomes,
            "requests": requests,
            "messages": self.server.messages,
            "received_bytes": self.traffic.received_bytes,
            "sent_bytes": self.traffic.sent_bytes,
            "inject": self.faults.mode,
        }

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._on_error)
        self._loop, self._stopping = loop, asyncio.Event()
        loop.add_reader(self._socket, self._accept)
        while not self._wanted.is_set():
            self._turn()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), TURN_S)
        loop.remove_reader(self._socket)
        for connection in list(self._connections):
            connection.abort()
        await asyncio.sleep(0)

    def _turn(self) -> None:
        self._follow()
        now_ns = monotonic_ns()
        for connection in list(self._connections):
            if self.faults.mode == "off":
                connection.abort()
            else:
                connection.look(now_ns)

    def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(_ACCEPTS):
            try:
                accepted, _ = self._socket.accept()
            except BlockingIOError:
                return
            except OSError:
                break  # no descriptor is free, or the other end is gone already: again in a while
            if len(self._connections) >= self.limits.connections or self.faults.mode == "off":
                self.traffic.outcomes["refused"] += 1
                accepted.close()
                continue
            self._open(loop, accepted)
        loop.remove_reader(self._socket)
        loop.call_later(TURN_S, self._listen_again)

    def _listen_again(self) -> None:
        if not self._wanted.is_set():
            asyncio.get_running_loop().add_reader(self._socket, self._accept)

    def _open(self, loop: asyncio.AbstractEventLoop, accepted: socket.socket) -> None:
        self.traffic.outcomes["accepted"] += 1
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(self.server, self.limits, self.traffic, self.faults, self._forget)
        self._connections[connection] = loop.create_task(self._attach(connection, accepted))

    async def _attach(self, connection: Connection, accepted: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, accepted)
        except OSError as error:
            self.error = self.error or error
            self._forget(connection)
            accepted.close()

    def _forget(self, connection: Connection) -> None:
        self._connections.pop(connection, None)

    def _on_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.error = self.error or context.get("exception") or RuntimeError(context["message"])

"""A recovery server that behaves as told, and a recovery thread that asks it: support for the tests here."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from libs.engine import state
from libs.engine.requests import put_request
from libs.market.symbol_table import t_register
from libs.sequencing.state import EXPECTED
from libs.sequencing.state import SESSION as SESSION_COLUMN
from libs.telemetry import logs
from libs.wire.recovery import RANGE, SNAPSHOT, Request, decode_request
from services.consumer.recovery import Recovery
from services.consumer.settings import RecoveryLimits, RecoveryServer, Settings
from tests.libs.recovery import model
from tests.libs.recovery.model import SESSION

SENT = 5000


class Server:
    """Answers on loopback as ``mode`` says, which may be changed at any time.

    right, slow (40 ms late), other (a range that nobody asked for), garbage, midway (closes within the answer), silent,
    flood (answers that nobody asked for, without end), deaf (never reads).
    """

    def __init__(self, mode: str = "right", port: int = 0) -> None:
        self.mode, self.asked, self.accepted = mode, [], 0
        self.socket = socket.create_server(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        self.open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.accepted += 1
                self.open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        unread = bytearray()
        with contextlib.suppress(OSError):
            while self.mode == "deaf":
                time.sleep(0.01)
            while data := connection.recv(65536):
                unread += data
                while (found := decode_request(unread)) is not None:
                    request, length = found
                    del unread[:length]
                    self.asked.append(request)
                    self._answer(connection, request)

    def _answer(self, connection: socket.socket, request: Request) -> None:
        right = model.answer_to(request, SENT)
        if self.mode == "right":
            connection.sendall(right)
        elif self.mode == "slow":
            time.sleep(0.04)
            connection.sendall(right)
        elif self.mode == "other":
            changes = {"first": request.first + 1, "last": request.last + 1}
            connection.sendall(model.answer_to(Request(**(vars(request) | changes)), SENT))
        elif self.mode == "garbage":
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        elif self.mode == "midway":
            connection.sendall(right[:-5])
            connection.shutdown(socket.SHUT_RDWR)
        elif self.mode == "flood":
            while self.mode == "flood":
                connection.sendall(right * 10)

    def close(self) -> None:
        """Stop listening and hang up."""
        self.mode = "closed"
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in self.open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


class Counting(Recovery):
    """A recovery thread that counts its turns."""

    turns = 0

    def _turn(self) -> None:
        self.turns += 1
        super()._turn()


class Receiver:
    """The engine's side: queues requests, reads deliveries."""

    def __init__(self, *ports: int, exchanges: tuple[tuple[str, ...], ...] = (), **limits: int) -> None:
        self.engine = state.new(ring_capacity=1024, max_books=16, max_symbols=8, depth=32)
        self.arrays = self.engine.arrays
        for exchange in range(5):
            self.arrays["sequencer_channels"][exchange, SESSION_COLUMN] = SESSION
            self.arrays["sequencer_channels"][exchange, EXPECTED] = 1
        self.inside, self.outside = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.inside.settimeout(5.0)
        self.bell = os.eventfd(0, os.EFD_NONBLOCK)
        names = exchanges or ((),) * len(ports)
        servers = tuple(RecoveryServer(port=port, exchanges=own) for port, own in zip(ports, names, strict=True))
        settings = Settings(recovery=servers, recovery_limits=RecoveryLimits(**limits))
        self.recovery = Counting(settings, self.arrays, self.outside, self.bell, logs.get("test"))
        self.recovery.start()

    def expect(self, sequence: int, exchange: int = 0) -> None:
        """Say what comes next on a channel."""
        self.arrays["sequencer_channels"][exchange, EXPECTED] = sequence

    def _put(self, queue: str, *words: int) -> None:
        assert put_request(self.arrays[queue], self.arrays[f"{queue}_control"], *words)
        os.eventfd_write(self.bell, 1)

    def lose(self, first: int, last: int, exchange: int = 0) -> None:
        """Ask for a range."""
        self._put("range_requests", RANGE, exchange, SESSION, first, last, -1, time.monotonic_ns())

    def need(self, symbol: str, exchange: int = 0, session: int = SESSION) -> None:
        """Ask for a book."""
        book = t_register(self.engine.table, exchange, symbol)
        self._put("snapshot_requests", SNAPSHOT, exchange, session, 0, 0, book, time.monotonic_ns())

    def read(self) -> bytes:
        """Return the next delivery's messages."""
        return self.inside.recv(65536)[16:]

    def read_until(self, messages: bytes) -> None:
        """Read deliveries until one holds these messages."""
        while self.read() != messages:
            pass

    def nothing_comes(self, within_s: float = 0.1) -> bool:
        """Return whether no delivery comes for a while."""
        self.inside.settimeout(within_s)
        try:
            self.inside.recv(65536)
        except TimeoutError:
            return True
        finally:
            self.inside.settimeout(5.0)
        return False

    def count(self, name: str) -> int:
        """Return a counter."""
        return self.recovery.counters[name]

    def close(self) -> None:
        """Stop the thread."""
        print(self.recovery.status())
        self.recovery.stop()
        self.recovery.join(2.0)
        assert not self.recovery.is_alive()
        assert self.recovery.error is None, repr(self.recovery.error)
        self.inside.close()
        self.outside.close()
        os.close(self.bell)


@contextlib.contextmanager
def receiving(*servers: Server | int, **options: Any) -> Iterator[Receiver]:
    """Run a recovery thread against servers, or against ports; it must not have died at the end."""
    receiver = Receiver(*(each if isinstance(each, int) else each.port for each in servers), **options)
    try:
        yield receiver
        assert receiver.recovery.error is None
    finally:
        receiver.close()
        for each in servers:
            if isinstance(each, Server):
                each.close()

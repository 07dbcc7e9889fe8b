"""A listener on any free port, and receivers that speak to it over TCP."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from libs.recovery.connection import ConnectionLimits
from libs.recovery.faults import Faults
from libs.recovery.history import new_history
from libs.recovery.listener import Listener
from libs.recovery.server import Limits, RecoveryServer
from libs.wire.recovery import RANGE, Answer, Request, decode_answer, encode_request
from tests.libs.recovery.filled import SESSION_NS, filled

SENT = 3000


@contextmanager
def listening(
    server: RecoveryServer | None = None, faults: Faults | None = None, limits: Limits | None = None, **changes: Any
) -> Iterator[Listener]:
    """Give a listener that runs; without a server one with SENT messages in its history."""
    server = server or RecoveryServer(filled(new_history(), SENT), None, limits or Limits())
    listener = Listener(server, "127.0.0.1", 0, ConnectionLimits(**changes), faults=faults)
    listener.start()
    try:
        yield listener
    finally:
        print(listener.status())
        listener.stop()
        assert not listener.is_alive()
        assert listener.error is None


def dial(listener: Listener, timeout_s: float = 5.0) -> socket.socket:
    """Connect."""
    return socket.create_connection((listener.host, listener.port), timeout_s)


def dial_at_once(listener: Listener, count: int) -> list[socket.socket]:
    """Begin so many connections without waiting for one."""
    socks = []
    for _ in range(count):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex((listener.host, listener.port))
        socks.append(sock)
    return socks


def request(first: int, last: int, request_id: int = 1, **changes: Any) -> bytes:
    """Return the bytes of a request for a range."""
    fields = {"kind": RANGE, "exchange": 0, "session": SESSION_NS} | changes
    return encode_request(Request(first=first, last=last, request_id=request_id, **fields))


def take(sock: socket.socket, count: int = 1) -> list[tuple[Answer, bytes]]:
    """Return the next answers; fewer when the other end closes."""
    data, found = bytearray(), []
    while len(found) < count:
        if (whole := decode_answer(data)) is not None:
            found.append(whole)
            del data[: 48 + whole[0].length]
            continue
        more = sock.recv(1 << 16)
        if not more:
            break
        data += more
    return found


def is_closed(sock: socket.socket) -> bool:
    """Wait until the other end has closed; whatever it still says is read."""
    try:
        while sock.recv(1 << 16):
            pass
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True
    return True


def eventually(what: Callable[[], bool], within_s: float = 5.0) -> bool:
    """Wait for something to become true."""
    deadline = time.monotonic() + within_s
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True

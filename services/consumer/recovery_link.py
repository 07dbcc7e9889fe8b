"""One connection to a recovery server: non-blocking, bounded in both directions, made again with backoff."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import time
from collections.abc import Iterable
from typing import Any

from libs.recovery.client import RecoveryClient
from libs.wire.recovery import ANSWER_BYTES, MalformedRecoveryError, Request, decode_answer, encode_request

READ_BYTES = 262_144
"""Read at once at the most; what is left over is less than one answer."""
MAX_UNSENT = 65_536
"""A server that lets more requests than this many bytes lie is left."""
CONNECT_TIMEOUT_NS = 1_000_000_000
QUIET_NS = 10_000_000_000
"""How long the same trouble is not logged again."""
CLOSED, CONNECTING, OPEN = range(3)


class Link:
    """A client and its connection.

    Parameters
    ----------
    host, port
        Of the server.
    exchanges : iterable of int
        What it is asked about.
    client : RecoveryClient
    selector : BaseSelector
        Its events are handed to :meth:`on_event`.
    log
        Told of connections made and lost, once each.

    Attributes
    ----------
    state : int
        CLOSED, CONNECTING or OPEN.
    connections : int
        Made so far.
    last_error : str
        Why the last one ended or was not made; "" when none did.
    """

    def __init__(
        self,
        host: str,
        port: int,
        exchanges: Iterable[int],
        client: RecoveryClient,
        selector: selectors.BaseSelector,
        log: Any,
    ) -> None:
        self.address = (host, port)
        self.exchanges = frozenset(exchanges)
        self.client, self.selector, self.log = client, selector, log
        self.state = CLOSED
        self.connections = 0
        self.last_error = ""
        self._socket: socket.socket | None = None
        self._since_ns = 0
        self._unsent, self._unread = bytearray(), bytearray()
        self._told: dict[str, tuple[int, str | None]] = {}

    def tend(self, now_ns: int) -> None:
        """Connect when it is time to, send what is due, leave a server that fails."""
        if self.state == CLOSED and now_ns >= self.client.backoff.until_ns:
            self._connect(now_ns)
        elif self.state == CONNECTING and now_ns - self._since_ns >= CONNECT_TIMEOUT_NS:
            self.close("no connection within 1 s", now_ns)
        if self.state == OPEN:
            self._ask(self.client.due(now_ns), now_ns)
        if self.state == OPEN and self.client.is_distrusted:
            self.close("too many failures in a row", now_ns)

    def next_ns(self, now_ns: int) -> int:
        """Return when to tend it next, apart from its events."""
        if self.state == OPEN:
            return self.client.next_due_ns(now_ns)
        if self.state == CONNECTING:
            return self._since_ns + CONNECT_TIMEOUT_NS
        return self.client.backoff.until_ns

    def on_event(self, mask: int) -> None:
        """Go on where the socket lets us."""
        now_ns = time.monotonic_ns()
        try:
            if self.state == CONNECTING:
                self._connected(now_ns)
            if self.state == OPEN and mask & selectors.EVENT_READ:
                self._read(now_ns)
            if self.state == OPEN and mask & selectors.EVENT_WRITE:
                self._write()
        except OSError as error:
            self.close(_text(error.errno), now_ns)

    def close(self, why: str, now_ns: int) -> None:
        """End the connection; what was in flight is wanted again."""
        self._hang_up()
        if self.state == OPEN and now_ns - self._since_ns > self.client.backoff.longest_ns:
            self.client.backoff.succeed()
        self.state = CLOSED
        self.last_error = why
        self._unsent.clear()
        self._unread.clear()
        self.client.on_disconnect(now_ns)
        self._tell("recovery_disconnected", why, now_ns)

    def stop(self) -> None:
        """End the connection for good."""
        self._hang_up()
        self.state = CLOSED

    def _hang_up(self) -> None:
        if self._socket is not None:
            self.selector.unregister(self._socket)
            self._socket.close()
            self._socket = None

    def _connect(self, now_ns: int) -> None:
        self._socket = opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        opened.setblocking(False)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.state, self._since_ns = CONNECTING, now_ns
        self.selector.register(opened, selectors.EVENT_WRITE, self.on_event)
        code = opened.connect_ex(self.address)
        if code not in (0, errno.EINPROGRESS):
            self.close(_text(code), now_ns)

    def _connected(self, now_ns: int) -> None:
        assert self._socket is not None
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self.close(_text(code), now_ns)
            return
        self.selector.modify(self._socket, selectors.EVENT_READ, self.on_event)
        self.state, self._since_ns = OPEN, now_ns
        self.connections += 1
        self._tell("recovery_connected", "", now_ns)

    def _ask(self, requests: list[Request], now_ns: int) -> None:
        if not requests:
            return
        self._unsent += b"".join(map(encode_request, requests))
        if len(self._unsent) > MAX_UNSENT:
            self.close("requests are not read", now_ns)
            return
        try:
            self._write()
        except OSError as error:
            self.close(_text(error.errno), now_ns)

    def _write(self) -> None:
        assert self._socket is not None
        with contextlib.suppress(BlockingIOError):
            del self._unsent[: self._socket.send(self._unsent)]
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        if self.selector.get_key(self._socket).events != wanted:
            self.selector.modify(self._socket, wanted, self.on_event)

    def _read(self, now_ns: int) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self.close("closed by the server", now_ns)
            return
        self._unread += data
        try:
            while (found := decode_answer(self._unread)) is not None:
                answer, messages = found
                del self._unread[: ANSWER_BYTES + len(messages)]
                self.client.on_answer(answer, messages, now_ns)
        except MalformedRecoveryError as error:
            self.client.on_malformed(now_ns)
            self.close(str(error), now_ns)

    def _tell(self, event: str, why: str, now_ns: int) -> None:
        """Log a change; not the same one again, nor those of a server that comes and goes many times a second."""
        kind = why.partition(":")[0]
        told_ns, told_kind = self._told.get(event, (0, None))
        if told_kind == kind and now_ns < told_ns + QUIET_NS:
            return
        self._told[event] = now_ns, kind
        host, port = self.address
        tell = self.log.warning if why else self.log.info
        tell(event, server=f"{host}:{port}", **({"reason": why} if why else {}))


def _text(code: int | None) -> str:
    return os.strerror(code) if code else "the connection failed"

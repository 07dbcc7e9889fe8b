"""One receiver's connection to the recovery server: requests in, answers out, bounded both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic_ns
from typing import cast

from libs.recovery.faults import Faults
from libs.recovery.server import RecoveryServer
from libs.wire.recovery import RATE_LIMITED, MalformedRecoveryError, decode_request

_STATUS = 7
"""Offset of the status in an answer."""
_SECOND_NS = 1_000_000_000
_REST_S = 0.02
"""How long a receiver that asked too often is not listened to."""

OUTCOMES = ("accepted", "refused", "idle", "stalled", "unread", "malformed")
"""accepted, refused (too many, or the server is off); closed because nothing came, half a request came, nothing was
read, bytes came that are no request."""


@dataclass(frozen=True)
class ConnectionLimits:
    """What connections may have.

    Attributes
    ----------
    connections : int
        At a time; one more is closed at once.
    received_bytes : int
        Buffered of what one receiver wrote: some whole requests.
    unsent_bytes : int
        Buffered of what one receiver has not read, before its next request is looked at; one answer comes on top.
    idle_s, request_s, unread_s : float
        How long nothing may come; how long a request may take to come whole; how long too much may stay unread.
    """

    connections: int = 16
    received_bytes: int = 4096
    unsent_bytes: int = 512 << 10
    idle_s: float = 120.0
    request_s: float = 2.0
    unread_s: float = 5.0


class Traffic:
    """What happened on all connections: ``outcomes`` by OUTCOMES, bytes both ways."""

    def __init__(self) -> None:
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self.received_bytes = 0
        self.sent_bytes = 0


class Connection(asyncio.BufferedProtocol):
    """A connection; ``closed`` is called with it when it is gone."""

    def __init__(
        self,
        server: RecoveryServer,
        limits: ConnectionLimits,
        traffic: Traffic,
        faults: Faults,
        closed: Callable[[Connection], None],
    ) -> None:
        self._server, self._limits, self._traffic, self._faults = server, limits, traffic, faults
        self._closed = closed
        self._in = bytearray(limits.received_bytes)
        self._view = memoryview(self._in)
        self._filled = 0
        self._transport: asyncio.Transport | None = None
        self._holds: set[str] = set()
        self._heard_ns = monotonic_ns()
        self._partial_ns = self._unread_ns = self._closing_ns = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what is not read by the other end."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(self._limits.unsent_bytes, self._limits.unsent_bytes // 4)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the receiver."""
        self._transport = None
        self._server.forget(self)
        self._closed(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the room that is left; after a look at what came there is room for more than a request."""
        return self._view[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Answer the requests that are whole."""
        self._filled += nbytes
        self._traffic.received_bytes += nbytes
        self._heard_ns = monotonic_ns()
        self._work()

    def pause_writing(self) -> None:
        """Answer nothing until what was answered is read."""
        self._unread_ns = monotonic_ns()
        self._hold("unread")

    def resume_writing(self) -> None:
        """Go on."""
        self._unread_ns = 0
        self._release("unread")

    def look(self, now_ns: int) -> None:
        """Close a connection that keeps its place for nothing."""
        limits = self._limits
        if self._transport is None:
            return
        if _over(self._closing_ns, now_ns, limits.unread_s):
            self._transport.abort()
        elif self._closing_ns:
            return
        elif _over(self._unread_ns, now_ns, limits.unread_s):
            self._abort("unread")
        elif _over(self._partial_ns, now_ns, limits.request_s):
            self._abort("stalled")
        elif _over(self._heard_ns, now_ns, limits.idle_s):
            self._abort("idle")

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    def _abort(self, outcome: str) -> None:
        self._traffic.outcomes[outcome] += 1
        self.abort()

    def _close(self) -> None:
        """Close once what was answered is out."""
        if self._transport is not None:
            self._closing_ns = monotonic_ns()
            self._transport.close()

    def _hold(self, why: str) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._holds.add(why)
            self._transport.pause_reading()

    def _release(self, why: str) -> None:
        self._holds.discard(why)
        if self._transport is not None and not self._transport.is_closing() and not self._holds:
            self._transport.resume_reading()
            self._work()

    def _work(self) -> None:
        at = 0
        while self._transport is not None and not self._transport.is_closing() and not self._holds:
            try:
                found = decode_request(self._view[at : self._filled])
            except MalformedRecoveryError:
                self._traffic.outcomes["malformed"] += 1
                self._write(self._server.bad_request())
                self._close()
                return
            if found is None:
                break
            at += found[1]
            self._respond(self._server.answer(found[0], monotonic_ns(), self))
        if at:
            self._view[: self._filled - at] = bytes(self._view[at : self._filled])
            self._filled -= at
            self._partial_ns = 0
        if self._filled == 0 or self._holds:
            self._partial_ns = 0
        elif not self._partial_ns:
            self._partial_ns = monotonic_ns()

    def _respond(self, answer: bytes) -> None:
        handling = self._faults.handle(answer)
        if answer[_STATUS] == RATE_LIMITED:
            self._hold("rate")
            asyncio.get_running_loop().call_later(_REST_S, self._release, "rate")
        if handling.delay_s:
            self._hold("delay")
            asyncio.get_running_loop().call_later(handling.delay_s, self._late, handling.data)
            return
        self._write(handling.data)
        if handling.close:
            self._close()

    def _late(self, data: bytes) -> None:
        self._write(data)
        self._release("delay")

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._traffic.sent_bytes += len(data)
            self._transport.write(data)


def _over(since_ns: int, now_ns: int, limit_s: float) -> bool:
    return since_ns != 0 and now_ns - since_ns > limit_s * _SECOND_NS

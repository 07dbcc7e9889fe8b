"""TCP in front of the recovery server: bounded connections, bounded bytes each way, no waiting for anybody.

A thread of its own with an event loop: nothing here is called by the thread that sends the lines.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from libs.wire.recovery import (
    BAD_REQUEST,
    BUSY,
    RANGE,
    REQUEST_BYTES,
    Answer,
    MalformedRecoveryError,
    Request,
    decode_request,
    encode_answer,
)

READ_BYTES = 4096
UNREAD_BYTES = 1 << 20
"""A client that leaves more than this unread waits for its own next answer."""
TEND_S = 0.05
START_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Reply:
    """An answer on its way. ``delay_s`` before it, and ``close`` after it: faults that are injected on purpose."""

    data: bytes
    delay_s: float = 0.0
    close: bool = False


@dataclass(frozen=True)
class ListenerLimits:
    """Of connections: how many, and how long one may stay silent, leave a request half written, or an answer unread."""

    connections: int = 16
    idle_s: float = 60.0
    request_s: float = 2.0
    write_s: float = 2.0


@dataclass
class ListenerCounters:
    """What happened to connections."""

    connections: int = 0
    refused: int = 0
    timed_out: int = 0
    malformed: int = 0
    requests: int = 0
    bytes_sent: int = 0
    open: int = field(default=0)


class RecoveryListener(threading.Thread):
    """Serve until stopped.

    Parameters
    ----------
    respond : callable
        (request, client) → Reply; called in this thread.
    tend : callable
        Called every 50 ms, and before nothing else: keeps the snapshot mirror near what was sent.
    host, port : str, int
        Numeric address of loopback or of one private interface; port 0: any free one.
    limits : ListenerLimits

    Attributes
    ----------
    address : tuple of str and int
        Where it listens, once started.
    error : BaseException or None
        What ended the thread, or kept it from listening.
    """

    def __init__(
        self,
        respond: Callable[[Request, str], Reply],
        tend: Callable[[], None],
        host: str,
        port: int,
        limits: ListenerLimits | None = None,
    ) -> None:
        super().__init__(name="recovery", daemon=True)
        self.respond, self.tend, self.limits = respond, tend, limits or ListenerLimits()
        self.address = (host, port)
        self.counters = ListenerCounters()
        self.error: BaseException | None = None
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()

    def listen(self) -> None:
        """Start, and return once connections are taken.

        Raises
        ------
        OSError
            When the address cannot be listened on.
        """
        self.start()
        if not self._ready.wait(START_TIMEOUT_S):
            raise TimeoutError(f"recovery did not listen within {START_TIMEOUT_S:.0f} s")
        if isinstance(self.error, OSError):
            raise self.error

    def stop(self, timeout_s: float = 1.0) -> None:
        """Close every connection and end."""
        if self.is_alive():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stopping.set)
            self.join(timeout_s)

    def run(self) -> None:
        """See :class:`RecoveryListener`."""
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:  # noqa: BLE001 - whoever started us looks at it
            self.error = error
        finally:
            self._ready.set()
            self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._on_connection, *self.address, limit=READ_BYTES, backlog=64)
        host, port = server.sockets[0].getsockname()[:2]
        self.address = (str(host), int(port))
        self._ready.set()
        tending = asyncio.create_task(self._tend())
        await self._stopping.wait()
        tending.cancel()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _tend(self) -> None:
        while True:
            self.tend()
            await asyncio.sleep(TEND_S)

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counters = self.counters
        if counters.open >= self.limits.connections:
            counters.refused += 1
            writer.write(_error(BUSY))
            writer.close()
            return
        counters.connections += 1
        counters.open += 1
        writer.transport.set_write_buffer_limits(high=UNREAD_BYTES)
        try:
            await self._talk(reader, writer)
        except TimeoutError:
            counters.timed_out += 1
        except (ConnectionError, MalformedRecoveryError):
            pass
        finally:
            counters.open -= 1
            # Not waited for: a client that reads nothing would hold the place of another.
            writer.transport.abort() if writer.transport.get_write_buffer_size() > READ_BYTES else writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = str(writer.get_extra_info("peername"))
        data = bytearray()
        began = 0.0
        while True:
            left = self.limits.request_s - (time.monotonic() - began) if data else self.limits.idle_s
            async with asyncio.timeout(max(0.0, left)):
                chunk = await reader.read(READ_BYTES)
            if not chunk:
                return
            began = began if data else time.monotonic()
            data += chunk
            while (request := self._next(data, writer)) is not None:
                began = time.monotonic()
                if not await self._answer(request, client, writer):
                    return

    def _next(self, data: bytearray, writer: asyncio.StreamWriter) -> Request | None:
        """Take the next request out of what was read; bytes that are none are answered, and end the connection."""
        try:
            found = decode_request(data)
        except MalformedRecoveryError:
            self.counters.malformed += 1
            writer.write(_error(BAD_REQUEST))
            raise
        if found is None:
            return None
        del data[: found[1]]
        self.counters.requests += 1
        return found[0]

    async def _answer(self, request: Request, client: str, writer: asyncio.StreamWriter) -> bool:
        """Write an answer; return whether to go on."""
        reply = self.respond(request, client)
        if reply.delay_s:
            await asyncio.sleep(reply.delay_s)
        writer.write(reply.data)
        self.counters.bytes_sent += len(reply.data)
        async with asyncio.timeout(self.limits.write_s):
            await writer.drain()
        return not reply.close


def _error(status: int) -> bytes:
    return encode_answer(Answer(RANGE, 0, status, 0, 0, 0, 0))


assert READ_BYTES >= REQUEST_BYTES

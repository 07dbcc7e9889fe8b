"""Read Redis Streams: packed records checked against their schema, readable records in consumer groups."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import redis

from libs.errors import SchemaError
from libs.streams.connection import TROUBLE, Connection
from libs.streams.schemas import SCHEMAS

COUNT = 256
CLAIM_IDLE_MS = 5_000
CLAIM_EVERY_S = 2.0


@dataclass(frozen=True)
class Batch:
    """The records of one entry of a packed stream.

    Attributes
    ----------
    stream, id : str
    run : str
        The writer's start; changes when the consumer restarted.
    rows : structured array
        Of the schema's dtype, read-only.
    """

    stream: str
    id: str
    run: str
    rows: np.ndarray


@dataclass(frozen=True)
class Record:
    """One entry of a readable stream."""

    stream: str
    id: str
    fields: dict[str, str]


class _Positions:
    """Where a reader stands in streams that are read without a group."""

    def __init__(self, client: redis.Redis, keys: Sequence[str], start: str) -> None:
        self._client, self._keys, self._start = client, keys, start
        self.last: dict[str, str] = {}

    def resolve(self) -> None:
        """Find the ends of the streams once, so that nothing written between two reads is missed."""
        for key in self._keys:
            if key in self.last:
                continue
            if self._start != "$":
                self.last[key] = self._start
                continue
            newest: Any = self._client.xrevrange(key, count=1)
            self.last[key] = newest[0][0].decode() if newest else "0-0"


class PackedReader:
    """Reader of packed streams, owned by one thread.

    Parameters
    ----------
    url, prefix : str
    streams : sequence of str
        Names of libs.streams.schemas.SCHEMAS.
    group, consumer : str, optional
        Read in a consumer group, with acknowledgement; else plainly.
    start : str
        ``$``: what comes from now on; ``0``: everything kept.
    block_ms : int
        How long a read waits for something; 0: not at all.

    Attributes
    ----------
    breaks : int
        Times that the writer restarted or had dropped records.
    """

    def __init__(
        self,
        url: str,
        prefix: str,
        streams: Sequence[str],
        *,
        group: str | None = None,
        consumer: str | None = None,
        start: str = "$",
        block_ms: int = 100,
    ) -> None:
        self._connection = Connection(url, block_ms)
        self._names = {f"{prefix}{stream}": stream for stream in streams}
        self._prefix, self._block_ms = prefix, block_ms
        self._positions = _Positions(self._connection.client, list(self._names), start)
        self._group = _Group(self._connection, list(self._names), group, consumer or "1", start) if group else None
        self._runs: dict[str, str] = {}
        self._checked: set[str] = set()
        self.breaks = 0

    @property
    def connected(self) -> bool:
        """Whether the last read went through."""
        return self._connection.connected

    @property
    def last_error(self) -> str:
        """Why it did not."""
        return self._connection.last_error

    @property
    def reconnects(self) -> int:
        """Connections made again after an outage."""
        return self._connection.reconnects

    def read(self) -> list[Batch]:
        """Return what came, oldest first a stream; empty when nothing did or Redis is away.

        Raises
        ------
        SchemaError
            When a stream's schema or an entry's version is not the one known here.
        """
        found: list[Batch] = []
        for key, entries in _read(self._connection, self._positions, self._group, list(self._names), self._block_ms):
            stream = self._names[key]
            self._check_schema(stream)
            found += [self._batch(stream, identity, fields) for identity, fields in entries]
        return found

    def _check_schema(self, stream: str) -> None:
        if stream in self._checked:
            return
        published: Any = self._connection.client.hgetall(f"{self._prefix}schema:{stream}")
        schema = SCHEMAS[stream]
        if published:
            version, size = published.get(b"version", b"?").decode(), published.get(b"itemsize", b"?").decode()
            if (version, size) != (str(schema.version), str(schema.dtype.itemsize)):
                raise SchemaError(
                    f"stream {stream}: expected version {schema.version} of {schema.dtype.itemsize} bytes, "
                    f"found version {version} of {size} bytes"
                )
            self._checked.add(stream)

    def _batch(self, stream: str, identity: str, fields: dict[bytes, bytes]) -> Batch:
        schema = SCHEMAS[stream]
        version = fields.get(b"v", b"?").decode()
        if version != str(schema.version):
            raise SchemaError(f"stream {stream}, entry {identity}: expected version {schema.version}, found {version}")
        data = fields.get(b"d", b"")
        if len(data) % schema.dtype.itemsize:
            expected = f"a multiple of {schema.dtype.itemsize} bytes"
            raise SchemaError(f"stream {stream}, entry {identity}: expected {expected}, found {len(data)}")
        run = fields.get(b"run", b"").decode()
        if b"b" in fields or self._runs.setdefault(stream, run) != run:
            self.breaks += 1
        self._runs[stream] = run
        return Batch(stream, identity, run, np.frombuffer(data, schema.dtype))

    def ack(self, batches: Sequence[Batch]) -> None:
        """Acknowledge batches read in a group."""
        if self._group is not None:
            self._group.ack([(f"{self._prefix}{batch.stream}", batch.id) for batch in batches])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class RecordReader:
    """Reader of readable streams, owned by one thread; parameters as :class:`PackedReader`."""

    def __init__(
        self,
        url: str,
        prefix: str,
        streams: Sequence[str],
        *,
        group: str | None = None,
        consumer: str | None = None,
        start: str = "$",
        block_ms: int = 100,
        claim_idle_ms: int = CLAIM_IDLE_MS,
    ) -> None:
        self._connection = Connection(url, block_ms)
        self._names = {f"{prefix}{stream}": stream for stream in streams}
        self._prefix, self._block_ms = prefix, block_ms
        self._positions = _Positions(self._connection.client, list(self._names), start)
        self._group = (
            _Group(self._connection, list(self._names), group, consumer or "1", start, claim_idle_ms) if group else None
        )

    @property
    def connected(self) -> bool:
        """Whether the last read went through."""
        return self._connection.connected

    @property
    def last_error(self) -> str:
        """Why it did not."""
        return self._connection.last_error

    @property
    def reconnects(self) -> int:
        """Connections made again after an outage."""
        return self._connection.reconnects

    def read(self) -> list[Record]:
        """Return what came; in a group first what an earlier run, or a dead consumer, left unacknowledged."""
        found: list[Record] = []
        for key, entries in _read(self._connection, self._positions, self._group, list(self._names), self._block_ms):
            for identity, fields in entries:
                plain = {name.decode(): value.decode(errors="replace") for name, value in fields.items()}
                found.append(Record(self._names[key], identity, plain))
        return found

    def ack(self, records: Sequence[Record]) -> None:
        """Acknowledge records read in a group."""
        if self._group is not None:
            self._group.ack([(f"{self._prefix}{record.stream}", record.id) for record in records])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


Entries = list[tuple[str, dict[bytes, bytes]]]


def _decoded(answer: Any) -> list[tuple[str, Entries]]:
    """Return XREAD's answer with names and ids as text; entries deleted meanwhile are left out."""
    pairs = answer.items() if isinstance(answer, dict) else answer or []
    found = []
    for key, entries in pairs:
        flat = entries[0] if isinstance(answer, dict) and entries and isinstance(entries[0], list) else entries
        found.append((key.decode(), [(i.decode(), fields) for i, fields in flat if fields]))
    return found


def _read(
    connection: Connection, positions: _Positions, group: _Group | None, keys: Sequence[str], block_ms: int
) -> list[tuple[str, Entries]]:
    """Read once, by group or by position; trouble is noted, and slept off for as long as a read may block."""
    if not connection.due():
        time.sleep(min(connection.wait_s(), max(block_ms, 1) / 1000))
        return []
    try:
        if not connection.connected:
            connection.client.ping()
        if group is not None:
            found = group.read(block_ms)
        else:
            positions.resolve()
            places: dict[Any, Any] = dict(positions.last)
            found = _decoded(connection.client.xread(places, count=COUNT, block=block_ms or None))
            for key, entries in found:
                if entries:
                    positions.last[key] = entries[-1][0]
        connection.up()
    except (*TROUBLE, redis.ResponseError) as error:
        connection.down(error)
        return []
    return found


class _Group:
    """A place in a consumer group: its own unacknowledged entries, those of dead consumers, then new ones."""

    def __init__(
        self,
        connection: Connection,
        keys: Sequence[str],
        group: str,
        consumer: str,
        start: str,
        claim_idle_ms: int = CLAIM_IDLE_MS,
    ) -> None:
        self._connection, self._keys, self._group, self._consumer = connection, keys, group, consumer
        self._start, self._claim_idle_ms = start, claim_idle_ms
        self._made = False
        self._made_once = False
        self._own: dict[str, str] = dict.fromkeys(keys, "0")
        self._next_claim = 0.0

    def _make(self) -> None:
        # A group that was there before went with its Redis: everything in the new one came since.
        start = "0" if self._made_once else self._start
        self._made_once = True
        for key in self._keys:
            try:
                self._connection.client.xgroup_create(key, self._group, id=start, mkstream=True)
            except redis.ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise
        self._made = True

    def read(self, block_ms: int) -> list[tuple[str, Entries]]:
        """Return the next entries; a group that vanished with its Redis is made again."""
        if not self._made or not self._connection.connected:
            self._make()
            self._own = dict.fromkeys(self._keys, "0")
        if self._own:
            found = self._read_own()
            if found:
                return found
        if time.monotonic() >= self._next_claim:
            self._next_claim = time.monotonic() + CLAIM_EVERY_S
            found = self._claim()
            if found:
                return found
        places: dict[Any, Any] = dict.fromkeys(self._keys, ">")
        answer = self._connection.client.xreadgroup(
            self._group, self._consumer, places, count=COUNT, block=block_ms or None
        )
        return _decoded(answer)

    def _read_own(self) -> list[tuple[str, Entries]]:
        places: dict[Any, Any] = dict(self._own)
        answer = _decoded(self._connection.client.xreadgroup(self._group, self._consumer, places, count=COUNT))
        found = [(key, entries) for key, entries in answer if entries]
        self._own = {key: entries[-1][0] for key, entries in found}
        return found

    def _claim(self) -> list[tuple[str, Entries]]:
        found = []
        for key in self._keys:
            answer: Any = self._connection.client.xautoclaim(
                key, self._group, self._consumer, self._claim_idle_ms, count=COUNT
            )
            entries = [(i.decode(), fields) for i, fields in answer[1] if fields]
            if entries:
                found.append((key, entries))
        return found

    def ack(self, entries: Sequence[tuple[str, str]]) -> None:
        """Acknowledge (key, id) pairs; while Redis is away they stay pending and come again."""
        by_key: dict[str, list[str]] = {}
        for key, identity in entries:
            by_key.setdefault(key, []).append(identity)
        try:
            for key, ids in by_key.items():
                self._connection.client.xack(key, self._group, *ids)
        except (*TROUBLE, redis.ResponseError) as error:
            self._connection.down(error)

"""Read Redis Streams: packed records checked against their schema, readable records in consumer groups."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from libs.errors import SchemaError
from libs.streams.connection import REAL, Connection, Surroundings
from libs.streams.places import CLAIM_IDLE_MS, Group, Positions, read_once
from libs.streams.resumed import Gap, Resumed
from libs.streams.schemas import SCHEMAS
from libs.streams.shards import WHOLE, Shard, parse_shard


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
    shard : Shard
        The writer, where several share the symbols.
    """

    stream: str
    id: str
    run: str
    rows: np.ndarray
    shard: Shard = WHOLE


@dataclass(frozen=True)
class Record:
    """One entry of a readable stream."""

    stream: str
    id: str
    fields: dict[str, str]


class Lag:
    """How far a reader is behind, by the times in which Redis numbers its entries; kept as text until somebody asks."""

    def __init__(self) -> None:
        self._newest, self._at_s = "", 0.0

    def note(self, newest: str) -> None:
        """Note the newest entry of a read; empty: there was none."""
        self._newest, self._at_s = newest, time.time()

    @property
    def seconds(self) -> float:
        """Age of that entry when it was read; 0 of none."""
        if not self._newest:
            return 0.0
        return max(0.0, self._at_s - int(self._newest.partition("-")[0]) / 1000)


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
    resume : mapping, optional
        By stream, the last entry that was taken in: read on right after it, from ``start`` where there is none, never
        wait, and notice what is gone (:meth:`gaps`).
    world : Surroundings
        Of the connection.

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
        resume: Mapping[str, str] | None = None,
        world: Surroundings = REAL,
    ) -> None:
        self._connection = Connection(url, block_ms, world)
        self._names = {f"{prefix}{stream}": stream for stream in streams}
        self._prefix, self._block_ms = prefix, block_ms
        keys = list(self._names)
        self._group = Group(self._connection, keys, group, consumer or "1", start) if group else None
        self._resumed: Resumed | None = None
        if resume is not None:
            last = {key: resume[stream] for key, stream in self._names.items() if stream in resume}
            self._resumed = Resumed(self._connection.client, keys, start, last)
        self._places = self._group or self._resumed or Positions(self._connection.client, keys, start)
        self._runs: dict[tuple[str, Shard], str] = {}
        self._checked: set[str] = set()
        self._header: tuple[str, bytes | None, bytes | None, bytes | None] = ("", None, None, None)
        self._writer = ("", WHOLE)
        self.breaks = 0
        self._lag = Lag()

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

    @property
    def lag_s(self) -> float:
        """How old the newest entry read was when it was read; 0 where the last read found nothing more."""
        return self._lag.seconds

    def read(self) -> list[Batch]:
        """Return what came, oldest first a stream; empty when nothing did or Redis is away.

        Raises
        ------
        SchemaError
            When a stream's schema or an entry's version is not the one known here.
        """
        found: list[Batch] = []
        for key, entries in read_once(self._connection, self._places, self._block_ms, self._check_schema):
            stream = self._names[key]
            found += [self._batch(stream, identity, fields) for identity, fields in entries]
        self._lag.note(found[-1].id if found else "")
        return found

    def gaps(self) -> list[tuple[str, Gap]]:
        """Return (stream, gap) of each place, since the last call, at which entries may be missing."""
        found = self._resumed.taken_gaps() if self._resumed is not None else []
        return [(self._names[gap.key], gap) for gap in found]

    def _check_schema(self, key: str) -> None:
        stream = self._names[key]
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
        header = (stream, fields.get(b"v"), fields.get(b"run"), fields.get(b"shard"))
        if header != self._header:
            self._writer = self._read_header(stream, identity, fields)
            self._header = header
        run, shard = self._writer
        if b"b" in fields:
            self.breaks += 1
        data = fields.get(b"d", b"")
        dtype = SCHEMAS[stream].dtype
        if len(data) % dtype.itemsize:
            expected = f"a multiple of {dtype.itemsize} bytes"
            raise SchemaError(f"stream {stream}, entry {identity}: expected {expected}, found {len(data)}")
        return Batch(stream, identity, run, np.frombuffer(data, dtype), shard)

    def _read_header(self, stream: str, identity: str, fields: dict[bytes, bytes]) -> tuple[str, Shard]:
        """Check what an entry says of its writer, which is nearly always what the entry before said."""
        schema = SCHEMAS[stream]
        version = fields.get(b"v", b"?").decode()
        if version != str(schema.version):
            raise SchemaError(f"stream {stream}, entry {identity}: expected version {schema.version}, found {version}")
        run = fields.get(b"run", b"").decode()
        text = fields.get(b"shard", b"1/1").decode(errors="replace")
        try:
            shard = parse_shard(text)
        except ValueError as error:
            raise SchemaError(f"stream {stream}, entry {identity}: shard: expected {error}, found {text!r}") from None
        if self._runs.setdefault((stream, shard), run) != run and b"b" not in fields:
            self.breaks += 1
        self._runs[stream, shard] = run
        return run, shard

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
        world: Surroundings = REAL,
    ) -> None:
        self._connection = Connection(url, block_ms, world)
        self._names = {f"{prefix}{stream}": stream for stream in streams}
        self._prefix, self._block_ms = prefix, block_ms
        keys = list(self._names)
        self._group = Group(self._connection, keys, group, consumer or "1", start, claim_idle_ms) if group else None
        self._places = self._group or Positions(self._connection.client, keys, start)
        self._lag = Lag()

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

    @property
    def lag_s(self) -> float:
        """How old the newest entry read was when it was read; 0 where the last read found nothing more."""
        return self._lag.seconds

    def read(self) -> list[Record]:
        """Return what came; in a group first what an earlier run, or a dead consumer, left unacknowledged."""
        found: list[Record] = []
        for key, entries in read_once(self._connection, self._places, self._block_ms):
            for identity, fields in entries:
                plain = {name.decode(): value.decode(errors="replace") for name, value in fields.items()}
                found.append(Record(self._names[key], identity, plain))
        self._lag.note(found[-1].id if found else "")
        return found

    def ack(self, records: Sequence[Record]) -> None:
        """Acknowledge records read in a group."""
        if self._group is not None:
            self._group.ack([(f"{self._prefix}{record.stream}", record.id) for record in records])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

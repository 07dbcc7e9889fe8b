"""Write to Redis Streams: one pipeline a call, never waiting for a Redis that is away."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np
import redis

from libs.clock import wall_ns
from libs.streams.connection import REAL, TROUBLE, Command, Connection, Surroundings
from libs.streams.instruments import Instruments
from libs.streams.schemas import SCHEMAS, STATUS, STATUS_KINDS
from libs.streams.shards import WHOLE, Shard

LATEST = frozenset({"features", "book", "nbbo"})
"""Streams of latest states: their records come again by themselves, so a failed write keeps nothing of them."""

BACKLOG_ENTRIES = 4096
DEFAULT_MAXLEN = 10_000

Entry = tuple[str, int, bytes]


def _add(key: str, maxlen: int) -> Command:
    return ("XADD", key, "MAXLEN", "~", maxlen, "*")


class PackedWriter:
    """Writer of packed records, owned by one thread.

    Parameters
    ----------
    url, prefix : str
        Redis, and what the streams' names begin with.
    run : int
        The writer's start, ns since the epoch; stands in every entry.
    maxlen : mapping
        Approximate length of each stream, in entries.
    backlog_entries : int
        Entries of event streams (trades, status) kept while Redis is away.
    world : Surroundings
        Of the connection.
    shard : Shard
        Stands in every entry, where it is one of several.

    Attributes
    ----------
    published, dropped : int
        Records.
    published_by_stream, dropped_by_stream : dict
    """

    def __init__(
        self,
        url: str,
        prefix: str,
        run: int,
        maxlen: Mapping[str, int],
        backlog_entries: int = BACKLOG_ENTRIES,
        world: Surroundings = REAL,
        shard: Shard = WHOLE,
    ) -> None:
        self._connection = Connection(url, world=world)
        self._prefix = prefix
        origin: Command = ("run", run) if shard.of == 1 else ("run", run, "shard", str(shard))
        self._heads: dict[str, Command] = {
            name: (*_add(f"{prefix}{name}", maxlen.get(name, DEFAULT_MAXLEN)), "v", schema.version, *origin)
            for name, schema in SCHEMAS.items()
        }
        self._backlog: deque[Entry] = deque()
        self._backlog_entries = backlog_entries
        self._lost_since = 0
        self._instruments = Instruments(maxlen.get("status", DEFAULT_MAXLEN))
        self._broken: set[str] = set()
        self.published_by_stream: dict[str, int] = {}
        self.dropped_by_stream: dict[str, int] = {}

    @property
    def connected(self) -> bool:
        """Whether the last write went through."""
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
    def errors(self) -> Mapping[str, int]:
        """Failures by reason."""
        return self._connection.errors

    @property
    def published(self) -> int:
        """Records written, all streams."""
        return sum(self.published_by_stream.values())

    @property
    def dropped(self) -> int:
        """Records given up, all streams."""
        return sum(self.dropped_by_stream.values())

    @property
    def waiting(self) -> tuple[Entry, ...]:
        """Entries in the backlog, the oldest first."""
        return tuple(self._backlog)

    def ready(self) -> bool:
        """Return whether a write would be tried now."""
        return self._connection.due()

    def publish_schemas(self) -> None:
        """Write each packed stream's layout and version beside it."""
        pipe = self._connection.client.pipeline(transaction=False)
        for schema in SCHEMAS.values():
            fields = {
                "version": schema.version,
                "itemsize": schema.dtype.itemsize,
                "fields": json.dumps(schema.dtype.descr),
            }
            pipe.hset(f"{self._prefix}schema:{schema.name}", mapping=fields)  # type: ignore[arg-type]
        pipe.execute()

    def write(self, entries: Sequence[Entry]) -> bool:
        """Write entries in one pipeline.

        Parameters
        ----------
        entries : sequence of (stream, records, bytes)

        Returns
        -------
        bool
            False when they were not written: entries of event streams then wait in the backlog (the oldest are dropped
            and counted), those of latest states are the caller's to keep.
        """
        for stream, _, data in entries:
            if stream == "status":
                self._instruments.note(data)
        if not self._connection.due():
            self._keep(entries)
            return False
        waiting = list(self._backlog)
        repeats = self._instruments.entries() if self._instruments.due else []
        try:
            if not self._connection.connected:
                self._connection.client.ping()
                self.publish_schemas()
                if self._connection.up() or self._lost_since:
                    self._broken = set(SCHEMAS)
                    waiting.insert(0, self._break_record())
                    repeats = self._instruments.entries()
            # Last, since what waits may hold older ones.
            refused, error = self._execute([*waiting, *entries, *repeats])
        except (*TROUBLE, redis.ResponseError) as trouble:
            self._connection.down(trouble)
            self._keep(entries)
            return False
        self._backlog.clear()
        self._lost_since = 0
        if error is None:
            return True
        self._connection.down(error)
        self._keep(refused)
        return False

    def _execute(self, entries: Sequence[Entry]) -> tuple[list[Entry], Exception | None]:
        """Write entries; return those that Redis refused, which alone may be written again, and why the first was."""
        untold = set(self._broken)
        commands: list[Command] = []
        for stream, n, data in entries:
            told: Command = ()
            if stream in untold:
                told = ("b", self._lost_since)
                untold.discard(stream)
            commands.append((*self._heads[stream], "n", n, "d", data, *told))
        answers = self._connection.run(commands)
        refused: list[Entry] = []
        error: Exception | None = None
        for entry, answer in zip(entries, answers, strict=True):
            stream, n, _ = entry
            if isinstance(answer, Exception):
                refused.append(entry)
                error = error or answer
                continue
            self._broken.discard(stream)
            self.published_by_stream[stream] = self.published_by_stream.get(stream, 0) + n
        return refused, error

    def _break_record(self) -> Entry:
        record = np.zeros(1, STATUS)
        record["book_id"] = 0xFFFFFFFF
        record["exchange"] = 255
        record["kind"] = STATUS_KINDS.index("break")
        record["sequence"] = self._lost_since
        record["book_ts_ns"] = wall_ns()
        return ("status", 1, record.tobytes())

    def _keep(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if entry[0] not in LATEST:
                self._backlog.append(entry)
        while len(self._backlog) > self._backlog_entries:
            stream, n, _ = self._backlog.popleft()
            self.dropped_by_stream[stream] = self.dropped_by_stream.get(stream, 0) + n
            self._lost_since += n

    def close(self) -> None:
        """Count what is still waiting as dropped, and close the connection."""
        while self._backlog:
            stream, n, _ = self._backlog.popleft()
            self.dropped_by_stream[stream] = self.dropped_by_stream.get(stream, 0) + n
        self._connection.close()

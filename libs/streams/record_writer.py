"""Write readable records to Redis Streams: a field a column, never waiting for a Redis that is away."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import redis

from libs.streams.connection import REAL, TROUBLE, Command, Connection, Surroundings
from libs.streams.writer import BACKLOG_ENTRIES, DEFAULT_MAXLEN


class RecordWriter:
    """Writer of readable records (signals, orders, fills): a field a column, text values; owned by one thread.

    Parameters
    ----------
    url, prefix : str
    maxlen : mapping
        Approximate length of each stream, in entries.
    backlog_entries : int
        Records kept while Redis is away; the oldest are dropped and counted.
    """

    def __init__(
        self,
        url: str,
        prefix: str,
        maxlen: Mapping[str, int],
        backlog_entries: int = BACKLOG_ENTRIES,
        world: Surroundings = REAL,
    ) -> None:
        self._connection = Connection(url, world=world)
        self._prefix, self._maxlen = prefix, dict(maxlen)
        self._backlog: deque[tuple[str, Mapping[str, str]]] = deque()
        self._backlog_entries = backlog_entries
        self.published = 0
        self.dropped = 0

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
    def waiting(self) -> int:
        """Records in the backlog."""
        return len(self._backlog)

    def write(self, records: Sequence[tuple[str, Mapping[str, str]]]) -> bool:
        """Write records, after those that waited, in one pipeline; False when they wait now.

        Parameters
        ----------
        records : sequence of (stream, fields)
            An empty one only writes what waits, and finds out whether Redis is there.
        """
        self._backlog.extend(records)
        while len(self._backlog) > self._backlog_entries:
            self._backlog.popleft()
            self.dropped += 1
        if not self._connection.due():
            return False
        try:
            if not self._connection.connected:
                self._connection.client.ping()
                self._connection.up()
            self._execute()
        except (*TROUBLE, redis.ResponseError) as error:
            self._connection.down(error)
            return False
        return True

    def _execute(self) -> None:
        if not self._backlog:
            return
        batch = list(self._backlog)
        commands: list[Command] = []
        for stream, fields in batch:
            length = self._maxlen.get(stream, DEFAULT_MAXLEN)
            words = (word for pair in fields.items() for word in pair)
            commands.append(("XADD", f"{self._prefix}{stream}", "MAXLEN", "~", length, "*", *words))
        answers = self._connection.run(commands)
        # What was written beside an error must not be written again: only what Redis refused stays.
        refused = [record for record, answer in zip(batch, answers, strict=True) if isinstance(answer, Exception)]
        self._backlog = deque(refused)
        self.published += len(batch) - len(refused)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer

    def close(self) -> None:
        """Close the connection; what still waits is counted as dropped."""
        self.dropped += len(self._backlog)
        self._backlog.clear()
        self._connection.close()

"""Where a reader of Redis Streams stands: positions of its own, or a consumer group's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import redis

from libs.streams.connection import TROUBLE, Connection

COUNT = 256
CLAIM_IDLE_MS = 5_000
CLAIM_EVERY_S = 2.0

Entries = list[tuple[str, dict[bytes, bytes]]]


def _decoded(answer: Any) -> list[tuple[str, Entries]]:
    """Return XREAD's answer with names and ids as text; entries deleted meanwhile are left out."""
    pairs = answer.items() if isinstance(answer, dict) else answer or []
    found = []
    for key, entries in pairs:
        flat = entries[0] if isinstance(answer, dict) and entries and isinstance(entries[0], list) else entries
        found.append((key.decode(), [(i.decode(), fields) for i, fields in flat if fields]))
    return found


class Positions:
    """Where a reader stands in streams that are read without a group."""

    def __init__(self, client: redis.Redis, keys: Sequence[str], start: str) -> None:
        self._client, self._keys, self._start = client, keys, start
        self.last: dict[str, str] = {}

    def read(self, block_ms: int) -> list[tuple[str, Entries]]:
        """Return what came after the positions."""
        self._resolve()
        places: dict[Any, Any] = dict(self.last)
        return _decoded(self._client.xread(places, count=COUNT, block=block_ms or None))

    def keep(self, found: Sequence[tuple[str, Entries]]) -> None:
        """Go on after what was read."""
        for key, entries in found:
            if entries:
                self.last[key] = entries[-1][0]

    def _resolve(self) -> None:
        # Once, so that nothing written between two reads is missed.
        for key in self._keys:
            if key in self.last:
                continue
            if self._start != "$":
                self.last[key] = self._start
                continue
            newest: Any = self._client.xrevrange(key, count=1)
            self.last[key] = newest[0][0].decode() if newest else "0-0"


class Group:
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
        for key in self._keys:
            try:
                self._connection.client.xgroup_create(key, self._group, id=start, mkstream=True)
            except redis.ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise
        self._made = self._made_once = True

    def read(self, block_ms: int) -> list[tuple[str, Entries]]:
        """Return the next entries; a group that vanished with its Redis is made again."""
        if not self._made or not self._connection.connected:
            self._make()
            self._own = dict.fromkeys(self._keys, "0")
        if self._own:
            found = self._read_own()
            if found:
                return found
        now_s = self._connection.world.monotonic_s()
        if now_s >= self._next_claim:
            self._next_claim = now_s + CLAIM_EVERY_S
            found = self._claim()
            if found:
                return found
        places: dict[Any, Any] = dict.fromkeys(self._keys, ">")
        answer = self._connection.client.xreadgroup(
            self._group, self._consumer, places, count=COUNT, block=block_ms or None
        )
        return _decoded(answer)

    def keep(self, found: Sequence[tuple[str, Entries]]) -> None:
        """Nothing to do: Redis knows what is not acknowledged."""

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


class Places(Protocol):
    """Where a reader stands."""

    def read(self, block_ms: int) -> list[tuple[str, Entries]]:
        """Return what comes next."""

    def keep(self, found: Sequence[tuple[str, Entries]]) -> None:
        """Go on after what was read."""


def read_once(
    connection: Connection,
    places: Places,
    block_ms: int,
    check: Callable[[str], None] | None = None,
) -> list[tuple[str, Entries]]:
    """Read once; trouble is noted, and slept off for as long as a read may block.

    ``check`` is called with the key of each stream that gave something, before what it gave counts as read.
    """
    if not connection.due():
        connection.world.sleep(min(connection.wait_s(), max(block_ms, 1) / 1000))
        return []
    try:
        if not connection.connected:
            connection.client.ping()
        found = places.read(block_ms)
        for key, entries in found:
            if entries and check is not None:
                check(key)
        places.keep(found)
        connection.up()
    except (*TROUBLE, redis.ResponseError) as error:
        connection.down(error)
        return []
    return found

"""A Redis of one process under a virtual clock: the commands that libs/streams uses, and the ways they fail.

Answers have the shapes of redis-py's (RESP2). What fails: the connection is refused, breaks after some commands of a
pipeline were carried out (their answers are lost), a write is refused from some command on, everything is gone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis

Id = tuple[int, int]
Fields = dict[bytes, bytes]
Entry = tuple[Id, Fields]


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _id(text: Any) -> Id:
    first, _, second = _bytes(text).decode().partition("-")
    return int(first), int(second or 0)


def _shown(entries: list[Entry]) -> list[tuple[bytes, Fields]]:
    return [(b"%d-%d" % identity, dict(fields)) for identity, fields in entries]


@dataclass
class _Group:
    last: Id = (0, 0)
    pending: dict[Id, tuple[str, int]] = field(default_factory=dict)
    """To whom an entry was given, and when (ms)."""


@dataclass
class _Stream:
    entries: list[Entry] = field(default_factory=list)
    last: Id = (0, 0)
    groups: dict[str, _Group] = field(default_factory=dict)

    def after(self, place: Id, count: int | None) -> list[Entry]:
        at = len(self.entries)
        while at and self.entries[at - 1][0] > place:
            at -= 1
        return self.entries[at:][:count]


class VirtualRedis:
    """The server.

    Attributes
    ----------
    up : bool
    broken_pipes : float
        Chance that a connection breaks in the middle of a pipeline or after a command.
    refusals : float
        Chance that a pipeline's writes are refused from some command on.
    """

    def __init__(self, now_ms: Callable[[], int], rng: random.Random) -> None:
        self.now_ms, self.rng = now_ms, rng
        self.up, self.broken_pipes, self.refusals = True, 0.0, 0.0
        self.life = 0
        self.streams: dict[str, _Stream] = {}
        self.hashes: dict[str, dict[bytes, bytes]] = {}

    def stop(self) -> None:
        """Go away, and with it every connection."""
        self.up = False
        self.life += 1

    def lose_everything(self) -> None:
        """Come back empty, as a Redis that keeps nothing on disk does."""
        self.streams.clear()
        self.hashes.clear()

    def stream(self, key: str) -> _Stream:
        """Return a stream, made where it is not there."""
        return self.streams.setdefault(key, _Stream())

    def check(self, life: int) -> None:
        """Refuse while it is away, and what comes over a connection of an earlier life."""
        if not self.up:
            raise redis.ConnectionError("Connection refused")
        if life != self.life:
            raise redis.ConnectionError("Connection closed by server.")

    def breaks(self) -> bool:
        """Return whether the answer of what was just done is lost."""
        return self.rng.random() < self.broken_pipes

    def connect(self, url: str, **times: Any) -> Any:
        """Stand in for ``redis.Redis.from_url``."""
        return Client(self)

    def run(self, client: Any, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Stand in for :func:`libs.streams.connection.run_together`; of commands XADD with MAXLEN alone."""
        pipe = client.pipeline(transaction=False)
        for name, key, _, _, maxlen, place, *words in commands:
            assert (name, place) == ("XADD", "*")
            pipe.xadd(key, dict(zip(words[::2], words[1::2], strict=True)), maxlen=maxlen)
        return list(pipe.execute(raise_on_error=False))


class Client:
    """What libs/streams needs of redis.Redis; parameters and answers are its."""

    def __init__(self, server: VirtualRedis) -> None:
        self.server, self.life = server, server.life
        self.connection_pool = self

    def disconnect(self) -> None:
        """Let go of the connection; the next command makes another."""
        self.life = self.server.life

    close = disconnect

    def _begin(self) -> None:
        self.server.check(self.life)

    def _end(self, answer: Any) -> Any:
        if self.server.breaks():
            raise redis.ConnectionError("Connection closed by server.")
        return answer

    def ping(self) -> bool:
        """PING."""
        self._begin()
        return bool(self._end(True))

    def pipeline(self, transaction: bool) -> Pipeline:
        """Collect commands."""
        return Pipeline(self)

    def hgetall(self, key: str) -> dict[bytes, bytes]:
        """HGETALL."""
        self._begin()
        return dict(self._end(self.server.hashes.get(key, {})))

    def xread(self, places: Mapping[str, str], count: int | None = None, block: int | None = None) -> list[Any]:
        """XREAD; nothing is waited for."""
        self._begin()
        found = []
        for key, place in places.items():
            entries = self.server.stream(key).after(_id(place), count)
            if entries:
                found.append([key.encode(), _shown(entries)])
        return list(self._end(found))

    def xrevrange(self, key: str, count: int) -> list[Any]:
        """XREVRANGE from the newest."""
        self._begin()
        return list(self._end(_shown(self.server.stream(key).entries[-count:])))

    def xgroup_create(self, key: str, group: str, id: str = "$", mkstream: bool = False) -> bool:  # noqa: A002
        """XGROUP CREATE."""
        self._begin()
        stream = self.server.stream(key)
        if group in stream.groups:
            raise redis.ResponseError("BUSYGROUP Consumer Group name already exists")
        stream.groups[group] = _Group(stream.last if id == "$" else _id(id))
        return bool(self._end(True))

    def _group(self, key: str, group: str) -> tuple[_Stream, _Group]:
        stream = self.server.stream(key)
        if group not in stream.groups:
            raise redis.ResponseError(f"NOGROUP No such key '{key}' or consumer group '{group}'")
        return stream, stream.groups[group]

    def xreadgroup(
        self, group: str, consumer: str, places: Mapping[str, str], count: int | None = None, block: int | None = None
    ) -> list[Any]:
        """XREADGROUP: new entries, or the consumer's own pending ones after a place."""
        self._begin()
        found = []
        now = self.server.now_ms()
        for key, place in places.items():
            stream, own = self._group(key, group)
            if place == ">":
                entries = stream.after(own.last, count)
                for identity, _ in entries:
                    own.last = identity
                    own.pending[identity] = (consumer, now)
                if not entries:
                    continue
            else:
                after = _id(place)
                entries = [
                    entry
                    for entry in stream.entries
                    if entry[0] > after and own.pending.get(entry[0], ("", 0))[0] == consumer
                ][:count]
            found.append([key.encode(), _shown(entries)])
        return list(self._end(found))

    def xautoclaim(self, key: str, group: str, consumer: str, min_idle_time: int, count: int) -> list[Any]:
        """XAUTOCLAIM."""
        self._begin()
        stream, own = self._group(key, group)
        now = self.server.now_ms()
        old = {identity for identity, (_, since) in own.pending.items() if now - since >= min_idle_time}
        entries = [entry for entry in stream.entries if entry[0] in old][:count]
        for identity, _ in entries:
            own.pending[identity] = (consumer, now)
        return list(self._end([b"0-0", _shown(entries), []]))

    def xack(self, key: str, group: str, *ids: str) -> int:
        """XACK."""
        self._begin()
        _, own = self._group(key, group)
        done = sum(own.pending.pop(_id(identity), None) is not None for identity in ids)
        return int(self._end(done))


class Pipeline:
    """Commands carried out together, not as a transaction."""

    def __init__(self, client: Client) -> None:
        self.server, self.client = client.server, client
        self.commands: list[Callable[[], Any]] = []

    def hset(self, key: str, mapping: Mapping[str, Any]) -> None:
        """HSET."""
        fields = {name.encode(): _bytes(value) for name, value in mapping.items()}
        self.commands.append(lambda: self.server.hashes.setdefault(key, {}).update(fields))

    def xadd(self, key: str, fields: Mapping[str, Any], maxlen: int, approximate: bool = True) -> None:
        """XADD with a length."""
        written = {name.encode(): _bytes(value) for name, value in fields.items()}
        self.commands.append(lambda: self._add(key, written, maxlen))

    def _add(self, key: str, fields: Fields, maxlen: int) -> bytes:
        stream = self.server.stream(key)
        ms, number = stream.last
        now = self.server.now_ms()
        stream.last = (now, 0) if now > ms else (ms, number + 1)
        stream.entries.append((stream.last, fields))
        del stream.entries[: max(0, len(stream.entries) - maxlen)]
        return b"%d-%d" % stream.last

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Carry out the commands; some of them, where the connection breaks."""
        server = self.server
        server.check(self.client.life)
        count = len(self.commands)
        refused_from = server.rng.randint(0, count) if server.rng.random() < server.refusals else count
        broken_from = server.rng.randint(0, count) if server.breaks() else count + 1
        answers: list[Any] = []
        for number, command in enumerate(self.commands):
            if number >= broken_from:
                break
            if number < refused_from:
                answers.append(command())
            else:
                answers.append(redis.ResponseError("OOM command not allowed when used memory > 'maxmemory'."))
        if broken_from <= count:
            raise redis.ConnectionError("Connection closed by server.")
        for answer in answers:
            if raise_on_error and isinstance(answer, Exception):
                raise answer
        return answers

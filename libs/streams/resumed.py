"""Read on where an earlier process stopped, and notice when what follows is no longer there.

Redis trims a stream from its oldest entry. So nothing was lost as long as the last entry taken in is still there, and
each read asks for it again, in one command with what follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import redis

from libs.streams.places import Entries

COUNT = 32
"""Entries of a stream in one read: an entry may hold megabytes."""
BEGINNING = "0-0"


class Gap(NamedTuple):
    """Entries may be missing between two of a stream.

    Attributes
    ----------
    key : str
    after : str
        The last entry taken in, which is gone.
    next : str
        The first one that is there.
    """

    key: str
    after: str
    next: str


class Resumed:
    """Positions in streams, without a group; :meth:`read` never waits.

    Parameters
    ----------
    client : redis.Redis
    keys : sequence of str
    start : str
        Where to begin without a position: ``0`` with all that is kept, ``$`` with what comes.
    last : mapping
        Positions by key.
    """

    def __init__(self, client: redis.Redis, keys: Sequence[str], start: str, last: Mapping[str, str]) -> None:
        self._client, self._keys, self._start = client, keys, start
        self.last = dict(last)
        self._seen: list[Gap] = []
        self._gaps: list[Gap] = []

    def read(self, block_ms: int) -> list[tuple[str, Entries]]:
        """Return what came after the positions."""
        self._resolve()
        self._seen.clear()
        pipe = self._client.pipeline(transaction=False)
        for key in self._keys:
            pipe.xrange(key, min=self.last[key], count=COUNT + 1)
        found = []
        for key, answer in zip(self._keys, pipe.execute(), strict=True):
            entries = self._following(key, answer)
            if entries:
                found.append((key, entries))
        return found

    def keep(self, found: Sequence[tuple[str, Entries]]) -> None:
        """Go on after what was read."""
        for key, entries in found:
            if entries:
                self.last[key] = entries[-1][0]
        self._gaps += self._seen
        self._seen.clear()

    def taken_gaps(self) -> list[Gap]:
        """Return the gaps that were found since the last call."""
        found, self._gaps = self._gaps, []
        return found

    def _following(self, key: str, answer: Any) -> Entries:
        last = self.last[key]
        entries: Entries = [(identity.decode(), fields) for identity, fields in answer]
        if last == BEGINNING:
            return entries[:COUNT]
        if entries and entries[0][0] == last:
            return entries[1:]
        if not entries:
            # A stream that began anew under a clock that is behind gives lower numbers.
            entries = self._anew(key, last)
        if entries:
            self._seen.append(Gap(key, last, entries[0][0]))
        return entries[:COUNT]

    def _anew(self, key: str, last: str) -> Entries:
        answer: Any = self._client.xrange(key, count=COUNT)
        if not answer:
            return []
        info: Any = self._client.xinfo_stream(key)
        given = _number(info["last-generated-id"].decode())
        return [(identity.decode(), fields) for identity, fields in answer] if given < _number(last) else []

    def _resolve(self) -> None:
        for key in self._keys:
            if key in self.last:
                continue
            newest: Any = self._client.xrevrange(key, count=1) if self._start == "$" else []
            self.last[key] = newest[0][0].decode() if newest else BEGINNING


def _number(identity: str) -> tuple[int, int]:
    time, _, place = identity.partition("-")
    return int(time), int(place)

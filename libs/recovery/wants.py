"""What a receiver wants of the recovery server, in the order in which it is to be asked for. Sans-I/O."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from libs.wire.recovery import RANGE, SNAPSHOT, Request

MS = 1_000_000
FOREVER = (1 << 63) - 1
"""A time that never comes, in ns."""


@dataclass(frozen=True)
class Limits:
    """What a client may do at the most.

    Attributes
    ----------
    messages : int
        In one request for a range.
    requests_per_second : int
        In any second.
    in_flight : int
        Requests that wait for their answer; snapshots take a quarter of them, so that a range finds room.
    wants : int
        Ranges and snapshots that wait for their turn or their answer.
    held : int
        Snapshots that wait until the receiver has reached them.
    held_ns : int
        How long each of those waits.
    buffer_bytes : int
        Of what was answered and has not been fetched.
    range_timeout_ns, snapshot_timeout_ns : int
        How long to wait for an answer.
    tries : int
        Requests in a row for the same thing that bring nothing.
    want_ns : int
        How long anything is wanted.
    first_backoff_ns, longest_backoff_ns : int
        After failures in a row.
    """

    messages: int = 1024
    requests_per_second: int = 2000
    in_flight: int = 16
    wants: int = 8192
    held: int = 64
    held_ns: int = 1000 * MS
    buffer_bytes: int = 4 << 20
    range_timeout_ns: int = 15 * MS
    snapshot_timeout_ns: int = 500 * MS
    tries: int = 8
    want_ns: int = 10_000 * MS
    first_backoff_ns: int = 2 * MS
    longest_backoff_ns: int = 1000 * MS

    @property
    def snapshots_in_flight(self) -> int:
        """Return how many of the requests in flight may be for snapshots."""
        return max(1, self.in_flight // 4)


Key = tuple[int, int, int, int, int, str]


@dataclass(slots=True, eq=False)
class Want:
    """A range of messages, or a book's snapshot.

    Attributes
    ----------
    first, last : int
        What of a range has not come yet.
    since_ns : int
    tries : int
        Requests since something came.
    flight : int
        Id of the request that waits for its answer; 0: none does.
    waits, done : bool
        Whether it stands in a queue; whether nothing more is to be done for it.
    """

    kind: int
    exchange: int
    session: int
    first: int
    last: int
    symbol: str
    since_ns: int
    key: Key
    tries: int = 0
    flight: int = 0
    waits: bool = False
    done: bool = False


@dataclass(slots=True)
class Flight:
    """A request that waits for its answer, and what it is for."""

    want: Want
    request: Request
    deadline_ns: int


class Wants:
    """All that is wanted: at most ``limit``, the same thing once.

    Parameters
    ----------
    limit : int
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._all: dict[Key, Want] = {}
        self._ready: dict[int, deque[Want]] = {RANGE: deque(), SNAPSHOT: deque()}
        self._delayed: dict[int, list[tuple[int, int, Want]]] = {RANGE: [], SNAPSHOT: []}
        self._turn = count()

    def __len__(self) -> int:
        return len(self._all)

    def add(self, kind: int, exchange: int, session: int, first: int, last: int, symbol: str, now_ns: int) -> str:
        """Want something; return "", or why it is not wanted: ``again``, ``full``."""
        key = (kind, exchange, session, first, last, symbol)
        if key in self._all:
            return "again"
        if len(self._all) >= self.limit:
            return "full"
        want = Want(kind, exchange, session, first, last, symbol, now_ns, key)
        self._all[key] = want
        self.put(want)
        return ""

    def put(self, want: Want, not_before_ns: int = 0, *, ahead: bool = False) -> None:
        """Queue a want, behind or ahead of the others, or for later."""
        want.waits = True
        if not_before_ns > 0:
            heapq.heappush(self._delayed[want.kind], (not_before_ns, next(self._turn), want))
        elif ahead:
            self._ready[want.kind].appendleft(want)
        else:
            self._ready[want.kind].append(want)

    def take(self, kind: int, now_ns: int) -> Want | None:
        """Return the next one of a kind to ask for, no longer queued; None: none is due."""
        delayed, ready = self._delayed[kind], self._ready[kind]
        while delayed and delayed[0][0] <= now_ns:
            ready.append(heapq.heappop(delayed)[2])
        while ready:
            want = ready.popleft()
            want.waits = False
            if not want.done:
                return want
        return None

    def next_ns(self, kind: int) -> int:
        """Return when the next one of a kind may be asked for: 0 at once, FOREVER never."""
        if self._ready[kind]:
            return 0
        return self._delayed[kind][0][0] if self._delayed[kind] else FOREVER

    def finish(self, want: Want) -> None:
        """Forget a want."""
        if not want.done:
            want.done = True
            del self._all[want.key]

    def sweep(self, unwanted: Callable[[Want], str], drop: Callable[[Want, str], None]) -> None:
        """Drop every queued want that ``unwanted`` gives a reason against."""
        for want in list(self._all.values()):
            if want.waits and (reason := unwanted(want)):
                drop(want, reason)
        for kind in (RANGE, SNAPSHOT):
            self._ready[kind] = deque(want for want in self._ready[kind] if not want.done)
            self._delayed[kind] = [entry for entry in self._delayed[kind] if not entry[2].done]
            heapq.heapify(self._delayed[kind])

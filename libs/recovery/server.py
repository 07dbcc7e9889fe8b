"""The sender's side of recovery: what is answered to a request, within limits. Sans-I/O.

Time is passed in (ns, monotonic) and nothing waits. The answer to a range carries messages exactly as they were sent.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from libs.recovery.history import History, oldest, read, session
from libs.wire.layout import CHANNELS
from libs.wire.recovery import (
    ANSWER_BYTES,
    BAD_RANGE,
    BAD_REQUEST,
    MAX_ANSWER_BYTES,
    NO_SNAPSHOT,
    NOT_YET,
    OK,
    RANGE,
    RATE_LIMITED,
    SNAPSHOT,
    STATUSES,
    TOO_MANY,
    TOO_OLD,
    UNKNOWN_CHANNEL,
    UNKNOWN_SESSION,
    Answer,
    Request,
    encode_answer,
)

KINDS = {RANGE: "range", SNAPSHOT: "snapshot"}
_SECOND_NS = 1_000_000_000
_SEQUENCES = 1 << 62
"""No sequence is so large; kernels take nothing above int64."""


@dataclass(frozen=True)
class Limits:
    """What a client may have.

    Attributes
    ----------
    messages : int
        In the answer to one range; to ask for more is TOO_MANY.
    answer_bytes : int
        Of messages in one answer; a range that needs more is answered in part.
    client_requests_per_s, requests_per_s : float
        Of one client, and of all together; as many may come at once after a quiet second.
    clients : int
        How many are told apart; the one longest unheard is forgotten first.
    """

    messages: int = 1024
    answer_bytes: int = 256 << 10
    client_requests_per_s: float = 4000.0
    requests_per_s: float = 16_000.0
    clients: int = 256


class Snapshots(Protocol):
    """Where snapshots come from: :class:`libs.recovery.mirror.Mirror`."""

    def snapshot(self, channel: int, of: int, symbol: str) -> tuple[int, int, int, bytes]:
        """Return (status, the channel's sequence that the book contains, messages, their bytes)."""


class _Allowance:
    """Requests that may still come: refilled by time, at most a second's worth."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._left = max(1.0, per_s)
        self._at_ns = 0

    def take(self, now_ns: int) -> bool:
        passed = max(0, now_ns - self._at_ns) if self._at_ns else 0
        self._left = min(max(1.0, self._per_s), self._left + passed * self._per_s / _SECOND_NS)
        self._at_ns = max(self._at_ns, now_ns)
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class RecoveryServer:
    """Answers requests out of a history.

    Parameters
    ----------
    history : History
        Written by the sender, maybe in another thread.
    snapshots : Snapshots or None
        None: every request for a snapshot is answered NO_SNAPSHOT.
    limits : Limits

    Attributes
    ----------
    answered : dict
        (kind, status) by name → how many; ("none", "bad_request") for bytes that were no request.
    messages : int
        Sent in answers, in all.

    Raises
    ------
    ValueError
        When an answer may be longer than a receiver believes.
    """

    def __init__(self, history: History, snapshots: Snapshots | None, limits: Limits) -> None:
        if limits.answer_bytes > MAX_ANSWER_BYTES:
            raise ValueError(f"answer_bytes: expected at most {MAX_ANSWER_BYTES}, found {limits.answer_bytes}")
        self.history, self.snapshots, self.limits = history, snapshots, limits
        self.answered = {(kind, status): 0 for kind in KINDS.values() for status in STATUSES}
        self.answered[("none", STATUSES[BAD_REQUEST])] = 0
        self.messages = 0
        self._out = np.zeros(limits.answer_bytes, np.uint8)
        self._all = _Allowance(limits.requests_per_s)
        self._clients: OrderedDict[Hashable, _Allowance] = OrderedDict()

    def answer(self, request: Request, now_ns: int, client: Hashable) -> bytes:
        """Return the whole answer to a request, encoded.

        Parameters
        ----------
        request : Request
        now_ns : int
            Monotonic.
        client : hashable
            Who asks; limits are kept by it.
        """
        if not self._may_ask(now_ns, client):
            return self._refuse(request, RATE_LIMITED)
        if request.exchange >= CHANNELS:
            return self._refuse(request, UNKNOWN_CHANNEL)
        return self._range(request) if request.kind == RANGE else self._snapshot(request)

    def bad_request(self) -> bytes:
        """Return the answer to bytes that are no request; the connection is to be closed after it."""
        self.answered[("none", STATUSES[BAD_REQUEST])] += 1
        return encode_answer(Answer(RANGE, 0, BAD_REQUEST, self._session(), 0, 0, 0))

    def oldest(self, exchange: int) -> int:
        """Return the first sequence of a channel that can still be had; the next one when none can."""
        return int(oldest(self.history, exchange))

    def forget(self, client: Hashable) -> None:
        """Forget a client that is gone."""
        self._clients.pop(client, None)

    def _may_ask(self, now_ns: int, client: Hashable) -> bool:
        allowance = self._clients.get(client)
        if allowance is None:
            while len(self._clients) >= self.limits.clients:
                self._clients.popitem(last=False)
            allowance = self._clients[client] = _Allowance(self.limits.client_requests_per_s)
        self._clients.move_to_end(client)
        return allowance.take(now_ns) and self._all.take(now_ns)

    def _session(self) -> int:
        return int(session(self.history))

    def _refuse(self, request: Request, status: int, first: int = 0, last: int = 0) -> bytes:
        return self._say(request, status, first, last, 0, b"")

    def _say(self, request: Request, status: int, first: int, last: int, count: int, messages: bytes) -> bytes:
        self.answered[(KINDS[request.kind], STATUSES[status])] += 1
        self.messages += count
        of = request.session if status == OK else self._session()
        answer = Answer(request.kind, request.exchange, status, of, first, last, request.request_id, count)
        return encode_answer(answer, messages)

    def _range(self, request: Request) -> bytes:
        first, last, channel = request.first, request.last, request.exchange
        if first == 0 or last < first:
            return self._refuse(request, BAD_RANGE)
        if request.session != self._session():
            return self._refuse(request, UNKNOWN_SESSION)
        if last - first >= self.limits.messages:
            return self._refuse(request, TOO_MANY)
        if last >= _SEQUENCES:
            return self._refuse(request, NOT_YET)
        status, count, used = read(self.history, request.session, channel, first, last, self._out)
        if status == TOO_OLD:
            return self._refuse(request, TOO_OLD, self.oldest(channel))
        if status != OK:
            return self._refuse(request, int(status))
        if count == 0:  # the first message alone is longer than an answer may be
            return self._refuse(request, TOO_OLD)
        return self._say(request, OK, first, first + int(count) - 1, int(count), self._out[:used].tobytes())

    def _snapshot(self, request: Request) -> bytes:
        if request.first or request.last:
            return self._refuse(request, BAD_RANGE)
        if request.session == 0 or request.session != self._session():
            return self._refuse(request, UNKNOWN_SESSION)
        if self.snapshots is None:
            return self._refuse(request, NO_SNAPSHOT)
        status, sequence, count, messages = self.snapshots.snapshot(request.exchange, request.session, request.symbol)
        if status == OK and len(messages) > self.limits.answer_bytes:
            status = NO_SNAPSHOT
        if status != OK:
            return self._refuse(request, status)
        return self._say(request, OK, sequence, sequence, count, messages)


def longest_answer(limits: Limits) -> int:
    """Return the bytes of the longest answer."""
    return ANSWER_BYTES + limits.answer_bytes

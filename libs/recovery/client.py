"""The receiver's side of recovery: asks for what is missing, believes nothing that it did not ask for. Sans-I/O.

Time is passed in (ns, monotonic); requests are handed out to be sent and answers handed in. Everything is bounded:
what is wanted, what is in flight, what is asked for in a second, what was answered and not fetched. A range that cannot
be had is dropped: the sequencer gives it up in its own time, and books ask for snapshots then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from libs.market.limits import MAX_SYMBOL
from libs.recovery.backoff import Backoff
from libs.recovery.counts import KINDS, new_counters
from libs.recovery.outgoing import Outgoing
from libs.recovery.reading import SEQUENCES, AnswerReader
from libs.recovery.wants import FOREVER, MS, Flight, Limits, Want, Wants
from libs.wire.recovery import (
    BAD_REQUEST,
    BUSY,
    NOT_YET,
    OK,
    RANGE,
    RATE_LIMITED,
    SNAPSHOT,
    STATUSES,
    TOO_MANY,
    Answer,
    Request,
)

_LATE_PER_FLIGHT = 4
_FEWEST_MESSAGES = 16
_SWEEP_NS = 50 * MS
_LATER_NS = MS
_MAX_REQUEST_ID = (1 << 32) - 1
_DISTRUST = 8


class RecoveryClient:
    """What one connection to a recovery server does.

    Parameters
    ----------
    limits : Limits
    position : callable
        Exchange → the receiver's present session (0: none) and the next sequence that it expects.

    Attributes
    ----------
    counters : dict
        See :func:`libs.recovery.counts.new_counters`; the keys never change.
    """

    def __init__(self, limits: Limits, position: Callable[[int], tuple[int, int]]) -> None:
        self.limits, self.position = limits, position
        self.counters = new_counters()
        self.backoff = Backoff(limits.first_backoff_ns, limits.longest_backoff_ns)
        self._wants = Wants(limits.wants)
        self._flights: dict[int, Flight] = {}
        self._late: dict[int, Flight] = {}
        self._outgoing = Outgoing(limits, position)
        self._reader = AnswerReader()
        self._sent_ns: deque[int] = deque(maxlen=limits.requests_per_second)
        self._messages = limits.messages
        self._last_id = 0
        self._doubts = 0
        self._sweep_ns = 0

    @property
    def wanted(self) -> int:
        """How much is wanted: ranges and snapshots that are not settled."""
        return len(self._wants)

    @property
    def in_flight(self) -> int:
        """Requests that wait for their answer."""
        return len(self._flights)

    @property
    def buffered_bytes(self) -> int:
        """Bytes that were answered and not fetched, of snapshots too that the receiver has not reached."""
        return self._outgoing.bytes

    @property
    def is_distrusted(self) -> bool:
        """Whether the server has failed so often in a row that another connection should be tried."""
        return self._doubts >= _DISTRUST

    def want_range(self, exchange: int, session: int, first: int, last: int, now_ns: int) -> None:
        """Want the messages ``first`` to ``last`` of a session, both included."""
        if 0 < first <= last < SEQUENCES:
            self._want(RANGE, exchange, session, first, last, "", now_ns)

    def want_snapshot(self, exchange: int, session: int, symbol: str, now_ns: int) -> None:
        """Want a book's snapshot."""
        if 0 < len(symbol.encode()) <= MAX_SYMBOL:
            self._want(SNAPSHOT, exchange, session, 0, 0, symbol, now_ns)

    def _want(self, kind: int, exchange: int, session: int, first: int, last: int, symbol: str, now_ns: int) -> None:
        if not 0 < session < SEQUENCES:
            self.counters["dropped_no_session"] += 1
        elif self._wants.add(kind, exchange, session, first, last, symbol, now_ns) == "full":
            self.counters["dropped_full"] += 1

    def due(self, now_ns: int) -> list[Request]:
        """Return the requests to send now; each counts as sent."""
        self._expire(now_ns)
        self._sweep(now_ns)
        found: list[Request] = []
        for kind in KINDS:
            while self._open_ns(kind) <= now_ns and (want := self._wants.take(kind, now_ns)) is not None:
                if reason := self._unwanted(want, now_ns):
                    self._drop(want, reason)
                else:
                    found.append(self._request(want, now_ns))
        return found

    def next_due_ns(self, now_ns: int) -> int:
        """Return when :meth:`due` or :meth:`deliveries` is to be called next; FOREVER when nothing is to come."""
        times = [self._outgoing.next_ns(now_ns)]
        times += [flight.deadline_ns for flight in self._flights.values()]
        times += [max(self._open_ns(kind), self._wants.next_ns(kind)) for kind in KINDS]
        if self._wants:
            times.append(self._sweep_ns)
        return max(now_ns, min(times))

    def _open_ns(self, kind: int) -> int:
        """Return when the limits let a request of a kind go; FOREVER: not before something else happens."""
        limits = self.limits
        if len(self._flights) >= limits.in_flight or self._outgoing.bytes * 2 >= limits.buffer_bytes:
            return FOREVER
        if kind == SNAPSHOT:
            flying = sum(flight.request.kind == SNAPSHOT for flight in self._flights.values())
            if flying >= limits.snapshots_in_flight or flying + self._outgoing.held >= limits.held:
                return FOREVER
        full = len(self._sent_ns) == limits.requests_per_second
        return max(self.backoff.until_ns, self._sent_ns[0] + 1000 * MS if full else 0)

    def _unwanted(self, want: Want, now_ns: int) -> str:
        session, expected = self.position(want.exchange)
        if session != want.session:
            return "session"
        if want.kind == RANGE:
            if expected > want.last:
                return "unneeded"
            want.first = max(want.first, expected)
        if want.tries >= self.limits.tries:
            return "tries"
        return "old" if now_ns - want.since_ns >= self.limits.want_ns else ""

    def _drop(self, want: Want, reason: str) -> None:
        self.counters[f"dropped_{reason}"] += 1
        self._wants.finish(want)

    def _request(self, want: Want, now_ns: int) -> Request:
        self._last_id = self._last_id % _MAX_REQUEST_ID + 1
        last = min(want.last, want.first + self._messages - 1)
        request = Request(want.kind, want.exchange, want.session, want.first, last, self._last_id, want.symbol)
        limits = self.limits
        timeout_ns = limits.range_timeout_ns if want.kind == RANGE else limits.snapshot_timeout_ns
        self._flights[self._last_id] = Flight(want, request, now_ns + timeout_ns)
        self._sent_ns.append(now_ns)
        self.counters[f"requests_{KINDS[want.kind]}"] += 1
        want.tries += 1
        want.flight = self._last_id
        return request

    def _expire(self, now_ns: int) -> None:
        expired = [number for number, flight in self._flights.items() if flight.deadline_ns <= now_ns]
        for number in reversed(expired):
            flight = self._late[number] = self._flights.pop(number)
            self.counters["timeouts"] += 1
            self._again(flight, 0, ahead=True)
        if expired:
            self._fail(now_ns)
        while len(self._late) > _LATE_PER_FLIGHT * self.limits.in_flight:
            del self._late[next(iter(self._late))]

    def _sweep(self, now_ns: int) -> None:
        if now_ns >= self._sweep_ns:
            self._sweep_ns = now_ns + _SWEEP_NS
            self._wants.sweep(lambda want: self._unwanted(want, now_ns), self._drop)

    def _again(self, flight: Flight, not_before_ns: int, *, ahead: bool = False) -> None:
        """Queue what a request was for, unless another one asks for it already."""
        want = flight.want
        if want.done or want.flight != flight.request.request_id:
            return
        want.flight = 0
        self._wants.put(want, not_before_ns, ahead=ahead)

    def on_answer(self, answer: Answer, messages: bytes, now_ns: int) -> None:
        """Take in an answer: check it, keep what is to be delivered, ask again for what is missing of it."""
        self.counters[f"answers_{STATUSES[answer.status]}"] += 1
        flight = self._flights.pop(answer.request_id, None)
        if flight is None and (flight := self._late.pop(answer.request_id, None)) is not None:
            self.counters["late"] += 1
        if flight is None:
            self._refuse("unknown_request", now_ns)
            return
        reason, pieces = self._reader.read(flight.request, answer, messages)
        if reason:
            self._refuse(reason, now_ns)
            self._again(flight, 0)
        elif answer.status != OK:
            self._on_status(flight, answer.status, now_ns)
        else:
            self._succeed()
            self._on_messages(flight, answer, pieces, now_ns)

    def _on_status(self, flight: Flight, status: int, now_ns: int) -> None:
        request = flight.request
        asked = request.last - request.first + 1
        if status == RATE_LIMITED or (status == BUSY and request.kind == RANGE):
            self.backoff.fail(now_ns)
            self._again(flight, 0)
        elif status in (NOT_YET, BUSY):  # a book is busy while its event is being sent
            self._succeed()
            self._again(flight, now_ns + _later_ns(flight.want))
        elif status == TOO_MANY and request.kind == RANGE and asked > _FEWEST_MESSAGES:
            self._succeed()
            self._messages = min(self._messages, max(_FEWEST_MESSAGES, asked // 2))
            self._again(flight, 0, ahead=True)
        else:
            if status == BAD_REQUEST:
                self._fail(now_ns)
            else:
                self._succeed()
            if not flight.want.done:
                self._drop(flight.want, "status")

    def _on_messages(self, flight: Flight, answer: Answer, pieces: list[bytes], now_ns: int) -> None:
        want = flight.want
        session, expected = self.position(want.exchange)
        if want.done or session != want.session or (want.kind == RANGE and expected > answer.last):
            self.counters["unneeded"] += 1
            self._again(flight, 0)
            return
        if not self._outgoing.has_room(want.kind, pieces):
            self.counters["refused_no_room"] += 1
            self._again(flight, now_ns + _later_ns(want))
            return
        if want.kind == SNAPSHOT:
            self._outgoing.hold(want, answer.last, pieces[0], now_ns)
            self._wants.finish(want)
            return
        self._outgoing.put(pieces)
        self.counters[f"recovered_{want.exchange}"] += answer.count
        want.first = max(want.first, answer.last + 1)
        want.tries = 0
        if want.first > want.last:
            self._wants.finish(want)
        else:
            self._again(flight, 0, ahead=True)

    def on_malformed(self, now_ns: int) -> None:
        """Take in that the server sent bytes that are no answer; the connection is to be closed."""
        self._refuse("malformed", now_ns)

    def on_disconnect(self, now_ns: int) -> None:
        """Take in that the connection is gone, or was not made: what was in flight is wanted again, later."""
        self.counters["disconnects"] += 1
        for flight in reversed(self._flights.values()):
            self._again(flight, 0, ahead=True)
        self._flights.clear()
        self._late.clear()
        self._messages = self.limits.messages
        self._doubts = 0
        self.backoff.fail(now_ns)

    def deliveries(self, now_ns: int) -> list[bytes]:
        """Return what is to be handed to the engine, each at most 60,000 bytes, and forget it."""
        self._sweep(now_ns)
        for want, outcome in self._outgoing.look(now_ns):
            self.counters[f"dropped_{outcome}" if outcome else f"snapshots_{want.exchange}"] += 1
        return self._outgoing.take()

    def _refuse(self, reason: str, now_ns: int) -> None:
        self.counters[f"refused_{reason}"] += 1
        self._fail(now_ns)

    def _fail(self, now_ns: int) -> None:
        self._doubts += 1
        self.backoff.fail(now_ns)

    def _succeed(self) -> None:
        self._doubts = 0
        self.backoff.succeed()


def _later_ns(want: Want) -> int:
    return _LATER_NS << max(0, want.tries - 1)

"""One schedule from its first heartbeat to its last: a sender, two lines, an engine, and checks at every step."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress

from libs.sending.outbox import new_outbox
from libs.sequencing import state as seq
from libs.simulation.checks import BookChecks, LedgerChecks
from libs.simulation.link import Link
from libs.simulation.network import Arrival, boundaries, carry_all
from libs.simulation.outcome import Outcome
from libs.simulation.real_server import Parts, RealServer
from libs.simulation.receiver import Cores, Receiver
from libs.simulation.rows import RowChecks
from libs.simulation.schedule import MS, Schedule, draw
from libs.simulation.sender import Session, play
from libs.simulation.server import Server
from libs.simulation.tracing import Trace
from libs.simulation.truth import Truth
from libs.wire.recovery import RANGE

TICK_NS = 10 * MS
TIMER_NS = MS
PUBLISH_NS = 12 * MS
"""Mean time between two turns of the publisher."""
END_NS = 500 * MS
"""Virtual time after the last datagram."""
FORGETFUL = 1000
"""Messages: a history shorter than this is not one that libs.recovery makes."""


class ScheduleFailedError(Exception):
    """Ends a schedule at its first failure."""


class Bench:
    """What schedules of one process share: memory."""

    def __init__(self, cores: Cores | None = None) -> None:
        self.receiver = Receiver(cores)
        self.outbox = new_outbox(1)
        self.recovery = Parts()


class World:
    """A schedule under way."""

    def __init__(self, bench: Bench, plan: Schedule, trace: Callable[[str], None] | None = None) -> None:
        self.plan = plan
        self.trace = Trace(bench.receiver, trace) if trace else None
        self.rng = random.Random(plan.seed * 8 + 6)
        self.receiver = bench.receiver
        sessions = play(plan, bench.outbox)
        self.outcome = Outcome(plan.seed, sum(len(each.messages) for each in sessions))
        self.truth = Truth(sessions)
        self.arrivals = carry_all(plan, sessions)
        self.books = BookChecks(self.receiver, self.truth, self._fail)
        self.rows = RowChecks(self.receiver, self.truth, self._fail)
        self.ledger = LedgerChecks(self.receiver, self._fail)
        self.server = self._server(sessions, bench.recovery)
        self.link: Link | None = None
        self.now = 0
        self.next_timer = self.next_tick = self.next_drain = self.next_publish = 0

    def _server(self, sessions: list[Session], parts: Parts) -> Server | None:
        """Return none, the one of libs.recovery, or the plain one, which can remember next to nothing."""
        if self.plan.link is None:
            return None
        if self.plan.link.history < FORGETFUL:
            return Server(self.plan.link, sessions, self.truth)
        return RealServer(self.plan.link, sessions, self.truth, parts)

    def _fail(self, kind: str, what: str) -> None:
        found = self.outcome
        found.failures.append(f"at {self.now / MS:.3f} ms: {what}")
        if kind == "wrong":
            found.wrong_valid_books += 1
        elif kind == "unhealed":
            found.unhealed += 1
        found.unaccounted = max(found.unaccounted, self.ledger.worst)
        if self.trace:
            self.trace.changes(self.now)
            self.trace.say(self.now, f"FAILED {what}")
        raise ScheduleFailedError

    def run(self) -> Outcome:
        """Play the schedule; a failure ends it."""
        with suppress(ScheduleFailedError):
            self._play()
        return self.outcome

    def _play(self) -> None:
        plan = self.plan
        joins = list(plan.joins_ns)
        begun = False
        last = plan.sessions[-1].end_ns
        healed = False
        for arrival in self.arrivals:
            while joins and joins[0] <= arrival.at_ns:
                if begun:
                    self._pass_until(joins[0])
                    if not self._stands_still(plan.pauses):
                        self._empty()
                self._join(joins.pop(0))
                begun = True
            if not begun:
                continue
            if not healed and arrival.at_ns >= last:
                self._pass_until(last - 1)
                self._heal()
                healed = True
            self._pass_until(arrival.at_ns)
            self._take(arrival)
        self._pass_until(self.now + END_NS)
        self._finish()

    def _join(self, now: int) -> None:
        """Start a consumer from nothing."""
        self._say(now, "consumer starts")
        if self.trace:
            self.trace.restarted()
        self.receiver.start(self.plan)
        self.books.seen.clear()
        self.rows.last_trade.clear()
        self.ledger.delivered[:] = 0
        if self.plan.link and self.server:
            seed = self.rng.getrandbits(48)
            self.link = Link(self.plan.link, self.receiver, self.server, seed, self.plan.faults_end_ns, self._say)
        self.now = now
        self.next_timer = self.next_drain = now
        self.next_tick, self.next_publish = now + TICK_NS, now + PUBLISH_NS

    def _say(self, now: int, what: str) -> None:
        if self.trace:
            self.trace.say(now, what)

    def _pass_until(self, until: int) -> None:
        """Let timers, book thread and publisher take their turns up to a virtual time."""
        while True:
            due = min(self.next_timer, self.next_tick, self.next_publish)
            if self.plan.drain_every_ns:
                due = min(due, self.next_drain)
            if due > until:
                break
            self.now = due
            if due == self.next_timer:
                self.next_timer = due + TIMER_NS
                if not self._stands_still(self.plan.pauses):
                    self.receiver.timers(due)
                    self._recover()
                    if not self.plan.drain_every_ns:
                        self._drain()
            elif due == self.next_tick:
                self.next_tick = due + TICK_NS
                if not self._stands_still(self.plan.pauses) and not self._stands_still(self.plan.stalls):
                    self.receiver.tick(due)
                    self.books.ticked(due)
            elif due == self.next_publish:
                self.next_publish = due + self.rng.randint(1, 2 * PUBLISH_NS)
                self.rows.take_all()
            else:
                self.next_drain = due + 1 + int(self.rng.expovariate(1 / self.plan.drain_every_ns))
                self._drain()
        self.now = max(self.now, until)

    def _recover(self) -> None:
        """Let the recovery client ask, and hand on what it has."""
        if not self.link or not (self.link.is_busy() or self.receiver.asks()):
            return
        for data in self.link.poll(self.now):
            channel = data[1]
            row = self.receiver.arrays["sequencer_channels"][channel]
            if data[0] == RANGE and int.from_bytes(data[8:16], "little") == int(row[seq.SESSION]):
                self.ledger.delivered[channel] += len(boundaries(data[16:])) - 1
            self._say(
                self.now,
                f"recovered {'range' if data[0] == RANGE else 'snapshot'} of channel {channel}, {len(data)} bytes",
            )
            self.receiver.take_recovered(data, self.now)
            self.receiver.timers(self.now)

    def _stands_still(self, spans: tuple[tuple[int, int], ...]) -> bool:
        return bool(spans) and any(start <= self.now < end for start, end in spans)

    def _take(self, arrival: Arrival) -> None:
        if self.trace:
            self.trace.changes(self.now)
            self.trace.arrived(self.now, arrival)
        self.receiver.take(arrival.data, self.now)
        self.receiver.timers(self.now)
        if self.trace:
            self.trace.changes(self.now)
        self.ledger.delivered[arrival.sent.channel] += arrival.messages + arrival.beats
        if not self.plan.drain_every_ns:
            self._drain()

    def _drain(self) -> None:
        """Give the book thread a turn: some records of some rings, in any order."""
        if self._stands_still(self.plan.stalls) or self._stands_still(self.plan.pauses):
            return
        done = []
        for channel, used in enumerate(self.receiver.waiting()):
            if used:
                limit = self.rng.choice((1, 16, 16, 64)) if self.plan.drain_every_ns else 64
                self.receiver.drain(channel, limit, self.now)
                done.append(channel)
        if not done:
            return
        if self.trace:
            self.trace.changes(self.now)
        self.books.changed()
        left = self.receiver.waiting()
        for channel in done:
            if not left[channel]:
                self.books.settled(channel, self.now)
        if self.rng.random() < 0.1:
            for channel in self.plan.channels:
                self.ledger.check(channel)

    def _empty(self) -> None:
        """Drain everything."""
        for channel in self.plan.channels:
            while self.receiver.drain(channel, 64, self.now):
                pass
        self.books.changed()
        for channel in self.plan.channels:
            self.books.settled(channel, self.now)
            self.ledger.check(channel)
        self.rows.take_all()

    def _heal(self) -> None:
        """Everything has had its time to heal: nothing that the sender vouches for is flagged any more."""
        self._empty()
        for what in self.books.unhealed(self.plan.sessions[-1].number, self.plan.channels):
            since = (self.now - self.plan.faults_end_ns) / MS
            self._fail("unhealed", f"{what}, {since:.0f} ms after the last fault")

    def _finish(self) -> None:
        self._empty()
        self.receiver.stop()
        number = self.plan.sessions[-1].number
        for channel in self.plan.channels:
            self.ledger.end(channel, self.truth.last.get((number, channel), 0))


def run_feed(seed: int, bench: Bench | None = None, trace: Callable[[str], None] | None = None) -> Outcome:
    """Run the schedule of a seed through the feed's cores.

    Parameters
    ----------
    seed : int
    bench : Bench, optional
        Memory to use again; one of its own otherwise.
    trace : callable, optional
        Told every step, a line each.
    """
    return World(bench or Bench(), draw(seed), trace).run()

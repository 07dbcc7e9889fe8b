"""What lines do to datagrams: lose, double, delay, cut and damage them.

HFTP has no checksum: a flipped bit in a price is a price. UDP's own checksum is what stands against it, so here damage
is only of kinds that the rules of the format can see: a magic, an exchange, a number, a length, a count, UTF-8 or an
end that make no sense. A damaged type is not among them either: by wire.md a type that is not known takes its sequence.
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass

from libs.simulation.schedule import MS, LinePlan, Schedule
from libs.simulation.sender import HEADER, Datagram, Session

_COUNT_OFF, _TYPE_OFF, _LENGTH_OFF = 4, 21, 22


@dataclass(frozen=True, slots=True)
class Arrival:
    """A datagram at the consumer's kernel.

    Attributes
    ----------
    at_ns : int
        Virtual time.
    line : int
    sent : Datagram
        What was sent; ``data`` is what came.
    messages, beats : int
        Whole numbered messages and heartbeats that a reader must find in ``data``.
    """

    at_ns: int
    line: int
    sent: Datagram
    data: bytes
    messages: int
    beats: int


def boundaries(data: bytes) -> list[int]:
    """Return the offsets at which whole messages begin, and the end."""
    found = [0]
    while found[-1] < len(data):
        at = found[-1]
        kind = data[at + _TYPE_OFF]
        body = at + HEADER + int.from_bytes(data[at + _LENGTH_OFF : at + HEADER], "little")
        if kind == 0:
            bids, asks = struct.unpack_from("<HH", data, body + _COUNT_OFF)
            size = 24 + 16 * (bids + asks)
        elif kind == 3:
            size = 4 + int.from_bytes(data[body + 2 : body + 4], "little")
        else:
            size = {1: 44, 2: 24, 4: 28}[kind]
        found.append(body + size)
    return found


def truncated(rng: random.Random, data: bytes) -> tuple[bytes, int]:
    """Return a shorter copy, and how many whole messages are left in it."""
    cut = rng.randrange(len(data))
    return data[:cut], sum(1 for end in boundaries(data)[1:] if end <= cut)


def mutated(rng: random.Random, data: bytes) -> tuple[bytes, int]:
    """Return a copy with damage that the format's rules can see, and how many messages before it are whole."""
    starts = boundaries(data)
    which = rng.randrange(len(starts) - 1)
    at, out = starts[which], bytearray(data)
    kind = rng.randrange(8)
    if kind == 0:
        out[at + rng.randrange(4)] ^= 1 << rng.randrange(8)
    elif kind == 1:
        out[at + 20] = rng.randint(5, 255)
    elif kind == 2:
        out[at + 11] |= 0x80
    elif kind == 3:
        out[at + 22 : at + 24] = rng.randint(65, 65_535).to_bytes(2, "little")
    elif kind == 4 and out[at + 21] == 0:
        body = at + HEADER + out[at + 22]
        # No count so large fits into what is left; a smaller one would pass, and is what a checksum is for.
        out[body + 6 : body + 8] = (65_000 + rng.randrange(500)).to_bytes(2, "little")
    elif kind == 5 and out[at + 22] > 0:
        out[at + HEADER] = 0xFF
    elif kind == 6:
        return bytes(out) + bytes([rng.randint(1, 255) for _ in range(rng.randint(1, 60))]), len(starts) - 1
    else:
        return bytes(rng.randrange(256) for _ in range(rng.choice((0, 1, 23, 24, 200)))), 0
    return bytes(out), which


class Line:
    """One line's own luck."""

    def __init__(self, plan: LinePlan, rng: random.Random, index: int, faults_end_ns: int) -> None:
        self.plan, self.rng, self.index, self.end = plan, rng, index, faults_end_ns
        self.bad = False

    def _is_lost(self) -> bool:
        rng, plan = self.rng, self.plan
        if self.bad:
            self.bad = rng.random() >= plan.good_after
        elif plan.bad_after:
            self.bad = rng.random() < plan.bad_after
        return (self.bad and rng.random() < plan.loss_in_bad) or rng.random() < plan.loss

    def carry(self, sent: Datagram, out: list[Arrival]) -> None:
        """Append what arrives of a datagram, if anything."""
        plan, rng = self.plan, self.rng
        if sent.at_ns >= self.end:
            out.append(Arrival(sent.at_ns + plan.base_ns, self.index, sent, sent.data, sent.messages, sent.beats))
            return
        if any(start <= sent.at_ns < end for start, end in plan.dead) or self._is_lost():
            return
        copies = 2 if rng.random() < plan.duplicate else 1
        for _ in range(copies):
            delay = plan.base_ns
            if plan.jitter_ns:
                delay += int(rng.expovariate(1 / plan.jitter_ns))
            if rng.random() < plan.reorder:
                delay += rng.randint(0, 3 * MS)
            if rng.random() < plan.late:
                delay += rng.randint(20, 120) * MS
            data, messages, beats = sent.data, sent.messages, sent.beats
            damage = rng.random()
            if damage < plan.truncate + plan.mutate:
                data, whole = (truncated if damage < plan.truncate else mutated)(rng, data)
                messages, beats = (whole, 0) if not beats else (0, whole)
            out.append(Arrival(sent.at_ns + delay, self.index, sent, data, messages, beats))


def carry_all(plan: Schedule, sessions: list[Session]) -> list[Arrival]:
    """Return everything that reaches the consumer's kernel, in order of time."""
    rng = random.Random(plan.seed * 8 + 7)
    found: list[Arrival] = []
    for index, line_plan in enumerate(plan.lines):
        line = Line(line_plan, random.Random(rng.getrandbits(48)), index, plan.faults_end_ns)
        for session in sessions:
            for sent in session.datagrams:
                line.carry(sent, found)
    found.sort(key=lambda each: each.at_ns)
    return _after_pauses(plan, found)


def _after_pauses(plan: Schedule, arrivals: list[Arrival]) -> list[Arrival]:
    """Keep what comes while the consumer stands still for its return, as far as the kernel's buffer holds it."""
    for start, end in plan.pauses:
        kept: list[Arrival] = []
        waiting = 0
        for each in arrivals:
            if start <= each.at_ns < end:
                waiting += 1
                if waiting <= plan.buffer:
                    kept.append(Arrival(end, each.line, each.sent, each.data, each.messages, each.beats))
                continue
            kept.append(each)
        kept.sort(key=lambda each: each.at_ns)
        arrivals = kept
    return arrivals

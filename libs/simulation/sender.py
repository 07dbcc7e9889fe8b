"""Number, stamp and pack what a composer made, as libs/sending/sender.py does, under a virtual clock."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from libs.sending.outbox import Outbox
from libs.simulation.schedule import MS, WALL_NS, Schedule, SessionPlan
from libs.simulation.source import QUIET_NS, Composed, compose_session
from libs.wire.layout import MAGIC, TYPE_HEARTBEAT, TYPE_STATUS

BEAT_NS = 100 * MS
GROUP_NS = 50_000
SESSION_END = 5
HEADER_STRUCT = struct.Struct("<IQqBBH")
_STAMP = struct.Struct("<Qq")
_BEAT = struct.Struct("<QQq")
_EXCHANGE_OFF = 20
HEADER = 24
"""Bytes of a header."""


@dataclass(frozen=True, slots=True)
class Datagram:
    """What goes out on every line.

    Attributes
    ----------
    at_ns : int
        Virtual time.
    data : bytes
    messages, beats : int
        Numbered messages and heartbeats in it.
    """

    at_ns: int
    channel: int
    data: bytes
    messages: int
    beats: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A numbered message."""

    channel: int
    sequence: int
    at_ns: int
    data: bytes


class Session:
    """Everything that one life of the sender puts on the lines."""

    def __init__(self, plan: Schedule, life: SessionPlan, index: int, count: int, outbox: Outbox) -> None:
        self.plan, self.life = plan, life
        self.next = dict.fromkeys(plan.channels, 1)
        self.messages: list[Sent] = []
        self.datagrams: list[Datagram] = []
        composed = compose_session(plan, life, index, count, outbox)
        self._play(composed)
        self.datagrams.sort(key=lambda each: each.at_ns)

    def _wall_us(self, at_ns: int) -> int:
        """Return the session's wall clock: its number plus the monotonic time since."""
        return (self.life.number + at_ns - self.life.start_ns) // 1000

    def _beat(self, at_ns: int) -> None:
        for channel in self.plan.channels:
            sequence = self.next[channel]
            head = HEADER_STRUCT.pack(MAGIC, sequence, self._wall_us(at_ns), channel, TYPE_HEARTBEAT, 0)
            body = _BEAT.pack(self.life.number, sequence, (WALL_NS + at_ns) // 1000)
            self.datagrams.append(Datagram(at_ns, channel, head + body, 0, 1))

    def _number(self, at_ns: int, channel: int, data: bytes) -> bytes:
        sequence = self.next[channel]
        self.next[channel] = sequence + 1
        stamped = data[:4] + _STAMP.pack(sequence, self._wall_us(at_ns)) + data[_EXCHANGE_OFF:]
        self.messages.append(Sent(channel, sequence, at_ns, stamped))
        return stamped

    def _play(self, composed: Composed) -> None:
        start, end = self.life.start_ns, self.life.end_ns
        for k in range(3):
            self._beat(start + k * BEAT_NS // 3)
        beat = start + QUIET_NS
        k = 0
        while k < len(composed):
            due = composed[k][0]
            while beat <= due:
                self._beat(beat)
                beat += BEAT_NS
            if due >= end:
                break
            k = self._group(composed, k)
        while beat < end:
            self._beat(beat)
            beat += BEAT_NS
        if self.life.graceful:
            for channel in self.plan.channels:
                status = HEADER_STRUCT.pack(MAGIC, 0, 0, channel, TYPE_STATUS, 0) + bytes((SESSION_END, 0, 0, 0))
                self.datagrams.append(Datagram(end, channel, self._number(end, channel, status), 1, 0))
            for k in range(1, 4):
                self._beat(end + k * BEAT_NS // 3)

    def _group(self, composed: Composed, k: int) -> int:
        """Send what is due together, a channel a datagram; return the first message after it."""
        horizon = composed[k][0] + GROUP_NS
        open_: dict[int, list[bytes]] = {}
        last = composed[k][0]
        while k < len(composed) and composed[k][0] <= horizon:
            last, data = composed[k]
            channel = data[_EXCHANGE_OFF]
            parts = open_.setdefault(channel, [])
            if parts and (len(parts) >= self.plan.pack or sum(map(len, parts)) + len(data) > self.plan.mtu):
                self._send(last, channel, parts)
                parts = open_[channel] = []
            parts.append(self._number(last, channel, data))
            k += 1
        for channel, parts in open_.items():
            self._send(last, channel, parts)
        return k

    def _send(self, at_ns: int, channel: int, parts: list[bytes]) -> None:
        self.datagrams.append(Datagram(at_ns, channel, b"".join(parts), len(parts), 0))


def play(plan: Schedule, outbox: Outbox) -> list[Session]:
    """Return every session of a schedule, its events shared out by time."""
    total = sum(life.end_ns - life.start_ns for life in plan.sessions)
    return [
        Session(plan, life, index, max(1, plan.events * (life.end_ns - life.start_ns) // total), outbox)
        for index, life in enumerate(plan.sessions)
    ]

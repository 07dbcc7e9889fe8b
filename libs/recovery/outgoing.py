"""What was answered and goes to the engine: ranges at once, a snapshot when the receiver has reached it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from libs.recovery.wants import FOREVER, MS, Limits, Want
from libs.wire.recovery import SNAPSHOT

_LOOK_NS = MS


@dataclass(slots=True)
class _Held:
    want: Want
    sequence: int
    data: bytes
    since_ns: int


class Outgoing:
    """Deliveries that wait to be fetched.

    Parameters
    ----------
    limits : Limits
    position : callable
        Exchange → the receiver's session and the next sequence that it expects.

    Attributes
    ----------
    bytes : int
        Of all of them together.
    """

    def __init__(self, limits: Limits, position: Callable[[int], tuple[int, int]]) -> None:
        self.limits, self.position = limits, position
        self.bytes = 0
        self._out: list[bytes] = []
        self._held: deque[_Held] = deque()

    @property
    def held(self) -> int:
        """How many snapshots wait for the receiver."""
        return len(self._held)

    def has_room(self, kind: int, pieces: list[bytes]) -> bool:
        """Return whether the deliveries of an answer of this kind can be taken."""
        if kind == SNAPSHOT and len(self._held) >= self.limits.held:
            return False
        return self.bytes + sum(map(len, pieces)) <= self.limits.buffer_bytes

    def put(self, pieces: list[bytes]) -> None:
        """Take deliveries that go out at once."""
        self._out += pieces
        self.bytes += sum(map(len, pieces))

    def hold(self, want: Want, sequence: int, data: bytes, now_ns: int) -> None:
        """Take a snapshot that contains everything up to ``sequence``."""
        self._held.append(_Held(want, sequence, data, now_ns))
        self.bytes += len(data)

    def look(self, now_ns: int) -> list[tuple[Want, str]]:
        """Let go of snapshots whose time has come; return each with "" or why it is dropped."""
        found = []
        waiting: deque[_Held] = deque()
        for held in self._held:
            session, expected = self.position(held.want.exchange)
            if session != held.want.session:
                outcome = "session"
            elif expected > held.sequence:
                outcome = ""
                self._out.append(held.data)
            elif now_ns - held.since_ns >= self.limits.held_ns:
                outcome = "old"
            else:
                waiting.append(held)
                continue
            if outcome:
                self.bytes -= len(held.data)
            found.append((held.want, outcome))
        self._held = waiting
        return found

    def next_ns(self, now_ns: int) -> int:
        """Return when to look again."""
        if self._out:
            return now_ns
        return now_ns + _LOOK_NS if self._held else FOREVER

    def take(self) -> list[bytes]:
        """Return what goes out, and forget it."""
        out, self._out = self._out, []
        self.bytes -= sum(map(len, out))
        return out

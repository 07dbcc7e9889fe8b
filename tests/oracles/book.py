"""A book as markets.md and wire.md describe it, in plain Python: dictionaries, exact integers, a copy for every event.

Shares no code with libs.book. Prices and sizes are integers in 10^-40, so any decimal of the tests is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.oracles.levels import ALL, Content, Level

NO_SNAPSHOT, SUSPECT, GAP, BAD, DIVERGED, VENUE_DOWN = (1 << k for k in range(6))
DELISTED, CROSSED, ONE_SIDED, TRUNCATED = 1 << 7, 1 << 10, 1 << 11, 1 << 12
WAITS = NO_SNAPSHOT | GAP | BAD | DIVERGED
INVALID = WAITS | SUSPECT | VENUE_DOWN | DELISTED

M_SNAPSHOT, M_LAST, M_BAD, M_REFRESH = 1, 2, 4, 8


@dataclass
class Outcome:
    """What a message did: as libs.book.kernels.apply_message says."""

    code: str
    settled: int = 0
    broken: int = 0


class OracleBook:
    """One book; ``shown`` is what may be seen of it, ``work`` what an open event has made of it so far."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.shown = Content(depth)
        self.work: Content | None = None
        self.kind = ""  # delta, snapshot, heal, refresh; refused: the rest of a refused event
        self.refusal = ""
        self.parts = 0
        self.taint = 0
        self.bits = 0
        self.flags = NO_SNAPSHOT
        self.unit: tuple[int, int] | None = None
        self.multiplier: tuple[int, int] | None = None
        self.valid_since = 0
        self.lives = 0
        self.last = (0, 0, 0)  # sequence, exchange time, feed time
        self.tops: tuple[Level | None, Level | None] = (None, None)

    @property
    def valid(self) -> bool:
        """Whether nothing says that the book is or may be wrong."""
        return not self.flags & INVALID

    def instrument(self, tick_exp: int, lot_exp: int, multiplier: int, inverse: int) -> None:
        """Take in decimals and multiplier (exact); a changed one makes the book wait."""
        self.unit = (tick_exp, lot_exp)
        if self.multiplier is not None and self.multiplier != (multiplier, inverse):
            self.set_flags(NO_SNAPSHOT, 0)
        self.multiplier = (multiplier, inverse)

    def set_flags(self, bits: int, clear: int) -> None:
        """Set and clear flags from outside."""
        self.flags = (self.flags & ~clear) | bits
        if self.kind not in {"", "refused"}:
            self.taint |= bits & WAITS

    def abandon(self) -> int:
        """Give up the open event."""
        if not self.kind:
            return 0
        return self._drop(GAP)

    def _drop(self, bits: int) -> int:
        parts = self.parts
        self.flags |= bits | self.taint
        self.kind, self.parts, self.taint, self.work = "", 0, 0, None
        return parts

    def _refuse_event(self, code: str, bits: int, last: bool) -> Outcome:
        parts = self._drop(bits)
        if not last:
            self.kind, self.refusal = "refused", code
        return Outcome(code, parts + 1)

    def _open(self, flags: int, price_exp: int, size_exp: int, cut: int) -> str:
        waits = bool(self.flags & WAITS)
        if not flags & M_SNAPSHOT:
            if flags & M_REFRESH:
                self.flags |= GAP
                return "incomplete"
            if waits:
                self.flags |= BAD if flags & M_BAD else 0
                return "not_valid"
            self.kind, self.work = "delta", self.shown.copy()
            return ""
        self.bits = cut
        self.work = Content(self.depth, price_exp=self.shown.price_exp, size_exp=self.shown.size_exp)
        if waits:
            self.work.price_exp, self.work.size_exp = self.unit or (price_exp, size_exp)
        if flags & M_REFRESH:
            self.kind = "heal" if waits else "refresh"
        else:
            self.kind = "snapshot"
        return ""

    def message(
        self,
        flags: int,
        price_exp: int,
        size_exp: int,
        cut: int,
        sides: tuple[list[Level], list[Level]],
        stamp: tuple[int, int, int],
    ) -> Outcome:
        """Take one message; ``stamp`` is its sequence, exchange time and feed time."""
        last = bool(flags & M_LAST)
        broken = 0
        if self.kind == "refused" and not flags & M_SNAPSHOT:
            self.kind = "" if last else self.kind
            return Outcome(self.refusal, 1)
        if self.kind and (flags & M_SNAPSHOT or (flags & M_REFRESH and self.kind in {"delta", "snapshot"})):
            broken = self._drop(0 if self.kind == "refused" else GAP)
        if not self.kind:
            refused = self._open(flags, price_exp, size_exp, cut)
            if refused:
                return Outcome(refused, 1, broken)
        assert self.work is not None
        self.taint |= BAD if flags & M_BAD else 0
        if not self.work.put(sides, price_exp, size_exp):
            outcome = self._refuse_event("bad_body", BAD, last)
            outcome.broken = broken
            return outcome
        self.parts += 1
        if not last:
            return Outcome("open", 0, broken)
        return Outcome(self._complete(stamp), self._settled, broken)

    def _complete(self, stamp: tuple[int, int, int]) -> str:
        work, kind, taint = self.work, self.kind, self.taint
        assert work is not None
        self._settled = self.parts
        self.kind, self.parts, self.taint, self.work = "", 0, 0, None
        if kind == "refresh":
            return self._compare(work, taint)
        if kind != "delta":
            work.cut(self.bits)
            if not taint:
                if self.flags & (INVALID ^ SUSPECT):
                    self.valid_since = stamp[2]
                    self.lives += 1
                self.flags &= ~WAITS
        self.flags |= taint
        self.shown, self.last = work, stamp
        self._show()
        return "healed" if kind == "heal" and not taint else "done"

    def _compare(self, other: Content, taint: int) -> str:
        if taint:
            self.flags |= taint
            return "done"
        other.cut(self.bits)
        if not self.shown.rebase(other.price_exp, other.size_exp):
            self.flags |= BAD
            return "bad_body"
        if not self.shown.known_alike(other):
            self.flags |= DIVERGED
            return "diverged"
        self.shown.adopt(other)
        self._show()
        return "same"

    def _show(self) -> None:
        bid, ask = self.tops = (self.shown.best(0), self.shown.best(1))
        self.flags &= ~(CROSSED | ONE_SIDED | TRUNCATED)
        if bid is None or ask is None:
            self.flags |= ONE_SIDED
        elif bid[0] >= ask[0]:
            self.flags |= CROSSED
        if self.shown.known != [ALL, ALL]:
            self.flags |= TRUNCATED

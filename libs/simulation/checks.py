"""What must hold after every step: books and rows beside the sender's, both equations of the ledger."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from libs.book import flags as book_flags
from libs.book.state import (
    COUNTS,
    FIRST,
    FLAGS,
    KNOWN_END,
    KNOWN_SET,
    KNOWN_TO,
    NOTHING_CUT,
    NOTHING_KNOWN,
    SEQUENCE,
    VERSION,
)
from libs.engine import columns, report
from libs.ring.state import DROPPED
from libs.sequencing import state as seq
from libs.simulation.receiver import GAP_TIMEOUT_NS, MONO_NS, STALE_NS, Receiver
from libs.simulation.schedule import MS
from libs.simulation.truth import EMPTY, State, Truth

SUSPECT, INVALID, STALE = book_flags.SUSPECT, book_flags.INVALID, book_flags.STALE
WRONG = INVALID & ~SUSPECT
"""Flags of a book that may be wrong; one that is only suspect is old, and must still be the sender's."""
TIMER_NS = MS
HEAD_WORDS = 32

Fail = Callable[[str, str], None]
"""Told the kind (wrong, ledger, unhealed, flag) and what did not hold."""


class BookChecks:
    """Books beside the sender's."""

    def __init__(self, receiver: Receiver, truth: Truth, fail: Fail) -> None:
        self.receiver, self.truth, self.fail = receiver, truth, fail
        self.seen: dict[int, tuple[int, ...]] = {}
        self.compared = 0

    def session_of(self, channel: int) -> int:
        """Return the session that the book thread works in."""
        return int(self.receiver.arrays["ledger"][channel, columns.SESSION])

    def states_at(self, channel: int, symbol: str, sequence: int) -> list[State]:
        """Return what the sender's book was; several while the receiver has not learnt the session's number."""
        number = self.session_of(channel)
        found = self.truth.books.get((number, channel, symbol))
        if found is not None:
            return [found.at(sequence)]
        if number:
            return [EMPTY]
        return [
            b.at(sequence)
            for (_, exchange, name), b in self.truth.books.items()
            if (exchange, name) == (channel, symbol)
        ]

    def changed(self) -> None:
        """Compare every book that changed since the last look."""
        books = self.receiver.books()
        heads = self.receiver.words[: len(books), :HEAD_WORDS].tolist()
        for b, (channel, symbol) in enumerate(books):
            head = heads[b]
            if head[VERSION] & 1:
                continue
            key = (head[VERSION], head[FLAGS], head[SEQUENCE])
            if self.seen.get(b) == key:
                continue
            self.seen[b] = key
            if head[FLAGS] & WRONG == 0:
                self.compare(b, channel, symbol, head)

    def compare(self, b: int, channel: int, symbol: str, head: list[int]) -> None:
        """Compare a book that is not flagged as wrong with the sender's at the same sequence."""
        self.compared += 1
        problem = ""
        for state in self.states_at(channel, symbol, head[SEQUENCE]):
            problem = self.difference(b, head, state)
            if not problem:
                return
        names = ",".join(book_flags.names(head[FLAGS])) or "none"
        self.fail("wrong", f"book {channel}/{symbol} at sequence {head[SEQUENCE]} (flags {names}): {problem}")

    def difference(self, b: int, head: list[int], state: State) -> str:
        """Return how a book differs from the sender's within what both know; empty: it does not."""
        if not state.valid:
            return "valid, and the sender does not vouch for it"
        prices, sizes = self.receiver.state.prices, self.receiver.state.sizes
        for side in range(2):
            known, first, count = head[KNOWN_SET + side], head[FIRST + side], head[COUNTS + side]
            if known == NOTHING_KNOWN:
                continue
            sign = 1 - 2 * side
            mine = dict(zip(prices[b, side, first : first + count].tolist(),
                            sizes[b, side, first : first + count].tolist(), strict=True))  # fmt: skip
            theirs, end = state.sides[side], state.ends[side]
            if known == NOTHING_CUT and end is not None:
                return f"side {side} claims to be whole, the sender knows it up to {end}"
            if known == KNOWN_TO:
                limit = sign * head[KNOWN_END + side]
                if end is not None and sign * end > limit:
                    return f"side {side} claims to be known to {head[KNOWN_END + side]}, the sender to {end}"
                mine = {p: s for p, s in mine.items() if sign * p >= limit}
                theirs = {p: s for p, s in theirs.items() if sign * p >= limit}
            if mine != theirs:
                return f"side {side} differs: {_difference(mine, theirs)}"
        return ""

    def settled(self, channel: int, now_ns: int) -> None:
        """Look at a channel whose ring is empty: no book may have missed anything, none lack the channel's doubt."""
        row = self.receiver.arrays["sequencer_channels"][channel].tolist()
        position = row[seq.EXPECTED] - 1
        books = self.receiver.books()
        heads = self.receiver.words[: len(books), :HEAD_WORDS].tolist()
        for b, (exchange, symbol) in enumerate(books):
            if exchange != channel:
                continue
            flags = heads[b][FLAGS]
            if row[seq.SUSPECT] and row[seq.N_HOLES] and not flags & SUSPECT:
                self.fail("flag", f"book {channel}/{symbol} is not suspect while its channel is")
            if flags & WRONG == 0 and heads[b][VERSION] & 1 == 0:
                self._missed_nothing(channel, symbol, heads[b][SEQUENCE], position)
        if row[seq.N_HOLES] and not row[seq.SUSPECT]:
            opened = int(self.receiver.arrays["sequencer_holes"][channel, 0, seq.OPENED_NS])
            if MONO_NS + now_ns - opened > GAP_TIMEOUT_NS + 2 * TIMER_NS:
                self.fail(
                    "flag",
                    f"channel {channel} has had a hole for {(MONO_NS + now_ns - opened) / MS:.1f} ms and no doubt",
                )

    def ticked(self, now_ns: int) -> None:
        """Right after a tick: books of a channel that has been silent for too long say so."""
        heard = self.receiver.arrays["ledger"][:, columns.HEARD_NS].tolist()
        silent = [ch for ch, at in enumerate(heard) if at > 0 and MONO_NS + now_ns - at > STALE_NS]
        if not silent:
            return
        flags = self.receiver.flags.tolist()
        for b, (channel, symbol) in enumerate(self.receiver.books()):
            if channel in silent and not flags[b] & (STALE | WRONG):
                since = (MONO_NS + now_ns - heard[channel]) / MS
                self.fail(
                    "flag", f"book {channel}/{symbol} is not stale, its channel was last heard {since:.0f} ms ago"
                )

    def _missed_nothing(self, channel: int, symbol: str, sequence: int, position: int) -> None:
        at = self.states_at(channel, symbol, sequence)
        now = self.states_at(channel, symbol, position)
        if all(a.sides != n.sides or not n.valid for a, n in zip(at, now, strict=True)):
            why = "has not what came since" if now[0].valid else "says valid after the sender took its word back"
            self.fail("wrong", f"book {channel}/{symbol} of sequence {sequence} at {position} {why}")

    def unhealed(self, number: int, channels: tuple[int, ...]) -> list[str]:
        """Return the books that the sender vouches for and that are flagged, or are not there."""
        found = []
        ids = {name: b for b, name in enumerate(self.receiver.books())}
        flags = self.receiver.flags
        for (of, channel, symbol), book in self.truth.books.items():
            last = self.truth.last.get((of, channel), 0) - 1
            here = int(self.receiver.arrays["sequencer_channels"][channel, seq.EXPECTED]) - 1
            # A snapshot may be on its way that ends a doubt of the venue's own.
            if of != number or channel not in channels or not (book.at(last).valid and book.at(min(last, here)).valid):
                continue
            b = ids.get((channel, symbol))
            if b is None:
                found.append(f"book {channel}/{symbol} is not known")
            elif int(flags[b]) & (INVALID | STALE):
                found.append(f"book {channel}/{symbol}: {','.join(book_flags.names(int(flags[b])))}")
        return found


def _difference(mine: dict[int, int], theirs: dict[int, int]) -> str:
    """Return the first few levels that differ, as price: mine/theirs."""
    prices = [p for p in sorted({*mine, *theirs}) if mine.get(p) != theirs.get(p)]
    return " ".join(f"{p}: {mine.get(p)}/{theirs.get(p)}" for p in prices[:4])


class LedgerChecks:
    """Both equations, and a count of our own of what the network delivered."""

    def __init__(self, receiver: Receiver, fail: Fail) -> None:
        self.receiver, self.fail = receiver, fail
        self.delivered = np.zeros(seq.CHANNELS, np.int64)
        self.worst = 0

    def check(self, channel: int) -> dict[str, object]:
        """Return a channel's report; fails when it does not balance."""
        a = self.receiver.arrays
        found = report.channel_report(
            a["sequencer_channels"][channel], a["ledger"][channel], a["sequencer_holes"][channel]
        )
        if found["unaccounted"]:
            self.worst = max(self.worst, found["unaccounted"])
            self.fail("ledger", f"channel {channel}: {found['unaccounted']} unaccounted in {found}")
        if found["ledger_checks"]["failed"]:
            self.fail("ledger", f"channel {channel}: an equation did not hold at a heartbeat: {found}")
        if int(a["ledger"][channel, columns.DIVERGED]):
            self.fail("wrong", f"channel {channel}: a REFRESH differed from a book that said valid")
        return found

    def end(self, channel: int, sent: int) -> None:
        """Look at a channel to which everything was said: nothing pending, and every message that came is counted."""
        found = self.check(channel)
        a = self.receiver.arrays
        row = a["sequencer_channels"][channel]
        if found["pending"] or found["missing"]:
            self.fail("ledger", f"channel {channel}: pending {found['pending']}, missing {found['missing']} at the end")
        if int(row[seq.HIGHEST]) != sent:
            self.fail(
                "ledger", f"channel {channel}: {sent} were sent in the last session, {int(row[seq.HIGHEST])} known"
            )
        counted = int(row[seq.RECEIVED] + row[seq.FOREIGN_SESSION] + row[seq.HEARTBEATS] + row[seq.UNNAMED])
        if not int(a["ring_controls"][channel, DROPPED]) and counted != int(self.delivered[channel]):
            self.fail("ledger", f"channel {channel}: {int(self.delivered[channel])} delivered, {counted} counted")

"""The sender's books, by sequence: plain dict books fed by what was sent, nothing shared with the code under test."""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass

from libs.simulation.sender import HEADER, Sent, Session

Side = dict[int, int]
FAR = 1 << 62

_BOOK = struct.Struct("<BbbBHHqq")
_TRADE = struct.Struct("<BbbBQqqqq")
_LEVEL = struct.Struct("<qq")
_SNAPSHOT, _LAST, _BAD, _REFRESH = 1, 2, 4, 8
_CONNECTED, _DISCONNECTED, _INVALID, _SESSION_END = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class State:
    """A book as of a sequence.

    Attributes
    ----------
    sequence : int
        Of the message that completed the event, or changed whether the book is valid.
    sides : tuple of dict
        Bids and asks, price → size in mantissas.
    ends : tuple
        Of each side the price up to which it is known; None: all of it.
    valid : bool
        Whether the sender vouches for it: there was a snapshot, and nothing since said that it is wrong.
    exponent : int
        Of prices.
    """

    sequence: int
    sides: tuple[Side, Side]
    ends: tuple[int | None, int | None]
    valid: bool
    exponent: int

    def top(self, side: int) -> tuple[int, int] | None:
        """Return the best level of a side."""
        levels = self.sides[side]
        if not levels:
            return None
        best = min(levels) if side else max(levels)
        return best, levels[best]

    def knows_top(self, side: int) -> bool:
        """Return whether the best level lies within what the sender knows of the side."""
        top, end = self.top(side), self.ends[side]
        if end is None:
            return True
        return top is not None and (top[0] <= end if side else top[0] >= end)


EMPTY = State(0, ({}, {}), (None, None), False, 0)


class Book:
    """One book's states, oldest first."""

    def __init__(self) -> None:
        self.sequences: list[int] = [0]
        self.states: list[State] = [EMPTY]
        self.sides: tuple[Side, Side] = ({}, {})
        self.ends: tuple[int | None, int | None] = (None, None)
        self.waits, self.down = True, False
        self.exponent = 0
        self.first = (0, 0)
        self.began = 0
        self.spans: list[tuple[int, int]] = []
        self.bad = False

    def between_events(self, sequence: int) -> int:
        """Return the last sequence up to one given that lies in no event of several parts."""
        at = bisect_right(self.spans, (sequence, 1 << 62)) - 1
        if at >= 0 and sequence < self.spans[at][1]:
            return self.spans[at][0] - 1
        return sequence

    def at(self, sequence: int) -> State:
        """Return the book after everything up to a sequence."""
        return self.states[bisect_right(self.sequences, sequence) - 1]

    def keep(self, sequence: int) -> None:
        """Remember the state as of a sequence."""
        self.sequences.append(sequence)
        copies = (self.sides[0].copy(), self.sides[1].copy())
        valid = not self.waits and not self.down
        self.states.append(State(sequence, copies, self.ends, valid, self.exponent))

    def part(self, sequence: int, data: bytes, body: int) -> None:
        """Apply a part of an event; those of a REFRESH are the sender's own copy and change no level."""
        flags, exponent, _, cut, n_bids, n_asks, _, _ = _BOOK.unpack_from(data, body)
        if flags & _SNAPSHOT or self.first == (0, 0):
            self.first = (flags | 0x100, cut)
            self.began = sequence
        if not self.first[0] & _REFRESH:
            if flags & _SNAPSHOT:
                self.sides = ({}, {})
            self.bad = self.bad or bool(flags & _BAD)
            self.exponent = exponent
            at = body + _BOOK.size
            for k, (price, size) in enumerate(_LEVEL.iter_unpack(data[at : at + 16 * (n_bids + n_asks)])):
                side = self.sides[k >= n_bids]
                if size:
                    side[price] = size
                else:
                    side.pop(price, None)
        if flags & _LAST:
            self._end(sequence)

    def _end(self, sequence: int) -> None:
        (flags, cut), self.first = self.first, (0, 0)
        if sequence > self.began:
            self.spans.append((self.began, sequence))
        if flags & _REFRESH:
            if self.waits:
                # After a venue's return the sender's own copy ends the wait.
                self.waits = False
                self.keep(sequence)
            return
        if flags & _SNAPSHOT:
            self.waits = False
            bids, asks = self.sides
            known = (min(bids, default=FAR), max(asks, default=-FAR))
            self.ends = (known[0] if cut & 1 else None, known[1] if cut & 2 else None)
        self.waits = self.waits or self.bad
        self.bad = False
        self.keep(sequence)

    def status(self, sequence: int, code: int) -> None:
        """Take in a status of the symbol or of its channel."""
        if code in (_CONNECTED, _DISCONNECTED):
            self.down = code == _DISCONNECTED
        if code in (_CONNECTED, _DISCONNECTED, _INVALID, _SESSION_END):
            self.waits = True
            self.keep(sequence)


class Truth:
    """Every book of every session.

    Attributes
    ----------
    books : dict
        (session number, channel, symbol) → Book.
    trades : dict
        (session number, channel, sequence) → (symbol, price, size).
    last : dict
        (session number, channel) → sequence of its last message.
    """

    def __init__(self, sessions: list[Session]) -> None:
        self.books: dict[tuple[int, int, str], Book] = {}
        self.trades: dict[tuple[int, int, int], tuple[str, int, int]] = {}
        self.last: dict[tuple[int, int], int] = {}
        for session in sessions:
            number = session.life.number
            for channel in session.plan.channels:
                for symbol in session.plan.symbol_names[: session.plan.symbols]:
                    self.books[number, channel, symbol] = Book()
            for sent in session.messages:
                self._take(number, sent)

    def _take(self, number: int, sent: Sent) -> None:
        data, channel = sent.data, sent.channel
        self.last[number, channel] = sent.sequence
        body = HEADER + data[22]
        symbol = data[HEADER:body].decode()
        kind = data[21]
        if kind == 0:
            self.books[number, channel, symbol].part(sent.sequence, data, body)
        elif kind == 1:
            price, size = _TRADE.unpack_from(data, body)[7:9]
            self.trades[number, channel, sent.sequence] = (symbol, price, size)
        elif kind == 3:
            for (of, exchange, name), book in self.books.items():
                if of == number and exchange == channel and symbol in ("", name):
                    book.status(sent.sequence, data[body])

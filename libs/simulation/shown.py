"""A market as the consumer's streams show it: a few books that move and fall into doubt, published as live."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from libs.book.flags import BAD, CROSSED, GAP, HALTED, INVALID, MUTE, NO_SNAPSHOT, STALE, SUSPECT
from libs.market.exchanges import EXCHANGES
from libs.simulation.schedule import WALL_NS
from libs.streams.connection import Surroundings
from libs.streams.schemas import BOOK, NBBO, STATUS, STATUS_KINDS, TRADES
from libs.streams.writer import Entry, PackedWriter

DOUBTS = (SUSPECT, GAP | NO_SNAPSHOT, BAD, HALTED, MUTE, STALE, CROSSED)
FORBIDDEN = INVALID | HALTED | MUTE | STALE | CROSSED
"""With any of these a book is no ground for an order, nor for a fill."""
SYMBOLS = ("BTC-USDT", "ETH-USDT")
EXPONENT = -2
LOT = 1
LEVELS = 3
SIZE = 500
WHOLE_CHANNEL = 0xFFFFFFFF
BACKLOG = 24
MAXLEN = 4_000


def _joined(rows: Iterable[np.ndarray]) -> bytes:
    return b"".join(row.tobytes() for row in rows)


@dataclass
class ShownBook:
    """A book: prices in units of 10^EXPONENT, and since when it has been as it is."""

    exchange: int
    symbol: str
    mid: int = 10_000
    flags: int = 0
    sequence: int = 1
    ts_ns: int = 0
    unflagged_ns: int = 0
    """When it last was without a forbidden flag."""


@dataclass
class ShownMarket:
    """Books, and the writer that shows them; another one after each restart of the consumer.

    Attributes
    ----------
    trades : int
        So far, numbered from 1 over all runs.
    given : int
        Of them, given to this run's writer.
    """

    world: Surroundings
    rng: random.Random
    books: list[ShownBook]
    session: int = WALL_NS
    now: int = 0
    trades: int = 0
    given: int = 0
    run: int = 0
    dirty: set[int] = field(default_factory=set)
    status: list[np.ndarray] = field(default_factory=list)
    untold_trades: list[int] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)

    def start(self, now: int) -> None:
        """Begin a run: ids of its own, everything is news."""
        self.now = now
        self.run, self.given = WALL_NS + now, 0
        self.writer = PackedWriter("virtual", "", self.run, {}, BACKLOG, self.world)
        self.ids = self.rng.sample(range(8), len(self.books))
        self.dirty = set(range(len(self.books)))
        self.untold_trades.clear()
        self.status = [self._status(b, "instrument") for b in range(len(self.books))]

    def change(self, now: int, doubt: float) -> None:
        """Let a book move, trade, or come into doubt or out of it."""
        self.now = now
        b = self.rng.randrange(len(self.books))
        book = self.books[b]
        before = book.flags
        if not before & FORBIDDEN:
            book.unflagged_ns = now
        if before or self.rng.random() < doubt:
            book.flags = 0 if self.rng.random() < 0.3 else self.rng.choice(DOUBTS)
        if not book.flags & FORBIDDEN:
            book.unflagged_ns = now
        book.mid += self.rng.randint(-3, 3)
        book.sequence += 1
        book.ts_ns = WALL_NS + now
        self.dirty.add(b)
        if before != book.flags:
            kind = "invalid" if book.flags & INVALID else "valid" if before & INVALID else "flags"
            self.status.append(self._status(b, kind))
        if self.rng.random() < 0.5:
            self.trades += 1
            self.untold_trades.append(self.trades)

    def heal(self, now: int) -> None:
        """Let every book be right, and say so."""
        self.now = now
        for b, book in enumerate(self.books):
            if book.flags:
                book.flags = 0
                self.status.append(self._status(b, "valid"))
            book.ts_ns, book.unflagged_ns = WALL_NS + now, now
            book.sequence += 1
            self.dirty.add(b)

    def publish(self, now: int) -> None:
        """Write what is new, as the publisher does: latest states only when they will be tried."""
        self.now = now
        entries: list[Entry] = []
        if self.status:
            entries.append(("status", len(self.status), _joined(self.status)))
            self.status = []
        taken = sorted(self.dirty) if self.writer.ready() else []
        if taken:
            entries.append(("book", len(taken), _joined(map(self._row, taken))))
            entries.append(("nbbo", len(taken), _joined(map(self._quote, taken))))
            self.dirty.clear()
        if self.untold_trades:
            rows = np.zeros(len(self.untold_trades), TRADES)
            rows["trade_id"] = self.untold_trades
            entries.append(("trades", len(rows), rows.tobytes()))
            self.given += len(rows)
            self.untold_trades = []
        if (entries or not self.writer.connected) and not self.writer.write(entries):
            self.dirty.update(taken)

    @property
    def uncounted(self) -> int:
        """Trades of this run that the writer was given and cannot say what became of."""
        waiting = sum(n for stream, n, _ in self.writer.waiting if stream == "trades")
        published = self.writer.published_by_stream.get("trades", 0)
        return self.given - published - self.writer.dropped_by_stream.get("trades", 0) - waiting

    def signal(self, b: int, action: str) -> dict[str, str]:
        """Return the record of a signal on a book as it is now."""
        book = self.books[b]
        at_us = str(book.ts_ns // 1000)
        return {
            "exchange": EXCHANGES[book.exchange], "symbol": book.symbol, "session": str(self.session),
            "sequence": str(book.sequence), "feed_ts_us": at_us, "sent_ts_us": at_us,
            "signal_ts_ns": str(WALL_NS + self.now), "action": action, "size_fraction": "0.25", "model": "m",
        }  # fmt: skip

    def _row(self, b: int) -> np.ndarray:
        book = self.books[b]
        row = np.zeros(1, BOOK)
        self._key(row, b)
        row["valid"] = not book.flags & INVALID
        row["feed_ts_us"] = row["sent_ts_us"] = book.ts_ns // 1000
        row["price_exponent"] = row["size_exponent"] = EXPONENT
        for name, sign in (("bid", -1), ("ask", 1)):
            row[f"{name}_count"] = LEVELS
            row[f"{name}_prices"][0, :LEVELS] = [book.mid + sign * (1 + k) for k in range(LEVELS)]
            row[f"{name}_sizes"][0, :LEVELS] = SIZE
        return row

    def _quote(self, b: int) -> np.ndarray:
        book = self.books[b]
        row = np.zeros(1, NBBO)
        row["symbol_id"], row["symbol"] = SYMBOLS.index(book.symbol), book.symbol.encode()
        row["price_exponent"] = EXPONENT
        row["bid_exchange"] = row["ask_exchange"] = book.exchange
        row["bid_exchanges"] = row["ask_exchanges"] = 1 << book.exchange
        row["bid_price"], row["ask_price"] = book.mid - 1, book.mid + 1
        return row

    def _status(self, b: int, kind: str) -> np.ndarray:
        row = np.zeros(1, STATUS)
        self._key(row, b)
        row["kind"] = STATUS_KINDS.index(kind)
        row["tick"] = row["lot"] = LOT
        row["multiplier"] = 1
        row["tick_exponent"] = row["lot_exponent"] = EXPONENT
        return row

    def _key(self, row: np.ndarray, b: int) -> None:
        book = self.books[b]
        row["book_id"], row["exchange"], row["symbol"] = self.ids[b], book.exchange, book.symbol.encode()
        row["flags"], row["session"], row["sequence"] = book.flags, self.session, book.sequence
        row["book_ts_ns"] = book.ts_ns

"""The market as the streams show it: the latest book of every id, the consolidated quotes, the instruments.

Whole batches go in with a few array operations. Book and symbol ids hold for one run of the consumer;
:meth:`Market.begin_run` forgets everything when another run begins. Where several consumers share the symbols, each has
its runs, its ids, and its own feed time.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from libs.book.flags import INVALID
from libs.execution.runs import Runs
from libs.market.exchanges import EXCHANGES, exchange_id
from libs.market.symbol_table import t_shard
from libs.nbbo.states import NO_EXCHANGE
from libs.orders.decimals import EXACT, ONE, ZERO, decimal_of
from libs.orders.events import Side
from libs.risk.views import Steps
from libs.streams.schemas import BOOK, NBBO, STATUS_KINDS, TOP_LEVELS
from libs.streams.shards import MOST_SHARDS, WHOLE, Shard

WHOLE_CHANNEL = 0xFFFFFFFF
END_OF_TIME_US = 2**62
SESSION, SESSION_END = STATUS_KINDS.index("session"), STATUS_KINDS.index("session_end")
USD = frozenset({"USD", "USDT", "USDC", "FDUSD", "BUSD", "TUSD", "DAI"})
HALF = Decimal("0.5")


class Market:
    """What is known of every book, by book id.

    Parameters
    ----------
    max_books, max_symbols : int
        Ids beyond them are counted and left out.

    Attributes
    ----------
    books : structured array of BOOK
    feed_us : int64[shards, exchanges]
        The latest feed time that each consumer has shown of each channel; END_OF_TIME_US once its session has ended.
    session : uint64[shards, exchanges]
        Of each channel; 0: none was seen.
    runs : Runs
    steps : dict
        By (exchange, symbol).
    overflow : int
        Rows whose id was beyond the arrays.
    """

    def __init__(self, max_books: int, max_symbols: int) -> None:
        self.books = np.zeros(max_books, BOOK)
        self.nbbo = np.zeros(max_symbols, NBBO)
        self.feed_us = np.zeros((MOST_SHARDS, len(EXCHANGES)), np.int64)
        self.session = np.zeros((MOST_SHARDS, len(EXCHANGES)), np.uint64)
        self.steps: dict[tuple[str, str], Steps] = {}
        self.runs = Runs()
        self.overflow = 0
        self._seen = np.zeros(max_books, np.bool_)
        self._status_ts = np.zeros(max_books, np.int64)
        self._status_flags = np.zeros(max_books, np.uint32)
        self._ids: dict[tuple[str, str], int] = {}
        self._keys: dict[int, tuple[str, str]] = {}
        self._steps_of: dict[int, tuple[str, str]] = {}
        self._symbol_seen = np.zeros(max_symbols, np.bool_)
        self._symbol_ids: dict[str, int] = {}

    def begin_run(self, run: str, shard: Shard = WHOLE) -> bool:
        """Forget what another run of a consumer showed; return whether that were any books."""
        if self.runs.begin(run, shard):
            return self._forget(WHOLE)
        return self._forget(shard)

    def _forget(self, shard: Shard) -> bool:
        at = shard.ids
        any_book = bool(self._seen[at].any())
        self.books[at][self._seen[at]] = np.zeros((), BOOK)
        self.nbbo[at][self._symbol_seen[at]] = np.zeros((), NBBO)
        for array in (self._seen, self._status_ts, self._status_flags, self._symbol_seen, self.feed_us, self.session):
            array[at] = 0
        for keys, table in ((self._steps_of, self.steps), (self._keys, self._ids)):
            for book in list(filter(shard.owns, keys)):
                table.pop(keys.pop(book), None)
        self._symbol_ids = {name: i for name, i in self._symbol_ids.items() if not shard.owns(i)}
        return any_book

    def take_books(self, rows: np.ndarray, shard: Shard = WHOLE) -> np.ndarray:
        """Take in rows of the book stream, in their order; return the ids that changed, each once."""
        rows = self._within(rows, "book_id", len(self.books))
        # The last row of each id: numpy says nothing of which one wins where an index stands twice.
        _, last = np.unique(rows["book_id"][::-1], return_index=True)
        rows = rows[::-1][last]
        ids = rows["book_id"].astype(np.int64)
        # A row may be older than the state of it: they come in streams of their own.
        newer = rows["book_ts_ns"] >= self.books["book_ts_ns"][ids]
        rows, ids = rows[newer], ids[newer]
        self.books[ids] = rows
        overruled = self._status_ts[ids] > rows["book_ts_ns"]
        if overruled.any():
            self._set_flags(ids[overruled], self._status_flags[ids[overruled]])
        self._name(rows[~self._seen[ids]])
        self._seen[ids] = True
        np.maximum.at(self.feed_us[shard.offset], rows["exchange"], rows["feed_ts_us"])
        np.maximum.at(self.session[shard.offset], rows["exchange"], rows["session"])
        return ids

    def take_nbbo(self, rows: np.ndarray) -> None:
        """Take in rows of the nbbo stream."""
        rows = self._within(rows, "symbol_id", len(self.nbbo))
        _, last = np.unique(rows["symbol_id"][::-1], return_index=True)
        rows = rows[::-1][last]
        ids = rows["symbol_id"].astype(np.int64)
        self.nbbo[ids] = rows
        fresh = ids[~self._symbol_seen[ids]]
        for symbol in fresh.tolist():
            self._symbol_ids[self.nbbo["symbol"][symbol].decode()] = symbol
        self._symbol_seen[ids] = True

    def take_status(self, rows: np.ndarray, shard: Shard = WHOLE) -> None:
        """Take in rows of the status stream."""
        for row in rows:
            if row["book_id"] == WHOLE_CHANNEL:
                self._channel(row, self.session[shard.offset], self.feed_us[shard.offset])
            elif row["book_id"] >= len(self.books):
                self.overflow += 1
            else:
                self._status(row)

    def _channel(self, row: np.void, sessions: np.ndarray, feed_us: np.ndarray) -> None:
        kind, exchange, session = row["kind"], row["exchange"], row["session"]
        # A break of the stream itself is of no exchange.
        if exchange >= len(EXCHANGES) or session < sessions[exchange]:
            return
        if kind == SESSION and session > sessions[exchange]:
            sessions[exchange] = session
            feed_us[exchange] = 0
        elif kind == SESSION_END:
            # Nothing follows: whatever waits for a later feed time has waited long enough.
            feed_us[exchange] = END_OF_TIME_US

    def _status(self, row: np.void) -> None:
        book, ts_ns = int(row["book_id"]), int(row["book_ts_ns"])
        key = EXCHANGES[row["exchange"]], row["symbol"].decode()
        if row["tick"] > 0 and row["lot"] > 0:
            self.steps[key] = _steps(row)
            self._steps_of[book] = key
        if ts_ns >= self._status_ts[book]:
            self._status_ts[book], self._status_flags[book] = ts_ns, row["flags"]
            if self._seen[book] and ts_ns >= self.books["book_ts_ns"][book]:
                self._set_flags(np.array([book]), np.array([row["flags"]]))

    def _set_flags(self, ids: np.ndarray, flags: np.ndarray) -> None:
        self.books["flags"][ids] = flags
        self.books["valid"][ids] = (flags & INVALID) == 0

    def _name(self, rows: np.ndarray) -> None:
        for book, exchange, symbol in zip(
            rows["book_id"].tolist(), rows["exchange"].tolist(), rows["symbol"].tolist(), strict=True
        ):
            key = EXCHANGES[exchange], symbol.decode()
            self._ids[key], self._keys[book] = book, key

    def _within(self, rows: np.ndarray, column: str, limit: int) -> np.ndarray:
        inside = rows[column] < limit
        if not inside.all():
            self.overflow += int((~inside).sum())
            rows = rows[inside]
        return rows

    def book_id(self, exchange: str, symbol: str) -> int:
        """Return a book's id, or -1 where none was seen."""
        return self._ids.get((exchange, symbol), -1)

    def key(self, book: int) -> tuple[str, str]:
        """Return the exchange and symbol of a book that was seen."""
        return self._keys[book]

    def session_of(self, exchange: str) -> int:
        """Return the session of a channel; 0 where none was seen."""
        return int(self.session[:, exchange_id(exchange)].max())

    def shard_of(self, symbol: str) -> int:
        """Return which consumer shows a symbol, from 0."""
        return 0 if self.runs.of == 1 else t_shard(symbol, self.runs.of)

    def flags(self, book: int) -> int | None:
        """Return a book's flags (libs.book.flags); None of -1."""
        return None if book < 0 else int(self.books["flags"][book])

    def levels(self, book: int, side: Side) -> list[tuple[Decimal, Decimal]]:
        """Return the price and size of each level of one side of a book, best first.

        Parameters
        ----------
        side : str
            ``buy``: the bids; ``sell``: the asks.
        """
        row = self.books[book]
        name = "bid" if side == "buy" else "ask"
        count = int(row[f"{name}_count"])
        price_exp, size_exp = int(row["price_exponent"]), int(row["size_exponent"])
        prices, sizes = row[f"{name}_prices"][:count].tolist(), row[f"{name}_sizes"][:count].tolist()
        return [
            (decimal_of(price, price_exp), decimal_of(size, size_exp))
            for price, size in zip(prices, sizes, strict=True)
        ]

    def size_at(self, book: int, side: Side, price: Decimal) -> Decimal | None:
        """Return the size of one level, zero where there is none; None where it lies beyond the levels shown."""
        row = self.books[book]
        name = "bid" if side == "buy" else "ask"
        count = int(row[f"{name}_count"])
        prices = row[f"{name}_prices"][:count].tolist()
        mantissa = price.scaleb(-int(row["price_exponent"]), EXACT)
        if mantissa in prices:
            return decimal_of(int(row[f"{name}_sizes"][prices.index(mantissa)]), int(row["size_exponent"]))
        last = prices[-1] if count == TOP_LEVELS else None
        hidden = last is not None and (mantissa < last if side == "buy" else mantissa > last)
        return None if hidden else ZERO

    def best(self, book: int, side: Side) -> Decimal | None:
        """Return the best price of one side of a book; None where there is none."""
        name = "bid" if side == "buy" else "ask"
        if book < 0 or not self.books[f"{name}_count"][book]:
            return None
        return decimal_of(int(self.books[f"{name}_prices"][book, 0]), int(self.books["price_exponent"][book]))

    def mid(self, book: int) -> Decimal | None:
        """Return a book's mid; None where a side is empty."""
        bid, ask = self.best(book, "buy"), self.best(book, "sell")
        return None if bid is None or ask is None else EXACT.multiply(EXACT.add(bid, ask), HALF)

    def nbbo_mid(self, symbol: str) -> Decimal | None:
        """Return the mid of the consolidated quote; None where it has not two sides."""
        at = self._symbol_ids.get(symbol, -1)
        if at < 0:
            return None
        row = self.nbbo[at]
        if not row["bid_exchanges"] or not row["ask_exchanges"]:
            return None
        total = decimal_of(int(row["bid_price"]) + int(row["ask_price"]), int(row["price_exponent"]))
        return EXACT.multiply(total, HALF)

    def best_exchange(self, symbol: str, side: Side) -> str | None:
        """Return the exchange that the consolidated quote routes an order to: the best ask of a buy."""
        at = self._symbol_ids.get(symbol, -1)
        exchange = int(self.nbbo["ask_exchange" if side == "buy" else "bid_exchange"][at]) if at >= 0 else NO_EXCHANGE
        return EXCHANGES[exchange] if exchange < len(EXCHANGES) else None

    def usd_rate(self, currency: str) -> Decimal | None:
        """Return what a currency is worth in USD: 1 of the dollars, else the mid of its consolidated quote."""
        if currency in USD:
            return ONE
        for dollar in ("USDT", "USD", "USDC"):
            mid = self.nbbo_mid(f"{currency}-{dollar}")
            if mid is not None:
                return mid
        return None

    def notional_rate(self, symbol: str) -> Decimal | None:
        """Return the USD of one unit of a symbol's notional, which is in quote currency (markets.md)."""
        return self.usd_rate(quote_currency(symbol))

    def settlement_rate(self, exchange: str, symbol: str, inverse: bool) -> Decimal | None:
        """Return the USD of one unit of what a position settles in: base of an inverse contract, else quote."""
        return self.mark(exchange, symbol) if inverse else self.usd_rate(quote_currency(symbol))

    def mark(self, exchange: str, symbol: str) -> Decimal | None:
        """Return a position's mark: its own book's mid, else the consolidated one."""
        mid = self.mid(self.book_id(exchange, symbol))
        return mid if mid is not None else self.nbbo_mid(symbol)


def quote_currency(symbol: str) -> str:
    """Return the currency that a canonical symbol's price is in; empty where the symbol does not say."""
    return symbol.split("-")[1] if "-" in symbol else ""


def base_currency(symbol: str) -> str:
    """Return the currency that a canonical symbol is a price of."""
    return symbol.partition("-")[0]


def _steps(row: np.void) -> Steps:
    return Steps(
        decimal_of(int(row["tick"]), int(row["tick_exponent"])),
        decimal_of(int(row["lot"]), int(row["lot_exponent"])),
        decimal_of(int(row["multiplier"]), int(row["multiplier_exponent"])),
        bool(row["inverse"]),
    )

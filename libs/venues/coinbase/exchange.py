"""One connection of Coinbase Exchange: books without a sequence, trades, tickers as a witness. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from libs.market.instruments import Instrument
from libs.venues.coinbase.messages import MAKER_SIDES, Message, decode_message, exchange_request
from libs.venues.coinbase.symbols import canonical
from libs.venues.connection import Connection, microseconds
from libs.venues.core import Close, Output, Send
from libs.venues.rows import PLAIN, SIDED, RowParser

MAX_LEVELS = 200_000
SNAPSHOT_WAIT_US = 10_000_000
SILENCE_US = 10_000_000


class ExchangeCore(Connection):
    """One connection of the Exchange feed.

    Parameters
    ----------
    symbols : sequence of str
        Canonical.
    instruments : mapping of str to Instrument
        Units by canonical symbol.
    channel : str
        ``level2_batch``; ``level2`` needs a key.
    witness : bool
        Subscribe to ``ticker`` as well.
    """

    exchange = "coinbase"

    def __init__(
        self,
        symbols: Sequence[str],
        instruments: Mapping[str, Instrument] | None = None,
        channel: str = "level2_batch",
        *,
        witness: bool = False,
    ) -> None:
        super().__init__(symbols, canonical, instruments)
        self._channel = channel
        self._channels = (channel, "matches", "heartbeat", *(["ticker"] if witness else []))
        self._pairs, self._changes = RowParser(PLAIN, MAX_LEVELS), RowParser(SIDED)
        self._asked: dict[str, int] = {}
        self._named: dict[str, int] = {}
        """By symbol: the last trade that the last heartbeat named."""
        self._cannot_verify("books carry no sequence: a missing change is not seen")

    def opened(self, now_us: int) -> list[Output]:
        """Begin a connection."""
        self._alive_us = self._heard_us = now_us
        self._asked = dict.fromkeys(self.symbols, now_us)
        self._named.clear()
        return [Send(exchange_request("subscribe", self._channels, self.symbols))]

    def tick(self, now_us: int) -> list[Output]:
        """Close after 10 s without a heartbeat; ask again for snapshots that do not come."""
        if now_us - self._heard_us >= SILENCE_US:
            self._count("mute", None)
            self._heard_us = now_us
            return [Close("coinbase: no heartbeat")]
        late = [symbol for symbol, asked in self._asked.items() if now_us - asked >= SNAPSHOT_WAIT_US]
        return [o for symbol in late for o in self._ask(symbol, now_us)]

    def resync(self, symbol: str, reason: str, now_us: int) -> list[Output]:
        """Declare one book invalid and subscribe to it anew, unless that has been asked already."""
        found = self._lose(symbol, reason, now_us)
        self._count("resync", symbol)
        return found if symbol in self._asked else found + self._ask(symbol, now_us)

    def _ask(self, symbol: str, now_us: int) -> list[Output]:
        self._asked[symbol] = now_us
        return [Send(exchange_request(kind, [self._channel], [symbol])) for kind in ("unsubscribe", "subscribe")]

    def _take(self, message: bytes, now_us: int) -> list[Output]:
        m = decode_message(message)
        if m.type == "error":
            raise ValueError(f"the venue answers {m.message!r} {m.reason!r}")
        symbol = self.canonical.get(m.product_id)
        if symbol is None:
            return self._ignored()
        self.by_symbol[symbol]["messages"] += 1
        if m.type in ("snapshot", "l2update"):
            try:
                return self._book_of(symbol, m, now_us)
            except ValueError as error:
                return self._refused(m.type, error, symbol) + self.resync(symbol, "message refused", now_us)
        try:
            return self._other(symbol, m, now_us)
        except ValueError as error:
            missed = self._trades_missed(symbol, "refused", now_us) if m.type == "match" else []
            return self._refused(m.type, error, symbol) + missed

    def _book_of(self, symbol: str, m: Message, now_us: int) -> list[Output]:
        unit = self.units[symbol]
        exchange_us = microseconds(m.time) if m.time is not None else 0
        if m.type == "snapshot":
            if not m.bids or not m.asks:
                raise ValueError("expected bids and asks, found one or none")
            parsed = self._pairs.parse(memoryview(m.bids), memoryview(m.asks), unit.price, unit.size)
            self._asked.pop(symbol, None)
            return self._fresh(self._book(symbol, parsed, exchange_us, now_us, snapshot=True))
        if symbol not in self.valid or symbol in self._asked:
            self._count("before_snapshot", symbol)
            return []
        if not m.changes:
            raise ValueError("expected changes, found none")
        parsed = self._changes.parse(memoryview(m.changes), None, unit.price, unit.size)
        return [self._book(symbol, parsed, exchange_us, now_us)]

    def _beat(self, symbol: str, last_trade_id: int | None, now_us: int) -> list[Output]:
        """Say that trades are missing when one that the heartbeat before this named has not come."""
        before, last = self._named.get(symbol, -1), self.trades[symbol].last
        self._named[symbol] = last_trade_id or -1
        return self._trades_missed(symbol, f"trade {before} has not come", now_us) if 0 <= last < before else []

    def _other(self, symbol: str, m: Message, now_us: int) -> list[Output]:
        if m.type == "heartbeat":
            self._alive_us = now_us
            return self._beat(symbol, m.last_trade_id, now_us)
        if m.type in ("match", "last_match"):
            if m.trade_id is None or m.side not in MAKER_SIDES:
                raise ValueError(f"expected trade_id and side buy or sell, found {m.trade_id} and {m.side!r}")
            if m.type == "last_match":
                self.trades[symbol].last = max(self.trades[symbol].last, m.trade_id)
                self._count("trade_old", symbol)
                return []
            exchange_us = microseconds(m.time) if m.time is not None else 0
            numbers = (m.trade_id, m.trade_id)
            return self._print(
                symbol, numbers, m.trade_id, MAKER_SIDES[m.side], m.price, m.size, exchange_us, now_us
            )  # fmt: skip
        if m.type == "ticker":
            exchange_us = microseconds(m.time) if m.time is not None else 0
            sides = (m.best_bid, m.best_bid_size), (m.best_ask, m.best_ask_size)
            return [self._top(symbol, -1, *sides, exchange_us, now_us)]
        return self._ignored()

"""One connection of Coinbase Advanced Trade: books and trades under one sequence. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from libs.market.instruments import Instrument
from libs.venues.coinbase.messages import (
    MAKER_SIDES,
    Envelope,
    L2Event,
    advanced_request,
    decode_envelope,
    decode_l2,
    decode_trades,
)
from libs.venues.coinbase.symbols import canonical
from libs.venues.connection import Connection, microseconds
from libs.venues.core import Close, Output, Send
from libs.venues.rows import OBJECT, RowParser

MAX_LEVELS = 200_000
"""Of one snapshot: BTC-USD has had 46,000."""
SNAPSHOT_WAIT_US = 10_000_000
LONGEST_WAIT_US = 60_000_000
SILENCE_US = 10_000_000
"""Heartbeats come every second."""


class CoinbaseCore(Connection):
    """One connection of Advanced Trade, at most ten products.

    A message that is missing may have belonged to any of them: all their books and prints are invalid until they have
    been subscribed to again.

    Parameters
    ----------
    symbols : sequence of str
        Canonical.
    instruments : mapping of str to Instrument
        Units by canonical symbol.
    """

    exchange = "coinbase"

    def __init__(self, symbols: Sequence[str], instruments: Mapping[str, Instrument] | None = None) -> None:
        super().__init__(symbols, canonical, instruments)
        self._parser = RowParser(OBJECT, MAX_LEVELS)
        self._sequence: int | None = None
        self._asked: dict[str, tuple[int, int]] = {}
        """By symbol without a snapshot: when it was asked for, and how long to wait."""

    def opened(self, now_us: int) -> list[Output]:
        """Begin a connection."""
        self._alive_us = self._heard_us = now_us
        self._sequence = None
        self._asked = dict.fromkeys(self.symbols, (now_us, SNAPSHOT_WAIT_US))
        return [
            Send(advanced_request("subscribe", "heartbeats")),
            Send(advanced_request("subscribe", "level2", self.symbols)),
            Send(advanced_request("subscribe", "market_trades", self.symbols)),
        ]

    def tick(self, now_us: int) -> list[Output]:
        """Close after 10 s without a heartbeat; ask again for snapshots that do not come."""
        if now_us - self._heard_us >= SILENCE_US:
            self._count("mute", None)
            self._heard_us = now_us
            return [Close("coinbase: no heartbeat")]
        late = [symbol for symbol, (asked, wait) in self._asked.items() if now_us - asked >= wait]
        return self._ask(late, now_us)

    def resync(self, symbol: str, reason: str, now_us: int) -> list[Output]:
        """Declare one book invalid and subscribe to it anew, unless that has been asked already."""
        found = self._lose(symbol, reason, now_us)
        self._count("resync", symbol)
        return found if symbol in self._asked else found + self._ask([symbol], now_us)

    def _ask(self, symbols: list[str], now_us: int) -> list[Output]:
        if not symbols:
            return []
        for symbol in symbols:
            _, wait = self._asked.get(symbol, (0, SNAPSHOT_WAIT_US // 2))
            self._asked[symbol] = now_us, min(2 * wait, LONGEST_WAIT_US)
        return [Send(advanced_request(kind, "level2", symbols)) for kind in ("unsubscribe", "subscribe")]

    def _take(self, message: bytes, now_us: int) -> list[Output]:
        m = decode_envelope(message)
        if m.channel is None:
            if m.type == "error":
                raise ValueError(f"the venue answers {m.message!r}")
            raise ValueError("expected channel or an error, found neither")
        if m.sequence_num is None:
            raise ValueError("expected sequence_num, found none")
        found: list[Output] = []
        if self._sequence is not None and m.sequence_num != self._sequence + 1:
            if m.sequence_num <= self._sequence:
                self._count("old", None)
                return []
            found = self._gap(self._sequence, m.sequence_num, now_us)
        self._sequence = m.sequence_num
        if m.channel == "l2_data":
            return found + self._books(m, now_us)
        if m.channel == "market_trades":
            return found + self._prints(m, now_us)
        if m.channel == "heartbeats":
            self._alive_us = now_us
            return found
        return found + self._ignored()

    def _gap(self, last: int, number: int, now_us: int) -> list[Output]:
        """Lose every book and the prints; what is awaited comes all the same."""
        self._count("gap", None)
        reason = f"message {number} does not follow {last}"
        found = [o for symbol in self.symbols for o in self._lose(symbol, reason, now_us)]
        for symbol in self.symbols:
            self._count("resync", symbol)
            found += self._trades_missed(symbol, reason, now_us)
        # A snapshot that was awaited may be what is missing.
        return found + self._ask(list(self.symbols), now_us)

    def _books(self, m: Envelope, now_us: int) -> list[Output]:
        found: list[Output] = []
        try:
            for event in decode_l2(m.events):
                found += self._event(event, m.timestamp, now_us)
        except (msgspec.DecodeError, ValueError) as error:
            found += self._refused("l2_data", error)
            found += [o for symbol in self.symbols for o in self.resync(symbol, "message refused", now_us)]
        return found

    def _event(self, event: L2Event, sent: datetime | None, now_us: int) -> list[Output]:
        symbol = self.canonical.get(event.product_id)
        if symbol is None:
            return self._ignored()
        self.by_symbol[symbol]["messages"] += 1
        if event.type not in ("snapshot", "update"):
            return self._refused(
                "l2_data", ValueError(f"expected type snapshot or update, found {event.type!r}"), symbol
            )
        snapshot = event.type == "snapshot"
        if not snapshot and (symbol not in self.valid or symbol in self._asked):
            self._count("before_snapshot", symbol)
            return []
        unit = self.units[symbol]
        try:
            parsed = self._parser.parse(memoryview(event.updates), None, unit.price, unit.size)
        except ValueError as error:
            return self._refused("l2_data", error, symbol) + self.resync(symbol, "message refused", now_us)
        found = self._book(symbol, parsed, 0 if sent is None else microseconds(sent), now_us, snapshot=snapshot)
        if not snapshot:
            return [found]
        self._asked.pop(symbol, None)
        return self._fresh(found)

    def _prints(self, m: Envelope, now_us: int) -> list[Output]:
        found: list[Output] = []
        try:
            for event in decode_trades(m.events):
                old = event.type == "snapshot"
                for t in sorted(event.trades, key=lambda each: int(each.trade_id)):
                    symbol = self.canonical.get(t.product_id)
                    if symbol is None:
                        continue
                    self.by_symbol[symbol]["messages"] += 1
                    number = int(t.trade_id)
                    if old:
                        self.trades[symbol].last = max(self.trades[symbol].last, number)
                        self._count("trade_old", symbol)
                        continue
                    if t.side not in MAKER_SIDES:
                        raise ValueError(f"expected side BUY or SELL, found {t.side!r}")
                    found += self._print(
                        symbol, (number, number), number, MAKER_SIDES[t.side], t.price, t.size, microseconds(t.time),
                        now_us,
                    )  # fmt: skip
        except (msgspec.DecodeError, ValueError) as error:
            found += self._refused("market_trades", error)
            found += [o for symbol in self.symbols for o in self._trades_missed(symbol, "refused", now_us)]
        return found

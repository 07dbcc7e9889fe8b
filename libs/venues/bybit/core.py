"""One connection of Bybit v5: books by their update ids, trades. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from libs.market.instruments import Instrument
from libs.venues.bybit.messages import (
    Book,
    Envelope,
    decode_book,
    decode_envelope,
    decode_trades,
    request,
)
from libs.venues.bybit.symbols import LINEAR, Rules
from libs.venues.connection import Connection, batches, text_id
from libs.venues.core import Output, Send
from libs.venues.events import BUYER, SELLER, BookEvent
from libs.venues.levels import LevelParser

DEPTHS = (50, 200, 1000)
SNAPSHOT_WAIT_US = 5_000_000
LONGEST_WAIT_US = 60_000_000
SIDES = {"Buy": BUYER, "Sell": SELLER}


@dataclass(slots=True)
class _State:
    """One symbol: the book's update id; when its snapshot was asked for (-1: none is awaited), how long to wait."""

    update: int = 0
    asked_us: int = -1
    wait_us: int = SNAPSHOT_WAIT_US


class BybitCore(Connection):
    """One connection of one category.

    Parameters
    ----------
    symbols : sequence of str
        Canonical.
    instruments : mapping of str to Instrument
        Units by canonical symbol.
    rules : Rules
        Spot, linear or inverse.
    depth : int
        Levels a side: 50, 200 or 1,000.
    """

    exchange = "bybit"

    def __init__(
        self,
        symbols: Sequence[str],
        instruments: Mapping[str, Instrument] | None = None,
        rules: Rules = LINEAR,
        depth: int = 200,
    ) -> None:
        super().__init__(symbols, rules.native, instruments)
        if depth not in DEPTHS:
            raise ValueError(f"expected a depth of {', '.join(map(str, DEPTHS))}, found {depth}")
        self._rules, self._depth = rules, depth
        self._states = {symbol: _State() for symbol in self.symbols}
        self._parser = LevelParser()
        self._cannot_verify("trades have no sequence: one that is missing is not seen")

    def opened(self, now_us: int) -> list[Output]:
        """Begin a connection: topics in batches."""
        self._opening(now_us)
        self._states = {symbol: _State(asked_us=now_us) for symbol in self.symbols}
        topics = [
            f"{kind}.{self.native[symbol]}"
            for kind in (f"orderbook.{self._depth}", "publicTrade")
            for symbol in self.symbols
        ]
        return [Send(request("subscribe", some)) for some in batches(topics, self._rules.topics)]

    def tick(self, now_us: int) -> list[Output]:
        """Ping every 20 s, close when nothing answers; ask again for a snapshot that does not come."""
        found = self._ping('{"op":"ping"}', now_us)
        for symbol, state in self._states.items():
            if state.asked_us >= 0 and now_us - state.asked_us >= state.wait_us:
                state.wait_us = min(2 * state.wait_us, LONGEST_WAIT_US)
                found += self._ask(symbol, now_us)
        return found

    def resync(self, symbol: str, reason: str, now_us: int) -> list[Output]:
        """Declare one book invalid and subscribe to it anew, unless that has been asked already."""
        found = self._lose(symbol, reason, now_us)
        self._count("resync", symbol)
        return found if self._states[symbol].asked_us >= 0 else found + self._ask(symbol, now_us)

    def _ask(self, symbol: str, now_us: int) -> list[Output]:
        self._states[symbol].asked_us = now_us
        topics = [f"orderbook.{self._depth}.{self.native[symbol]}"]
        return [Send(request("unsubscribe", topics)), Send(request("subscribe", topics))]

    def _take(self, message: bytes, now_us: int) -> list[Output]:
        m = decode_envelope(message)
        if m.topic is None:
            return self._answer(m, now_us)
        channel, _, name = m.topic.rpartition(".")
        symbol = self.canonical.get(name)
        if symbol is None or channel not in (f"orderbook.{self._depth}", "publicTrade"):
            return self._ignored()
        self.by_symbol[symbol]["messages"] += 1
        if channel == "publicTrade":
            return self._prints(symbol, m.data, now_us)
        try:
            return self._take_book(symbol, m, now_us)
        except (msgspec.DecodeError, ValueError) as error:
            return self._refused("orderbook", error, symbol) + self.resync(symbol, "message refused", now_us)

    def _answer(self, m: Envelope, now_us: int) -> list[Output]:
        if m.op is None and m.success is None:
            raise ValueError("expected topic or op, found neither")
        self._alive_us = now_us
        if m.success is False:
            return self._refused("request", ValueError(f"the venue answers {m.ret_msg!r}"))
        return [] if m.op in ("ping", "pong") else self._ignored()

    def _take_book(self, symbol: str, m: Envelope, now_us: int) -> list[Output]:
        book, state = decode_book(m.data), self._states[symbol]
        exchange_us = 1000 * (m.cts or m.ts)
        if m.type == "snapshot":
            event = self._event_of(symbol, book, exchange_us, now_us, snapshot=True)
            self._states[symbol] = _State(book.u)
            return self._fresh(event)
        if m.type != "delta":
            raise ValueError(f"expected type snapshot or delta, found {m.type!r}")
        if symbol not in self.valid or state.asked_us >= 0:
            self._count("before_snapshot", symbol)
            return []
        if book.u == state.update:
            self._count("old", symbol)
            return []
        if book.u != state.update + 1:
            self._count("gap", symbol)
            return self.resync(symbol, f"update {book.u} does not follow {state.update}", now_us)
        event = self._event_of(symbol, book, exchange_us, now_us, snapshot=False)
        state.update = book.u
        return [event]

    def _event_of(self, symbol: str, book: Book, exchange_us: int, now_us: int, *, snapshot: bool) -> BookEvent:
        unit = self.units[symbol]
        parsed = self._parser.parse(memoryview(book.b), memoryview(book.a), unit.price, unit.size)
        return self._book(symbol, parsed, exchange_us, now_us, snapshot=snapshot, limit=self._depth)

    def _prints(self, symbol: str, data: msgspec.Raw, now_us: int) -> list[Output]:
        found: list[Output] = []
        try:
            for t in decode_trades(data):
                if t.S not in SIDES:
                    raise ValueError(f"expected S Buy or Sell, found {t.S!r}")
                number = self.trades[symbol].last + 1
                found += self._print(
                    symbol, (number, number), text_id(t.i), SIDES[t.S], t.p, t.v, 1000 * t.T, now_us
                )  # fmt: skip
        except (msgspec.DecodeError, ValueError) as error:
            found += self._refused("publicTrade", error, symbol) + self._trades_missed(symbol, "refused", now_us)
        return found

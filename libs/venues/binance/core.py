"""One connection of Binance: diffs spliced to REST snapshots, trades, bookTicker as a witness. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from libs.market.instruments import Instrument
from libs.venues.binance.messages import (
    DECODERS,
    MARKET,
    AggTrade,
    BookTicker,
    Depth,
    Snapshot,
    Trade,
    decode_envelope,
    decode_notice,
    decode_snapshot,
    request,
)
from libs.venues.binance.rules import SPOT, Rules
from libs.venues.binance.splice import Diff, Splice, Verdict
from libs.venues.connection import Connection, batches
from libs.venues.core import Close, Fetch, Output, Send
from libs.venues.events import BUYER, SELLER, BookEvent
from libs.venues.levels import LevelParser

STREAMS_A_REQUEST = 100
FIRST_WAIT_US = 1_000_000
RETRY_US = 500_000
LONGEST_RETRY_US = 30_000_000


@dataclass(slots=True)
class _State:
    """One symbol: its ids and kept diffs; when a snapshot is to be fetched (-1: none is awaited)."""

    splice: Splice[Depth]
    due_us: int = -1
    fetching: bool = False
    retry_us: int = RETRY_US
    trade_kind: type | None = field(default=None)


class BinanceCore(Connection):
    """One connection of one of Binance's markets.

    Parameters
    ----------
    symbols : sequence of str
        Canonical.
    instruments : mapping of str to Instrument
        Units by canonical symbol.
    rules : Rules
        Spot, USDⓈ-M or COIN-M.
    witness : bool
        Subscribe to ``bookTicker`` as well.
    """

    exchange = "binance"

    def __init__(
        self,
        symbols: Sequence[str],
        instruments: Mapping[str, Instrument] | None = None,
        rules: Rules = SPOT,
        *,
        witness: bool = False,
    ) -> None:
        super().__init__(symbols, rules.native, instruments)
        self._rules = rules
        self._channels = ("depth@100ms", "trade", *(["bookTicker"] if witness else []))
        self._states = {symbol: self._state() for symbol in self.symbols}
        self._parser = LevelParser()

    def opened(self, now_us: int) -> list[Output]:
        """Begin a connection: streams in batches; snapshots follow the first diffs."""
        self._heard_us = self._alive_us = now_us
        for symbol in self.symbols:
            kind = self._states[symbol].trade_kind
            self._states[symbol] = self._state(now_us + FIRST_WAIT_US)
            self._states[symbol].trade_kind = kind
        streams = [f"{self.native[s].lower()}@{channel}" for channel in self._channels for s in self.symbols]
        return [Send(request("SUBSCRIBE", some, k + 1)) for k, some in enumerate(batches(streams, STREAMS_A_REQUEST))]

    def tick(self, now_us: int) -> list[Output]:
        """Fetch the snapshots that are due."""
        found: list[Output] = []
        for symbol, state in self._states.items():
            if 0 <= state.due_us <= now_us and not state.fetching:
                found += self._fetch(symbol)
        return found

    def resync(self, symbol: str, reason: str, now_us: int) -> list[Output]:
        """Declare one book invalid and splice a new snapshot."""
        self._states[symbol].splice.lose()
        return self._again(symbol, reason, now_us)

    def answered(self, symbol: str, body: bytes, now_us: int) -> list[Output]:
        """Splice a snapshot into the diffs kept; one that is older than they are is fetched again later."""
        state = self._states[symbol]
        state.fetching = False
        if state.due_us < 0:
            return self._ignored()
        self._later(state, now_us)
        try:
            snapshot = decode_snapshot(body)
            found = self.snapshot(symbol, snapshot, now_us)
        except (msgspec.DecodeError, ValueError) as error:
            return self._refused("REST depth", error, symbol)
        if symbol in self.valid:
            state.due_us, state.retry_us = -1, RETRY_US
        return found

    def failed(self, symbol: str, now_us: int) -> list[Output]:
        """Fetch again at a later tick."""
        state = self._states[symbol]
        state.fetching = False
        self._count("fetch_failed", symbol)
        if state.due_us >= 0:
            self._later(state, now_us)
        return []

    def snapshot(self, symbol: str, m: Snapshot, now_us: int) -> list[Output]:
        """Return the snapshot and the kept diffs that follow it; nothing when it is too old or of no use.

        Raises
        ------
        ValueError
            When its levels make no sense.
        """
        splice = self._states[symbol].splice
        exchange_ms = m.T if m.T is not None else m.E
        unit = self.units[symbol]
        parsed = self._parser.parse(memoryview(m.bids), memoryview(m.asks), unit.price, unit.size)
        verdict, kept = splice.snapshot(m.lastUpdateId)
        if verdict is not Verdict.APPLIED:
            self._count(f"snapshot_{verdict.value}", symbol)
            return []
        limit = self._rules.levels
        event = self._book(symbol, parsed, 1000 * (exchange_ms or 0), now_us, snapshot=True, limit=limit)
        found = self._fresh(event)
        for diff in kept:
            try:
                found.append(self._event_of(symbol, diff.payload, now_us))
            except ValueError as error:
                return found + self._refused("depth", error, symbol) + self.resync(symbol, "message refused", now_us)
        self._count("kept_applied", symbol, len(kept))
        return found

    def position(self, symbol: str) -> int:
        """Return the update id of the book, which bookTicker shares; -1: none."""
        return self._states[symbol].splice.book_id

    def _state(self, due_us: int = -1) -> _State:
        return _State(Splice(self._rules.market.futures), due_us)

    def _fetch(self, symbol: str) -> list[Output]:
        self._states[symbol].fetching = True
        self._count("fetch", symbol)
        return [Fetch(symbol, self._rules.depth_path(self.native[symbol]), self._rules.weight)]

    def _later(self, state: _State, now_us: int) -> None:
        state.due_us = now_us + state.retry_us
        state.retry_us = min(2 * state.retry_us, LONGEST_RETRY_US)

    def _again(self, symbol: str, reason: str, now_us: int) -> list[Output]:
        """Say that the book is invalid, and fetch a snapshot when one has not been asked for."""
        found = self._lose(symbol, reason, now_us)
        self._count("resync", symbol)
        state = self._states[symbol]
        waits = state.due_us >= 0
        state.due_us = max(state.due_us, now_us)
        return found if state.fetching or waits else found + self._fetch(symbol)

    def _take(self, message: bytes, now_us: int) -> list[Output]:
        envelope = decode_envelope(message)
        if envelope.stream is None:
            return self._notice(message)
        self._alive_us = now_us
        name, _, channel = envelope.stream.partition("@")
        kind = channel.partition("@")[0]
        symbol = self.canonical.get(name.upper())
        decoder = DECODERS.get(kind)
        if symbol is None or decoder is None:
            return self._ignored()
        self.by_symbol[symbol]["messages"] += 1
        try:
            m = decoder(envelope.data)
            if isinstance(m, Depth):
                return self._depth(symbol, m, now_us)
            if isinstance(m, BookTicker):
                return [self._top(symbol, m.u, (m.b, m.B), (m.a, m.A), 1000 * (m.T or 0), now_us)]
            return self._trade(symbol, m, now_us)
        except (msgspec.DecodeError, ValueError) as error:
            refused = self._refused(kind, error, symbol)
            if kind == "depth":
                return refused + self.resync(symbol, "message refused", now_us)
            return refused + (self._trades_missed(symbol, "refused", now_us) if kind != "bookTicker" else [])

    def _notice(self, message: bytes) -> list[Output]:
        notice = decode_notice(message)
        if notice.e == "serverShutdown":
            self._count("shutdown", None)
            return [Close("binance: the server shuts down")]
        problem = notice.error or notice
        if problem.code is not None:
            return self._refused("request", ValueError(f"the venue answers {problem.code}: {problem.msg}"))
        if notice.id is None:
            raise ValueError("expected stream and data, an answer or an event, found none")
        return self._ignored()

    def _event_of(self, symbol: str, m: Depth, now_us: int) -> BookEvent:
        unit = self.units[symbol]
        parsed = self._parser.parse(memoryview(m.b), memoryview(m.a), unit.price, unit.size)
        return self._book(symbol, parsed, 1000 * (m.T if m.T is not None else m.E), now_us)

    def _depth(self, symbol: str, m: Depth, now_us: int) -> list[Output]:
        if m.u < m.U:
            raise ValueError(f"expected U at most u, found {m.U} and {m.u}")
        if self._rules.market.futures and m.pu is None:
            raise ValueError("expected pu, found none")
        state = self._states[symbol]
        before, broken = state.splice.book_id, state.splice.broken
        verdict = state.splice.diff(Diff(m.U, m.u, m.pu, m))
        if verdict is Verdict.APPLIED:
            return [self._event_of(symbol, m, now_us)]
        if verdict is Verdict.GAP:
            self._count("gap", symbol)
            return self._again(symbol, f"update {m.pu if m.pu is not None else m.U} does not follow {before}", now_us)
        self._count("kept" if verdict is Verdict.BUFFERED else verdict.value, symbol)
        if state.splice.broken > broken:
            self._count("kept_gap", symbol)
        if verdict is Verdict.BUFFERED and not state.fetching and state.due_us > now_us and state.retry_us == RETRY_US:
            return self._fetch(symbol)
        return []

    def _trade(self, symbol: str, m: Trade | AggTrade, now_us: int) -> list[Output]:
        """Return a print; where both kinds come, the kind that came first counts: they are the same matches twice."""
        state = self._states[symbol]
        state.trade_kind = state.trade_kind or type(m)
        if type(m) is not state.trade_kind:
            self._count("trade_other_kind", symbol)
            return []
        number = m.t if isinstance(m, Trade) else m.a
        if isinstance(m, Trade) and m.X != MARKET:
            return self._off_market(symbol, number, now_us)
        aggressor = SELLER if m.m else BUYER
        return self._print(symbol, (number, number), number, aggressor, m.p, m.q, 1000 * m.T, now_us)

    def _off_market(self, symbol: str, number: int, now_us: int) -> list[Output]:
        """Pass over what was not traded in the book; its number is one of the trades' all the same."""
        self._count("trade_off_market", symbol)
        trades = self.trades[symbol]
        missed = 0 <= trades.last < number - 1
        trades.last = max(trades.last, number)
        return self._trades_missed(symbol, f"before trade {number}", now_us) if missed else []

"""One Binance symbol: its messages in, normalised events out. No I/O, no clock."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import msgspec

from libs.units import parse_decimal
from libs.venues.binance.messages import MARKET, AggTrade, Depth, Snapshot, Trade
from libs.venues.binance.splice import Diff, Splice, Verdict
from libs.venues.binance.symbols import Market, canonical
from libs.venues.events import (
    BUYER,
    CUT_ASKS,
    CUT_BIDS,
    SELLER,
    STATUS_SYMBOL_INVALID,
    STATUS_TRADES_MISSED,
    BookEvent,
    Event,
    StatusEvent,
    TradeEvent,
)
from libs.venues.levels import LevelParser


@dataclass(frozen=True, slots=True)
class Units:
    """The coarsest exponents that a symbol's prices and sizes are sent with."""

    price_exponent: int = 0
    size_exponent: int = 0


class SymbolFeed:
    """The book and trades of one symbol.

    Parameters
    ----------
    symbol : str
        As Binance writes it.
    market : Market
        Whose rules hold.
    units : Units
        From the instrument's tick and lot; a message with a finer level is finer itself. None: the decimals seen.
    snapshot_limit : int
        Levels a side that were asked for: a side with as many goes on below its last level.
    """

    def __init__(self, symbol: str, market: Market, units: Units | None = None, snapshot_limit: int = 1000) -> None:
        self.symbol = canonical(symbol, market)
        self.market = market
        self.units = units or Units()
        self._seen_decide = units is None
        self.snapshot_limit = snapshot_limit
        self.splice: Splice[BookEvent] = Splice(market.futures)
        self.counts: Counter[str] = Counter()
        self._parser = LevelParser()
        self._trade_kind: type | None = None
        self._trade_id = -1

    def depth(self, m: Depth, feed_ts_us: int) -> list[Event]:
        """Return what one diff makes: itself, nothing (kept, old), or Status 2 at a gap.

        Raises
        ------
        ValueError
            When its levels make no sense.
        """
        exchange_us = 1000 * (m.T if m.T is not None else m.E)
        event = self._book(m.b, m.a, exchange_us, feed_ts_us, snapshot=False)
        verdict = self.splice.diff(Diff(m.U, m.u, m.pu, event))
        self.counts[f"depth_{verdict.value}"] += 1
        if verdict is Verdict.APPLIED:
            return [event]
        if verdict is Verdict.GAP:
            return [StatusEvent(self.symbol, STATUS_SYMBOL_INVALID, f"gap before update {m.U}", feed_ts_us)]
        return []

    def snapshot(self, m: Snapshot, feed_ts_us: int) -> list[Event]:
        """Return the snapshot and the kept diffs that follow it, all at its feed time; nothing when it is no use.

        A snapshot on a book that is already valid comes after Status 2.

        Raises
        ------
        ValueError
            When its levels make no sense.
        """
        exchange_ms = m.T if m.T is not None else m.E
        event = self._book(m.bids, m.asks, 1000 * (exchange_ms or 0), feed_ts_us, snapshot=True)
        unasked = self.splice.synchronised
        verdict, kept = self.splice.snapshot(m.lastUpdateId)
        self.counts[f"snapshot_{verdict.value}"] += 1
        if verdict is not Verdict.APPLIED:
            return []
        self.counts["depth_kept"] += sum(d.last > m.lastUpdateId for d in kept)
        events: list[Event] = []
        if unasked:
            events.append(StatusEvent(self.symbol, STATUS_SYMBOL_INVALID, "new snapshot", feed_ts_us))
        events.append(event)
        for d in kept:
            d.payload.feed_ts_us = feed_ts_us
            events.append(d.payload)
        return events

    def trade(self, m: Trade | AggTrade, feed_ts_us: int) -> list[Event]:
        """Return the print, after Status 8 when ids say that some before it are missing.

        What was not traded in the book (``X`` of futures) is no print, but its id is one of the chain.
        A stream that has both kinds is read by the kind that came first: they are the same matches twice.
        """
        if self._trade_kind is None:
            self._trade_kind = type(m)
        if type(m) is not self._trade_kind:
            self.counts["trade_other_kind"] += 1
            return []
        trade_id = m.t if isinstance(m, Trade) else m.a
        price, price_exp = parse_decimal(m.p)
        size, size_exp = parse_decimal(m.q)
        off_market = isinstance(m, Trade) and m.X != MARKET
        if trade_id <= self._trade_id or (not off_market and (price <= 0 or size <= 0)):
            self.counts["trade_dropped"] += 1
            return []
        events: list[Event] = []
        if 0 <= self._trade_id < trade_id - 1:
            self.counts["trade_gap"] += 1
            events.append(StatusEvent(self.symbol, STATUS_TRADES_MISSED, f"before trade {trade_id}", feed_ts_us))
        self._trade_id = trade_id
        if off_market:
            self.counts["trade_off_market"] += 1
            return events
        price, price_exp = _trim(price, price_exp, self.units.price_exponent)
        size, size_exp = _trim(size, size_exp, self.units.size_exponent)
        aggressor = SELLER if m.m else BUYER
        self.counts["trade"] += 1
        events.append(
            TradeEvent(self.symbol, trade_id, aggressor, price, price_exp, size, size_exp, 1000 * m.T, feed_ts_us)
        )
        return events

    def restart(self) -> None:
        """Begin the recording again: the book waits for its snapshot, trade ids may go back."""
        self.splice.lose()
        self._trade_id = -1

    def _book(
        self, bids: msgspec.Raw, asks: msgspec.Raw, exchange_us: int, feed_us: int, *, snapshot: bool
    ) -> BookEvent:
        units = self.units
        n_bids, n_asks, price_exp, size_exp, levels = self._parser.parse(
            memoryview(bids),
            memoryview(asks),
            units.price_exponent,
            units.size_exponent,
        )
        if self._seen_decide:
            self.units = Units(min(price_exp, units.price_exponent), min(size_exp, units.size_exponent))
        cut = 0
        if snapshot:
            cut = CUT_BIDS * (n_bids >= self.snapshot_limit) | CUT_ASKS * (n_asks >= self.snapshot_limit)
        return BookEvent(self.symbol, snapshot, price_exp, size_exp, n_bids, n_asks, levels, cut, exchange_us, feed_us)


def _trim(mantissa: int, exponent: int, unit: int) -> tuple[int, int]:
    while exponent < unit and mantissa % 10 == 0:
        mantissa //= 10
        exponent += 1
    return mantissa, exponent

"""Recordings as a source of chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import libs
from libs.market.exchanges import EXCHANGES, exchange_id
from libs.market.instruments import Instrument, load_folder
from libs.sending.chunk import BOOK, STATUS, TRADE, Chunk, new_chunk, signed
from libs.sending.listing import ANNOUNCED, LOT_EXP, TICK_EXP, Listing, add_row, new_listing
from libs.storage.lines import BadLines
from libs.storage.mixed import MixedRecording
from libs.storage.recording import BinanceRecording
from libs.storage.recordings import only_collected
from libs.venues.binance import Units
from libs.venues.events import STATUS_SYMBOL_INVALID, BookEvent, Event, StatusEvent, TradeEvent

BINANCE = exchange_id("binance")
COINBASE = exchange_id("coinbase")
UNIT = 1000
"""Source time of one message where the pace is a rate; else source time is the recording's nanoseconds."""
MAX_BOOKS = 2048
PAUSE_NS = 1_000_000_000
"""Between the end of the recording and its next round."""


class Known(NamedTuple):
    """What is known of an instrument beforehand: (mantissa, exponent) pairs."""

    tick: tuple[int, int]
    lot: tuple[int, int]
    multiplier: tuple[int, int]
    inverse: bool


def instruments_of(folder: str) -> Callable[[str], Known | None]:
    """Return a look-up of Binance's instruments in a folder of instrument files; empty: the repository's own."""
    path = Path(folder) if folder else Path(libs.__file__).parent.parent / "config" / "instruments"
    table: dict[tuple[str, str], Instrument] = load_folder(path)

    def look_up(symbol: str) -> Known | None:
        found = table.get((EXCHANGES[BINANCE], symbol))
        return Known(found.tick, found.lot, found.multiplier, found.inverse) if found else None

    return look_up


def no_instruments(symbol: str) -> Known | None:
    """Know nothing: ticks and lots are the decimals seen."""
    return None


class RecordingSource:
    """Recordings of any venues that have a channel, once or in a loop.

    Parameters
    ----------
    paths : sequence of Path
        Files and folders.
    speed : float
        Recorded seconds a second; not used with a rate.
    rate : float
        Messages a second; 0: the recording's own pace.
    loop : bool
        Begin again at the end; each round's books wait for the recording's own snapshots.
    instrument_of : callable
        Canonical symbol to what is known of it, or None.

    Raises
    ------
    MissingError
        When a path is not there.
    """

    name = "recording"

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        speed: float = 1.0,
        rate: float = 0.0,
        loop: bool = False,
        instrument_of: Callable[[str], Known | None] = no_instruments,
    ) -> None:
        self.listing: Listing = new_listing(MAX_BOOKS)
        self.speed, self.rate, self.loop = speed, rate, loop
        self.rounds = 0
        self._instrument_of = instrument_of
        self._recording: BinanceRecording | MixedRecording = (
            BinanceRecording(paths, self._units_of) if only_collected(paths) else MixedRecording(paths)
        )
        self.bad: BadLines = self._recording.bad
        """Lines that could not be used."""
        self._rows: dict[tuple[int, str], int] = {}
        self._guessed: set[int] = set()
        self._chunk = new_chunk()
        self._count = 0
        self._first_ns = 0
        self._last_ns = 0
        self._offset_ns = 0

    @property
    def ns_per_unit(self) -> float:
        """Nanoseconds of one unit of source time."""
        return 1e9 / (self.rate * UNIT) if self.rate > 0 else 1.0 / self.speed

    @property
    def channels(self) -> list[int]:
        """Exchanges that may speak."""
        return self._recording.exchanges if isinstance(self._recording, MixedRecording) else [BINANCE]

    def chunks(self) -> Iterator[Chunk]:
        """Yield chunks to the end of the recording, or for ever with ``loop``. Each is valid until the next."""
        c = self._chunk
        self._clear()
        while True:
            before = self._count
            for ns, exchange, event in self._round():
                words = len(event.levels) if isinstance(event, BookEvent) else 0
                if c.used[0] == len(c.events) or c.used[1] + words > len(c.levels):
                    yield c
                    self._clear()
                self._add(ns, exchange, event)
            if c.used[0]:
                yield c
                self._clear()
            if not self.loop or self._count == before:
                return

    def _clear(self) -> None:
        self._chunk.used[:] = 0

    def _events(self) -> Iterator[tuple[int, int, Event]]:
        """Yield (receive time in ns, exchange id, event)."""
        if isinstance(self._recording, MixedRecording):
            return self._recording.events()
        return ((ns, BINANCE, event) for ns, event in self._recording.events())

    def _round(self) -> Iterator[tuple[int, int, Event]]:
        """Yield one round with times moved on, so that feed time never goes back."""
        last = 0
        for n, (ns, exchange, event) in enumerate(self._events()):
            if n == 0:
                self._first_ns = self._first_ns or ns
                if self.rounds:
                    self._offset_ns += self._last_ns + PAUSE_NS - ns
                    self._invalidate(ns)
            last = ns
            yield ns, exchange, event
        self._last_ns = last
        self.rounds += 1

    def _invalidate(self, ns: int) -> None:
        """Say that every book waits for a new snapshot: the next one comes unasked (wire.md, Status 2)."""
        for row in self._rows.values():
            self._put(ns, STATUS, row, STATUS_SYMBOL_INVALID, ns // 1000)

    def _src(self, ns: int) -> int:
        return self._count * UNIT if self.rate > 0 else ns + self._offset_ns - self._first_ns

    def _put(self, ns: int, kind: int, row: int, flags: int, feed_us: int, *rest: int) -> None:
        c = self._chunk
        price_exp, size_exp, cut, bids, asks, exchange_us, at, trade_id, price, size = rest or (0,) * 10
        c.events[c.used[0]] = (
            self._src(ns), kind, row, flags, price_exp, size_exp, cut, bids, asks, exchange_us,
            feed_us + self._offset_ns // 1000, at, trade_id, price, size, 0,
        )  # fmt: skip
        c.used[0] += 1
        self._count += 1

    def _add(self, ns: int, exchange: int, event: Event) -> None:
        row = self._row_of(exchange, event)
        feed = event.feed_ts_us
        if isinstance(event, BookEvent):
            c, e = self._chunk, event
            at = int(c.used[1])
            c.levels[at : at + len(e.levels)] = e.levels
            c.used[1] = at + len(e.levels)
            self._put(
                ns, BOOK, row, int(e.snapshot), feed, e.price_exponent, e.size_exponent, e.cut, e.bids, e.asks,
                e.exchange_ts_us, at, 0, 0, 0,
            )  # fmt: skip
        elif isinstance(event, TradeEvent):
            t = event
            self._put(
                ns, TRADE, row, t.aggressor, feed, t.price_exponent, t.size_exponent, 0, 0, 0, t.exchange_ts_us, 0,
                signed(t.trade_id), t.price, t.size,
            )  # fmt: skip
        else:
            self._put(ns, STATUS, row, event.code, feed)

    def _units_of(self, symbol: str) -> Units | None:
        known = self._instrument_of(symbol)
        return Units(known.tick[1], known.lot[1]) if known else None

    def _row_of(self, exchange: int, event: Event) -> int:
        row = self._rows.get((exchange, event.symbol))
        if row is None:
            row = self._rows[exchange, event.symbol] = self._new_row(exchange, event.symbol)
        if row in self._guessed and not isinstance(event, StatusEvent):
            self._refine(row, event.price_exponent, event.size_exponent)
        return row

    def _known(self, exchange: int, symbol: str) -> Known | None:
        if isinstance(self._recording, MixedRecording) and (i := self._recording.instruments.get((exchange, symbol))):
            return Known(i.tick, i.lot, i.multiplier, i.inverse)
        return self._instrument_of(symbol) if exchange == BINANCE else None

    def _new_row(self, exchange: int, symbol: str) -> int:
        known = self._known(exchange, symbol)
        if known:
            return add_row(
                self.listing, exchange, symbol, known.tick, known.lot, known.multiplier, inverse=known.inverse
            )
        inverse = exchange != COINBASE and "-USD-" in symbol
        worth = (1, 0)
        if inverse and exchange == BINANCE:
            # COIN-M: sizes are contracts of 100 USD for BTC and 10 USD for every other coin.
            worth = (100 if symbol.startswith("BTC-") else 10, 0)
        row = add_row(self.listing, exchange, symbol, (1, 0), (1, 0), worth, inverse=inverse)
        self._guessed.add(row)
        return row

    def _refine(self, row: int, price_exp: int, size_exp: int) -> None:
        """Make a guessed tick and lot as fine as the decimals seen, and say so before the next message."""
        r = self.listing.rows[row]
        if price_exp < r[TICK_EXP] or size_exp < r[LOT_EXP]:
            r[TICK_EXP], r[LOT_EXP] = min(price_exp, r[TICK_EXP]), min(size_exp, r[LOT_EXP])
            r[ANNOUNCED] = 0

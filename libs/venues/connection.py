"""What the connections of all venues have in common: counters, refusals, which books are valid, trades in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TypeVar

import msgspec

from libs.market.instruments import Instrument
from libs.units import normalise, parse_decimal
from libs.venues.core import Close, Output, Refused, Send, TopEvent
from libs.venues.events import (
    CUT_ASKS,
    CUT_BIDS,
    STATUS_SYMBOL_INVALID,
    STATUS_TRADES_MISSED,
    BookEvent,
    StatusEvent,
    TradeEvent,
)
from libs.venues.rows import Parsed

T = TypeVar("T")

MAX_MANTISSA = 2**63 - 1
PING_US, PONG_US = 20_000_000, 10_000_000
"""Between pings of a client, and for the answer to one."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(slots=True)
class Unit:
    """The coarsest exponents of a symbol's prices and sizes; ``seen`` where the decimals seen decide."""

    price: int = 0
    size: int = 0
    seen: bool = True


@dataclass(slots=True)
class Trades:
    """How far a symbol's trades have come; ``told``: that some were missed has been said already."""

    last: int = -1
    told: bool = False


def exact(text: str, unit: int) -> tuple[int, int]:
    """Return mantissa and exponent of a decimal in ``unit`` (at most 0), finer only when the value needs it.

    Raises
    ------
    ValueError
        When it is no decimal, or beyond 64 bits.
    """
    mantissa, exponent = normalise(*parse_decimal(text))
    shown = min(exponent, unit, 0) if mantissa else min(unit, 0)
    mantissa *= 10 ** (exponent - shown) if mantissa else 1
    if abs(mantissa) > MAX_MANTISSA:
        raise ValueError(f"expected a decimal within 64 bits, found {text[:40]!r}")
    return mantissa, shown


def text_id(text: str) -> int:
    """Return a trade's id: the number that it is, else a hash of 64 bits."""
    if text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def microseconds(time: datetime) -> int:
    """Return a venue's time; 0, none given, for one before 1970."""
    return max((time - _EPOCH) // _MICROSECOND, 0)


def batches(items: Iterable[T], limit: int) -> list[list[T]]:
    """Return the items in lists of at most ``limit``."""
    every = list(items)
    return [every[i : i + limit] for i in range(0, len(every), limit)]


class Connection:
    """State and helpers of a venue's connection; a venue's core adds its messages and rules.

    Parameters
    ----------
    symbols : sequence of str
        Canonical.
    native : callable
        Canonical to the venue's own.
    instruments : mapping of str to Instrument
        By canonical symbol: their steps are the units of events. A symbol without one has the decimals seen.

    Raises
    ------
    ValueError
        When a symbol has no name at the venue, or two have the same.
    """

    exchange = ""

    def __init__(
        self,
        symbols: Sequence[str],
        native: Callable[[str], str],
        instruments: Mapping[str, Instrument] | None = None,
    ) -> None:
        self.symbols: Sequence[str] = tuple(symbols)
        self.native = {symbol: native(symbol) for symbol in self.symbols}
        self.canonical = {name: symbol for symbol, name in self.native.items()}
        if len(self.canonical) != len(symbols):
            raise ValueError(f"expected each symbol of {self.exchange} once, found {len(symbols)} in {symbols[:4]!r} …")
        self.counts: Counter[str] = Counter()
        self.by_symbol: dict[str, Counter[str]] = {symbol: Counter() for symbol in self.symbols}
        self.unverifiable: list[str] = []
        self.valid: set[str] = set()
        self.trades = {symbol: Trades() for symbol in self.symbols}
        self.units = {symbol: Unit() for symbol in self.symbols}
        for symbol, instrument in (instruments or {}).items():
            if symbol in self.units:
                self.units[symbol] = Unit(min(instrument.tick[1], 0), min(instrument.lot[1], 0), seen=False)
        self._heard_us = 0
        self._alive_us = 0
        self._opened_us = self._ping_us = 0

    def received(self, message: bytes, now_us: int) -> list[Output]:
        """Return what one message makes; one that cannot be used is a Refused."""
        self._heard_us = now_us
        try:
            return self._take(message, now_us)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            return self._refused("message", error)

    def synchronised(self, symbol: str) -> bool:
        """Return whether the book stands on a snapshot with no gap since."""
        return symbol in self.valid

    def answered(self, symbol: str, body: bytes, now_us: int) -> list[Output]:
        """Pass over an answer: a venue that fetches says what becomes of it."""
        return self._ignored()

    def failed(self, symbol: str, now_us: int) -> list[Output]:
        """Pass over a failure: a venue that fetches says what becomes of it."""
        return self._ignored()

    def position(self, symbol: str) -> int:
        """Return the venue's id of the book as it is, where a witness channel has the same ids; -1: none."""
        return -1

    def last_heard_us(self) -> tuple[int, int]:
        """Return when the last message and the last sign of life came."""
        return self._heard_us, self._alive_us

    def closed(self, now_us: int) -> list[Output]:
        """The connection is gone: Status 2 for each valid book, Status 8 for trades."""
        self.counts["closed"] += 1
        return [
            output
            for symbol in self.symbols
            for output in (*self._lose(symbol, "disconnected", now_us), *self._trades_missed(symbol, "", now_us))
        ]

    def _opening(self, now_us: int) -> None:
        """Note that a connection begins."""
        self._opened_us = self._ping_us = self._alive_us = self._heard_us = now_us

    def _ping(self, text: str, now_us: int) -> list[Output]:
        """Return a ping when one is due; close when nothing at all came after the last."""
        if now_us - self._ping_us >= PING_US:
            self._ping_us = now_us
            return [Send(text)]
        if self._ping_us > max(self._heard_us, self._opened_us) and now_us - self._ping_us >= PONG_US:
            self._count("mute", None)
            self._ping_us = now_us
            return [Close(f"{self.exchange}: no answer to a ping")]
        return []

    def _take(self, message: bytes, now_us: int) -> list[Output]:
        """Read one message; what cannot be read is a DecodeError or a ValueError."""
        raise AssertionError(f"{self.exchange} reads no messages")

    def _refused(self, what: str, error: Exception, symbol: str | None = None) -> list[Output]:
        self._count("refused", symbol)
        return [Refused(f"{self.exchange} {what}{f' of {symbol}' if symbol else ''}: {error}")]

    def _ignored(self) -> list[Output]:
        self.counts["ignored"] += 1
        return []

    def _cannot_verify(self, line: str) -> None:
        if line not in self.unverifiable:
            self.unverifiable.append(line)

    def _count(self, what: str, symbol: str | None, n: int = 1) -> None:
        self.counts[what] += n
        if symbol is not None:
            self.by_symbol[symbol][what] += n

    def _lose(self, symbol: str, reason: str, now_us: int) -> list[Output]:
        """Take a book for invalid, and say so if it was valid."""
        if symbol not in self.valid:
            return []
        self.valid.discard(symbol)
        return [StatusEvent(symbol, STATUS_SYMBOL_INVALID, reason, now_us)]

    def _book(
        self, symbol: str, parsed: Parsed, exchange_us: int, now_us: int, *, snapshot: bool = False, limit: int = 0
    ) -> BookEvent:
        """Return the event; ``limit``: a side of a snapshot with as many levels goes on below its last one."""
        bids, asks, price_exp, size_exp, levels = parsed
        unit = self.units[symbol]
        if unit.seen:
            unit.price, unit.size = min(price_exp, unit.price), min(size_exp, unit.size)
        counts = self.by_symbol[symbol]
        counts["updates"] += bids + asks
        cut = 0
        if snapshot:
            counts["snapshots"] += 1
            if limit:
                cut = CUT_BIDS * (bids >= limit) | CUT_ASKS * (asks >= limit)
        return BookEvent(symbol, snapshot, price_exp, size_exp, bids, asks, levels, cut, exchange_us, now_us)

    def _fresh(self, event: BookEvent) -> list[Output]:
        """Return a snapshot of a channel of deltas: on a valid book it comes after Status 2."""
        status = self._lose(event.symbol, "new snapshot", event.feed_ts_us)
        self.valid.add(event.symbol)
        return [*status, event]

    def _trades_missed(self, symbol: str, text: str, now_us: int) -> list[Output]:
        """Say once, until the next print, that trades may be missing."""
        trades = self.trades[symbol]
        if trades.told:
            return []
        trades.told = True
        self._count("trade_gap", symbol)
        return [StatusEvent(symbol, STATUS_TRADES_MISSED, text or "disconnected", now_us)]

    def _print(
        self,
        symbol: str,
        numbers: tuple[int, int],
        trade_id: int,
        aggressor: int,
        price: str,
        size: str,
        exchange_us: int,
        now_us: int,
    ) -> list[Output]:
        """Return a print of the numbers from first to last: nothing for an old one, after Status 8 if some are missing.

        Raises
        ------
        ValueError
            When its price or size makes no sense.
        """
        trades, unit = self.trades[symbol], self.units[symbol]
        first, last = numbers
        price_m, price_exp = exact(price, unit.price)
        size_m, size_exp = exact(size, unit.size)
        if price_m <= 0 or size_m <= 0:
            raise ValueError(f"expected a price and a size above 0, found {price[:40]!r} and {size[:40]!r}")
        if last <= trades.last:
            self._count("trade_dropped", symbol)
            return []
        found: list[Output] = []
        if 0 <= trades.last < first - 1:
            found = self._trades_missed(symbol, f"before trade {first}", now_us)
        trades.last, trades.told = last, False
        self.by_symbol[symbol]["trades"] += 1
        found.append(TradeEvent(symbol, trade_id, aggressor, price_m, price_exp, size_m, size_exp, exchange_us, now_us))
        return found

    def _top(
        self, symbol: str, sequence: int, bid: tuple[str, str], ask: tuple[str, str], exchange_us: int, now_us: int
    ) -> TopEvent:
        """Return a witness's best prices and sizes; texts that are empty or 0 are an empty side."""
        self.by_symbol[symbol]["tops"] += 1
        values = [normalise(*parse_decimal(text or "0")) for text in (*bid, *ask)]
        for side in (0, 2):
            if values[side][0] < 0 or values[side + 1][0] < 0:
                raise ValueError(f"expected prices and sizes of at least 0, found {(*bid, *ask)!r}")
        return TopEvent(symbol, sequence, values[0], values[1], values[2], values[3], exchange_us, now_us)

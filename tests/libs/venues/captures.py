"""Recordings as (kind, microseconds, text), and a book in exact decimals: what the tests of venues share."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from libs.venues.core import Output, TopEvent, VenueCore
from libs.venues.events import BUYER, SELLER, BookEvent, StatusEvent, TradeEvent


def capture(path: Path) -> list[tuple[str, int, str, str]]:
    """Give kind, time, connection or url, and text of a file of capture lines, in the order of time."""
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    kept = [line for line in lines if "ts" in line and "data" in line]
    found = [(x["t"], round(x["ts"] * 1e6), x.get("url", x["conn"]), x["data"]) for x in kept]
    return sorted(found, key=lambda each: each[1])


def text_capture(path: Path) -> Iterator[tuple[int, str]]:
    """Give time and text of what was received in a text capture."""
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        stamp, _, text = line.partition(": ")
        if stamp.replace(".", "").isdigit():
            yield round(float(stamp) * 1e6), text


def compact(message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def value(mantissa: int, exponent: int) -> Decimal:
    return Decimal(mantissa).scaleb(exponent)


@dataclass
class Replayed:
    """The books of a core's events, and what else came out."""

    sides: dict[str, tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)
    outputs: list[Output] = field(default_factory=list)
    crossed: int = 0

    def take(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            self.outputs.append(output)
            self.kinds[type(output).__name__] += 1
            if isinstance(output, BookEvent):
                self._apply(output)

    def _apply(self, e: BookEvent) -> None:
        if e.snapshot:
            self.sides[e.symbol] = ({}, {})
        bids, asks = sides = self.sides[e.symbol]
        levels = e.levels.tolist()
        assert len(levels) == 2 * (e.bids + e.asks)
        for k in range(e.bids + e.asks):
            price, size = value(levels[2 * k], e.price_exponent), value(levels[2 * k + 1], e.size_exponent)
            side = sides[k >= e.bids]
            if size:
                side[price] = size
            else:
                side.pop(price, None)
        self.crossed += bool(bids and asks and max(bids) >= min(asks))

    def best(self, symbol: str) -> tuple[Decimal | None, Decimal | None]:
        bids, asks = self.sides[symbol]
        return max(bids, default=None), min(asks, default=None)

    def statuses(self) -> list[tuple[str, int]]:
        return [(o.symbol, o.code) for o in self.outputs if isinstance(o, StatusEvent)]


def shown(outputs: Iterable[Output]) -> list[Any]:
    """Give outputs as tuples of exact decimals: what vectors are compared with."""
    found: list[Any] = []
    for o in outputs:
        if isinstance(o, BookEvent):
            levels = o.levels.tolist()
            pairs = [
                (value(levels[2 * k], o.price_exponent), value(levels[2 * k + 1], o.size_exponent))
                for k in range(o.bids + o.asks)
            ]
            found.append(("book", o.symbol, o.snapshot, pairs[: o.bids], pairs[o.bids :], o.exchange_ts_us))
        elif isinstance(o, TradeEvent):
            price, size = value(o.price, o.price_exponent), value(o.size, o.size_exponent)
            found.append(("trade", o.symbol, o.trade_id, o.aggressor, price, size, o.exchange_ts_us))
        elif isinstance(o, TopEvent):
            sides = [value(*pair) for pair in (o.bid_price, o.bid_size, o.ask_price, o.ask_size)]
            found.append(("top", o.symbol, *sides, o.exchange_ts_us))
        elif isinstance(o, StatusEvent):
            found.append(("status", o.symbol, o.code))
        else:
            found.append(o)
    return found


def feed(core: VenueCore, *messages: Any, now_us: int = 1) -> list[Output]:
    """Give what a core makes of messages, one microsecond apart."""
    return [o for i, m in enumerate(messages) for o in core.received(compact(m), now_us + i)]


def vectors(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.open()]


def agrees(found: list[Any], symbol: str, expected: list[dict[str, Any]]) -> int:
    """Compare shown outputs with a vector's trades, best prices and books, in order; give how many were compared."""
    wanted: list[Any] = []
    for e in expected:
        if e["type"] == "trade":
            aggressor = BUYER if e["side"] == "buy" else SELLER
            wanted.append(("trade", symbol, int(e["id"]), aggressor, number(e["price"]), number(e["amount"])))
        elif e["type"] == "book_ticker":
            wanted.append(("top", symbol, *(number(e[k]) for k in ("bidPrice", "bidAmount", "askPrice", "askAmount"))))
        elif e["type"] == "book_change":
            sides = [[(number(x["price"]), number(x["amount"])) for x in e[side]] for side in ("bids", "asks")]
            wanted.append(("book", symbol, e["isSnapshot"], *sides))
    assert [f[: len(w)] for f, w in zip(found, wanted, strict=False)] == wanted
    return len(wanted)


def number(x: float | None) -> Decimal:
    """Give a vector's number, which JSON wrote in the shortest form; null is an empty side."""
    return Decimal(0) if x is None else Decimal(str(x))

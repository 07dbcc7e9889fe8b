"""Recordings of every kind as what happened to one symbol, read as the venues document them.

Binance goes through libs.storage, whose reading has an oracle of its own; the others are read here.
"""

from __future__ import annotations

import gzip
import json
import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from libs.storage.recording import BinanceRecording
from libs.venues.events import BUYER, SELLER, BookEvent, StatusEvent, TradeEvent
from tests.oracles.binance import Sides, integers
from tests.oracles.market import LAST, SNAPSHOT

CUT_BOTH = 3
AGGRESSOR = {BUYER: 1, SELLER: -1}


@dataclass(frozen=True)
class Book:
    """A book message: whole levels, in units of 10^unit."""

    snapshot: bool
    sides: tuple[list[tuple[int, int]], list[tuple[int, int]]]
    unit: tuple[int, int]
    cut: int
    feed_us: int

    @property
    def bits(self) -> int:
        """The flags of the message."""
        return LAST | (SNAPSHOT if self.snapshot else 0)


@dataclass(frozen=True)
class Print:
    """A trade: 1 bought, -1 sold, 0 unknown."""

    side: int
    size: int
    size_exp: int
    feed_us: int


@dataclass(frozen=True)
class Missed:
    """Prints were lost (wire.md, Status 8), or the book is no longer true (Status 2)."""

    code: int
    feed_us: int


Happened = Book | Print | Missed


def binance(paths: list[Path], symbol: str) -> Iterator[Happened]:
    """Yield what happened to a canonical symbol in collector files."""
    for _, event in BinanceRecording(paths).events():
        if event.symbol != symbol:
            continue
        if isinstance(event, BookEvent):
            levels = [tuple(level) for level in event.levels.reshape(-1, 2).tolist()]
            sides = levels[: event.bids], levels[event.bids :]
            yield Book(event.snapshot, sides, (event.price_exponent, event.size_exponent), event.cut, event.feed_ts_us)
        elif isinstance(event, TradeEvent):
            yield Print(AGGRESSOR.get(event.aggressor, 0), event.size, event.size_exponent, event.feed_ts_us)
        elif isinstance(event, StatusEvent):
            yield Missed(event.code, event.feed_ts_us)


def captured(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield (µs, message) of what a capture received, in order of time."""
    with gzip.open(path, "rt") as file:
        received = [line for line in map(json.loads, file) if line["t"] == "recv"]
    for line in sorted(received, key=lambda each: float(each["ts"])):
        yield int(float(line["ts"]) * 1e6), json.loads(line["data"])


def _book(snapshot: bool, bids: list[Any], asks: list[Any], cut: int, feed_us: int) -> Book:
    written: Sides = ([(p, q) for p, q, *_ in bids], [(p, q) for p, q, *_ in asks])
    sides, price_exp, size_exp = integers(written)
    return Book(snapshot, sides, (price_exp, size_exp), cut if snapshot else 0, feed_us)


def _print(side: int, size: str, feed_us: int) -> Print:
    digits = Decimal(size).as_tuple()
    assert isinstance(digits.exponent, int)
    return Print(side, int("".join(map(str, digits.digits))), digits.exponent, feed_us)


def bybit(path: Path, symbol: str) -> Iterator[Happened]:
    """Yield what happened to a symbol of Bybit v5: orderbook.200 and publicTrade; 200 levels of more."""
    for now, message in captured(path):
        topic, _, of = message.get("topic", "").rpartition(".")
        if of != symbol:
            continue
        if topic == "orderbook.200":
            data = message["data"]
            yield _book(message["type"] == "snapshot" or data["u"] == 1, data["b"], data["a"], CUT_BOTH, now)
        elif topic == "publicTrade":
            for trade in message["data"]:
                yield _print(1 if trade["S"] == "Buy" else -1, trade["v"], now)


def okx(path: Path, symbol: str) -> Iterator[Happened]:
    """Yield what happened to a symbol of OKX v5: books (400 levels) and trades."""
    for now, message in captured(path):
        argument = message.get("arg", {})
        if argument.get("instId") != symbol or "data" not in message:
            continue
        for data in message["data"]:
            if argument["channel"] == "books":
                yield _book(message["action"] == "snapshot", data["bids"], data["asks"], CUT_BOTH, now)
            elif argument["channel"] == "trades":
                yield _print(1 if data["side"] == "buy" else -1, data["sz"], now)


def bitstamp(path: Path, symbol: str) -> Iterator[Happened]:
    """Yield Bitstamp's 20-level books, each a snapshot, and its trades, whose aggressor it does not say."""
    assert symbol == "BTC-USD"
    with lzma.open(path, "rt") as file:
        for line in file:
            at, kind, body = line.split(" ", 2)
            if kind == "order_book":
                data = json.loads(body)
                yield _book(True, data["bids"], data["asks"], CUT_BOTH, int(at) * 1000)
            elif kind == "trade":
                yield _print(0, json.loads(body, parse_float=str)["amount"], int(at) * 1000)


MULTI = "binance/multi_20240808"
RECORDINGS: dict[str, Callable[[Path], Iterator[Happened]]] = {
    "binance spot BTC-USDT": lambda data: binance(sorted((data / MULTI).glob("spot_btcusdt_*")), "BTC-USDT"),
    "binance spot ETH-USDT": lambda data: binance(sorted((data / MULTI).glob("spot_ethusdt_*")), "ETH-USDT"),
    "binance COIN-M BTC": lambda data: binance(sorted((data / MULTI).glob("cm_btc*")), "BTC-USD-PERP"),
    "binance COIN-M ETH": lambda data: binance(sorted((data / MULTI).glob("cm_eth*")), "ETH-USD-PERP"),
    "binance spot NEXO-USDT": lambda data: binance([data / "binance/nexousdt_202407"], "NEXO-USDT"),
    "bybit linear BTCUSDT": lambda data: bybit(data / "bybit/bybit_v5_linear_20260809.jsonl.gz", "BTCUSDT"),
    "bybit linear SOLUSDT": lambda data: bybit(data / "bybit/bybit_v5_linear_20260809.jsonl.gz", "SOLUSDT"),
    "okx spot BTC-USDT": lambda data: okx(data / "okx/okx_books_20220513.jsonl.gz", "BTC-USDT"),
    "okx inverse BTC-USD-220527": lambda data: okx(data / "okx/okx_books_20220513.jsonl.gz", "BTC-USD-220527"),
    "bitstamp BTC-USD": lambda data: bitstamp(data / "bitstamp/bitstamp_btcusd_20150501.log.xz", "BTC-USD"),
}
"""What happened to a symbol, by what the recording is of; given the folder of recordings."""

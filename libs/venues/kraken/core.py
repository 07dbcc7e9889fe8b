"""Recorded connections of Kraken v1: books by checksum, trades. No I/O, no clock, and no wishes: it is only read.

Source: Kraken WebSockets API 1.8, *book*, *trade*, *Checksum*. A message is an array: channel number, one or two
payloads, the channel's name, the pair.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from zlib import crc32

import msgspec

from libs.market.instruments import Instrument
from libs.venues.checksum import TextBook
from libs.venues.connection import Connection
from libs.venues.core import Output
from libs.venues.events import BUYER, SELLER
from libs.venues.rows import PLAIN, RowParser

CHECKED_LEVELS = 10
SIDES = {"b": BUYER, "s": SELLER}
OWN_NAMES = {"XBT": "BTC", "XDG": "DOGE"}
_PAIR = re.compile(r"[A-Z0-9.]+/[A-Z0-9.]+")
_EMPTY = b"[]"
NOTHING = msgspec.Raw(b"")


class Payload(msgspec.Struct, frozen=True, gc=False):
    """``as`` and ``bs``: a snapshot; ``a`` and ``b``: changes; ``c``: the checksum after them."""

    asks: msgspec.Raw = msgspec.field(name="as", default=NOTHING)
    bids: msgspec.Raw = msgspec.field(name="bs", default=NOTHING)
    a: msgspec.Raw = NOTHING
    b: msgspec.Raw = NOTHING
    c: str | None = None


_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_payload = msgspec.json.Decoder(Payload).decode
_decode_rows = msgspec.json.Decoder(list[list[str]]).decode
_decode_text = msgspec.json.Decoder(str).decode


def canonical(symbol: str) -> str:
    """Return ``BTC-EUR`` of ``XBT/EUR``; ValueError when it is no pair."""
    if not _PAIR.fullmatch(symbol):
        raise ValueError(f"expected a pair such as XBT/EUR, found {symbol!r}")
    return "-".join(OWN_NAMES.get(word, word) for word in symbol.split("/"))


def native(symbol: str) -> str:
    """Return ``XBT/EUR`` of ``BTC-EUR``; ValueError when it is no canonical pair."""
    back = {word: own for own, word in OWN_NAMES.items()}
    words = symbol.split("-")
    if len(words) != 2:
        raise ValueError(f"expected a pair such as BTC-EUR, found {symbol!r}")
    return "/".join(back.get(word, word) for word in words)


def checksum(book: TextBook) -> int:
    """Return the unsigned CRC32 of the ten best asks, then bids: digits of price and size without leading zeros."""
    levels = [*book.asks.best(CHECKED_LEVELS), *book.bids.best(CHECKED_LEVELS)]
    return crc32("".join(text.replace(".", "").lstrip("0") for level in levels for text in level).encode())


class KrakenCore(Connection):
    """Recorded connections of Kraken v1.

    Parameters
    ----------
    symbols : sequence of str
        Canonical.
    instruments : mapping of str to Instrument
        Units by canonical symbol.
    """

    exchange = "kraken"

    def __init__(self, symbols: Sequence[str], instruments: Mapping[str, Instrument] | None = None) -> None:
        super().__init__(symbols, native, instruments)
        self._books = {symbol: TextBook() for symbol in self.symbols}
        self._parser = RowParser(PLAIN)

    def opened(self, now_us: int) -> list[Output]:
        """Begin."""
        self._heard_us = self._alive_us = now_us
        self._cannot_verify("books are continuous by their checksums of ten levels alone; trades carry no id")
        return []

    def tick(self, now_us: int) -> list[Output]:
        """Nothing is due."""
        return []

    def resync(self, symbol: str, reason: str, now_us: int) -> list[Output]:
        """Declare one book invalid until its next snapshot."""
        self._count("resync", symbol)
        return self._lose(symbol, reason, now_us)

    def _take(self, message: bytes, now_us: int) -> list[Output]:
        if not message.startswith(b"["):
            self._alive_us = now_us
            return self._ignored()
        parts = _decode_array(message)
        if len(parts) < 4:
            raise ValueError(f"expected channel, payload, name and pair, found {len(parts)} values")
        symbol = self.canonical.get(_decode_text(parts[-1]))
        channel = _decode_text(parts[-2])
        if symbol is None:
            return self._ignored()
        self.by_symbol[symbol]["messages"] += 1
        if channel == "trade":
            return self._prints(symbol, parts[1], now_us)
        if not channel.startswith("book"):
            return self._ignored()
        try:
            return self._change(symbol, parts[1:-2], int(channel.partition("-")[2] or "10"), now_us)
        except (msgspec.DecodeError, ValueError) as error:
            return self._refused(channel, error, symbol) + self.resync(symbol, "message refused", now_us)

    def _change(self, symbol: str, payloads: list[msgspec.Raw], depth: int, now_us: int) -> list[Output]:
        bids, asks, told, snapshot = _EMPTY, _EMPTY, None, False
        for raw in payloads:
            p = _decode_payload(raw)
            snapshot = snapshot or bool(p.asks or p.bids)
            bids, asks = bytes(p.bids or p.b or bids), bytes(p.asks or p.a or asks)
            told = p.c or told
        if not snapshot and symbol not in self.valid:
            self._count("before_snapshot", symbol)
            return []
        unit = self.units[symbol]
        parsed = self._parser.parse(memoryview(bids), memoryview(asks), unit.price, unit.size)
        book, rows = self._books[symbol], (_decode_rows(bids), _decode_rows(asks))
        if snapshot:
            book.replace(*rows)
        else:
            book.put(*rows)
        for side in (book.bids, book.asks):
            # No message tells of a level that is pushed out.
            side.drop_beyond(depth)
        if told is None:
            self._count("checksum_absent", symbol)
        elif int(told) == checksum(book):
            self._count("checksum_ok", symbol)
        else:
            self._count("checksum_bad", symbol)
            return self.resync(symbol, "checksum", now_us)
        stamps = [row[2] for side in rows for row in side if len(row) > 2]
        exchange_us = max((int(Decimal(stamp) * 1_000_000) for stamp in stamps), default=0)
        event = self._book(symbol, parsed, exchange_us, now_us, snapshot=snapshot, limit=depth)
        return self._fresh(event) if snapshot else [event]

    def _prints(self, symbol: str, payload: msgspec.Raw, now_us: int) -> list[Output]:
        found: list[Output] = []
        try:
            for price, size, stamp, side, *_ in _decode_rows(payload):
                if side not in SIDES:
                    raise ValueError(f"expected side b or s, found {side!r}")
                number = self.trades[symbol].last + 1
                exchange_us = int(Decimal(stamp) * 1_000_000)
                found += self._print(
                    symbol, (number, number), number, SIDES[side], price, size, exchange_us, now_us
                )  # fmt: skip
        except (msgspec.DecodeError, ValueError, ArithmeticError) as error:
            found += self._refused("trade", error, symbol) + self._trades_missed(symbol, "refused", now_us)
        return found

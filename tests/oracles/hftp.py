"""HFTP as wire.md states it, with struct and dictionaries: a decoder and a book that follows what is sent."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

BOOK, TRADE, HEARTBEAT, STATUS, INSTRUMENT = range(5)
SNAPSHOT, LAST, BAD, REFRESH = 1, 2, 4, 8
SCALE = 20


@dataclass
class Message:
    """One message: header, and the body's fields by name."""

    sequence: int
    timestamp_us: int
    exchange: int
    kind: int
    symbol: str
    body: dict[str, Any]
    size: int


def messages(data: bytes) -> Iterator[Message]:
    """Yield the messages of a datagram, or of many in a row; anything wrong raises."""
    at = 0
    while at < len(data):
        magic, sequence, timestamp, exchange, kind, length = struct.unpack_from("<IQqBBH", data, at)
        assert magic == 0x48465450
        symbol = data[at + 24 : at + 24 + length].decode()
        body, size = _body(kind, data, at + 24 + length)
        yield Message(sequence, timestamp, exchange, kind, symbol, body, 24 + length + size)
        at += 24 + length + size


def _body(kind: int, data: bytes, at: int) -> tuple[dict[str, Any], int]:
    if kind == BOOK:
        names = ("flags", "price_exp", "size_exp", "cut", "n_bids", "n_asks", "exchange_us", "feed_us")
        body = dict(zip(names, struct.unpack_from("<BbbBHHqq", data, at), strict=True))
        n = body["n_bids"] + body["n_asks"]
        words = struct.unpack_from(f"<{2 * n}q", data, at + 24)
        levels = list(zip(words[::2], words[1::2], strict=True))
        body["bids"], body["asks"] = levels[: body["n_bids"]], levels[body["n_bids"] :]
        return body, 24 + 16 * n
    if kind == TRADE:
        names = ("flags", "price_exp", "size_exp", "reserved", "id", "exchange_us", "feed_us", "price", "size")
        return dict(zip(names, struct.unpack_from("<BbbBQqqqq", data, at), strict=True)), 44
    if kind == HEARTBEAT:
        return dict(zip(("session", "next", "feed_us"), struct.unpack_from("<QQq", data, at), strict=True)), 24
    if kind == STATUS:
        code, _, length = struct.unpack_from("<BBH", data, at)
        return {"code": code, "text": data[at + 4 : at + 4 + length].decode()}, 4 + length
    names = ("flags", "tick_exp", "lot_exp", "multiplier_exp", "tick", "lot", "multiplier")
    return dict(zip(names, struct.unpack_from("<Bbbbqqq", data, at), strict=True)), 28


@dataclass
class PlainBook:
    """Bids and asks in units of 1e-SCALE; ``cut`` and known ends as the last whole snapshot said."""

    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)
    known: list[int | None] = field(default_factory=lambda: [None, None])
    valid: bool = False
    parts: list[Message] = field(default_factory=list)

    def take(self, m: Message) -> bool:
        """Take one part; True when it completed an event of the venue."""
        if m.body["flags"] & SNAPSHOT:
            assert not self.parts
        self.parts.append(m)
        if not m.body["flags"] & LAST:
            return False
        parts, self.parts = self.parts, []
        bids, asks = (levels_of(parts, name) for name in ("bids", "asks"))
        first = parts[0].body
        if first["flags"] & REFRESH:
            self.compare(first["cut"], bids, asks)
            return False
        if first["flags"] & SNAPSHOT:
            self.bids, self.asks, self.valid = {}, {}, True
            self.known = [bids[-1][0] if first["cut"] & 1 else None, asks[-1][0] if first["cut"] & 2 else None]
        assert self.valid
        for side, changes in ((self.bids, bids), (self.asks, asks)):
            for price, size in changes:
                if size:
                    side[price] = size
                else:
                    side.pop(price, None)
        return True

    def compare(self, cut: int, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
        """Assert that a REFRESH shows this book, as far as it says that it knows it."""
        assert self.valid
        mine = (sorted(self.bids.items(), reverse=True), sorted(self.asks.items()))
        for side, sent in enumerate((bids, asks)):
            end = self.known[side]
            if end is not None:
                assert cut >> side & 1
                mine[side][:] = [x for x in mine[side] if (x[0] >= end if side == 0 else x[0] <= end)]
            assert sent == (mine[side][: len(sent)] if cut >> side & 1 else mine[side])
            assert len(sent) >= min(len(mine[side]), 1024)

    @property
    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask."""
        return bool(self.bids and self.asks) and max(self.bids) >= min(self.asks)


def levels_of(parts: list[Message], name: str) -> list[tuple[int, int]]:
    """Return the levels of a side of all parts, exact."""
    found = []
    for m in parts:
        price, size = 10 ** (SCALE + m.body["price_exp"]), 10 ** (SCALE + m.body["size_exp"])
        found += [(p * price, s * size) for p, s in m.body[name]]
    return found

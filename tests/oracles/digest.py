"""The links of a digest in plain Python, by mmh3, from messages: events, and books of whole snapshots."""

from __future__ import annotations

import struct
from collections import defaultdict
from typing import Any

import mmh3

from libs.wire.messages import OrderBook, Trade

SNAPSHOT, LAST, REFRESH = 1, 2, 8
CROSSED, ONE_SIDED = 1 << 10, 1 << 11
ZERO = bytes(16)


def hashed(data: bytes) -> bytes:
    """Return MurmurHash3_x64_128 with seed 0."""
    found: bytes = mmh3.hash_bytes(data, 0, x64arch=True)
    return found


def words(*numbers: int) -> bytes:
    """Return 64-bit words."""
    return b"".join(struct.pack("<q", number) for number in numbers)


def levels(of: Any) -> bytes:
    """Return the hash of (price, size) pairs in their order."""
    return hashed(b"".join(words(price, size) for price, size in of))


class OracleDigest:
    """Chains by (exchange, symbol): every link so far."""

    def __init__(self) -> None:
        self.events: dict[tuple[int, str], list[bytes]] = defaultdict(list)
        self.books: dict[tuple[int, str], list[bytes]] = defaultdict(list)
        self._open: dict[tuple[int, str], list[OrderBook]] = defaultdict(list)
        self._sides: dict[tuple[int, str], tuple[dict[int, int], dict[int, int]]] = {}

    def take(self, message: Any) -> None:
        """Take in a message as it is sent."""
        if isinstance(message, Trade):
            m = message
            self._link(
                self.events,
                m,
                words(1 | m.flags << 8, m.price_exponent & 0xFF | (m.size_exponent & 0xFF) << 8, m.feed_timestamp_us)
                + words(m.exchange_timestamp_us, m.trade_id, m.price, m.size, 0),
            )
        elif isinstance(message, OrderBook) and not message.flags & REFRESH:
            key = (message.exchange_id, message.symbol)
            self._open[key].append(message)
            if message.flags & LAST:
                self._event(key, self._open.pop(key))

    def _link(self, chains: dict[tuple[int, str], list[bytes]], message: Any, record: bytes) -> None:
        chain = chains[message.exchange_id, message.symbol]
        chain.append(hashed((chain[-1] if chain else ZERO) + record))

    def _event(self, key: tuple[int, str], parts: list[OrderBook]) -> None:
        first, last = parts[0], parts[-1]
        bids = [level for part in parts for level in part.bids]
        asks = [level for part in parts for level in part.asks]
        flags = 0
        for part in parts:
            flags |= part.flags
        units = first.price_exponent & 0xFF | (first.size_exponent & 0xFF) << 8
        record = words(
            flags << 8,
            units | first.cut << 16,
            last.feed_timestamp_us,
            last.exchange_timestamp_us,
            len(bids),
            len(asks),
        )
        self._link(self.events, last, record + levels(bids) + levels(asks))
        sides = ({}, {}) if flags & SNAPSHOT else self._sides[key]
        for side, changes in zip(sides, (bids, asks), strict=True):
            for price, size in changes:
                side[price] = size
                if size == 0:
                    del side[price]
        self._sides[key] = sides
        best = sorted(sides[0].items(), reverse=True), sorted(sides[1].items())
        shape = ONE_SIDED if not (best[0] and best[1]) else CROSSED if best[0][0][0] >= best[1][0][0] else 0
        counts = [len(side) for side in best]
        record = words(shape, units, last.feed_timestamp_us, last.exchange_timestamp_us, *counts, 0, 0, 0, 0)
        self._link(self.books, last, record + levels(best[0]) + levels(best[1]))

"""Write the small recordings of tests/data/binance: a made-up spot market over two days and a COIN-M contract.

They are what a collector would have written: deltas before the snapshot, a ticker for every update, no gap. Run it
again after a change; the lines are the same for the same code.
"""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "data" / "binance"
START_NS = 1_723_161_590_000_000_000
MESSAGES = 400


class Market:
    """A book of whole ticks that walks, and the messages that a venue sends about it."""

    def __init__(self, symbol: str, *, futures: bool, middle: int, tick: int, places: int, seed: int) -> None:
        self.symbol, self.futures, self.tick, self.places = symbol, futures, tick, places
        self.random = random.Random(seed)
        self.middle = middle
        self.bids = {middle - k: self.size() for k in range(1, 60)}
        self.asks = {middle + k: self.size() for k in range(1, 60)}
        self.last = self.previous = 1000
        self.trade_id = 500

    def size(self) -> int:
        """Return a size in lots."""
        return self.random.randint(1, 5000)

    def text(self, ticks: int) -> str:
        """Return a price as the venue writes it."""
        value = ticks * self.tick
        return f"{value // 10**self.places}.{value % 10**self.places:0{self.places}d}"

    def lots(self, size: int) -> str:
        """Return a size as the venue writes it: contracts, or decimals padded to eight places."""
        return str(size) if self.futures else f"{size // 1000}.{size % 1000:03d}00000"

    def change(self) -> tuple[list[list[str]], list[list[str]]]:
        """Move the market a little and return the levels that changed."""
        self.middle += self.random.choice((-1, 0, 0, 1))
        changed: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for side, book in enumerate((self.bids, self.asks)):
            for price in [p for p in book if (p >= self.middle if side == 0 else p <= self.middle)]:
                del book[price]
                changed[side][price] = 0
            for _ in range(self.random.randint(1, 4)):
                away = self.random.randint(1, 40)
                price = self.middle - away if side == 0 else self.middle + away
                book[price] = changed[side][price] = self.size()
            best = self.middle - 1 if side == 0 else self.middle + 1
            book[best] = changed[side][best] = self.size()
        bids, asks = ([[self.text(p), self.lots(s)] for p, s in sorted(c.items())] for c in changed)
        return bids, asks

    def depth(self, ms: int) -> str:
        """Return the next diff."""
        bids, asks = self.change()
        first, self.previous = self.last + 1, self.last
        self.last += self.random.randint(1, 9)
        m = {"e": "depthUpdate", "E": ms, "s": self.symbol, "U": first, "u": self.last}
        if self.futures:
            m |= {"T": ms - 3, "pu": self.previous}
        return self.wrap("depth@100ms", m | {"b": bids, "a": asks})

    def trade(self, ms: int) -> str:
        """Return a print at the touch."""
        self.trade_id += 1
        bought = self.random.random() < 0.5
        book, best = (self.asks, min(self.asks)) if bought else (self.bids, max(self.bids))
        size = max(1, book[best] // 3)
        m = {"e": "trade", "E": ms, "T": ms, "s": self.symbol, "t": self.trade_id}
        return self.wrap("trade", m | {"p": self.text(best), "q": self.lots(size), "m": not bought})

    def ticker(self) -> str:
        """Return the best prices as of the last update."""
        bid, ask = max(self.bids), min(self.asks)
        m = {"u": self.last, "s": self.symbol, "b": self.text(bid), "B": self.lots(self.bids[bid])}
        return self.wrap("bookTicker", m | {"a": self.text(ask), "A": self.lots(self.asks[ask])})

    def snapshot(self) -> str:
        """Return the REST snapshot as of the last update."""
        m = {"lastUpdateId": self.last} | ({"symbol": self.symbol} if self.futures else {})
        sides = ((self.bids, True), (self.asks, False))
        bids, asks = ([[self.text(p), self.lots(b[p])] for p in sorted(b, reverse=down)] for b, down in sides)
        return json.dumps(m | {"bids": bids, "asks": asks})

    def wrap(self, channel: str, data: object) -> str:
        """Return a message of a combined stream."""
        return json.dumps({"stream": f"{self.symbol.lower()}@{channel}", "data": data}, separators=(",", ":"))


def recording(market: Market) -> list[str]:
    """Return the lines of a recording: a few deltas, a snapshot behind the first of them, then the rest."""
    time_ns, lines = START_NS, []
    late = ""
    for k in range(MESSAGES):
        time_ns += market.random.randint(1_000_000, 90_000_000)
        ms = time_ns // 1_000_000 + 1270
        messages = [market.depth(ms), market.ticker()] if k % 3 else [market.trade(ms)]
        if k == 2:
            late = market.snapshot()
        if k == 5:
            messages.append(late)
        lines += [f"{time_ns + i} {m}" for i, m in enumerate(messages)]
    return lines


def write(name: str, lines: list[str]) -> None:
    """Write a gzip that is the same on every machine."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = "".join(line + "\n" for line in lines).encode()
    (FOLDER / name).write_bytes(gzip.compress(text, 9, mtime=0))


def main() -> None:
    """Write all files."""
    spot = recording(Market("BTCUSDT", futures=False, middle=6_180_000, tick=1, places=2, seed=1))
    write("spot_btcusdt_20240808.gz", spot[:300])
    write("spot_btcusdt_20240809.gz", spot[300:])
    write(
        "cm_btcusd_perp_20240808.gz",
        recording(Market("BTCUSD_PERP", futures=True, middle=618_000, tick=1, places=1, seed=2)),
    )


if __name__ == "__main__":
    main()

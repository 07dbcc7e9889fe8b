"""Binance collector files, read as the venue documents them and independently of libs.venues."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Sides = tuple[list[tuple[str, str]], list[tuple[str, str]]]


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the messages of one file."""
    with gzip.open(path, "rt") as file:
        for line in file:
            yield json.loads(line.split(" ", 1)[1])


def spot_events(path: Path) -> Iterator[tuple[str, int, Any]]:
    """Yield ("snapshot" or "delta", update id, sides) and ("ticker", update id, best bid, size, best ask, size).

    Deltas before the snapshot are kept back and follow it, as far as they are newer; a gap raises.
    """
    kept: list[dict[str, Any]] = []
    last: int | None = None
    for message in lines(path):
        if "stream" not in message:
            last = message["lastUpdateId"]
            yield "snapshot", last, (message["bids"], message["asks"])
            news, kept = kept, []
        elif message["stream"].endswith("@bookTicker"):
            data = message["data"]
            yield "ticker", data["u"], [(data["b"], data["B"]), (data["a"], data["A"])]
            continue
        elif "@depth" in message["stream"]:
            news = [message["data"]]
        else:
            continue
        for data in news:
            if last is None:
                kept.append(data)
            elif data["u"] > last:
                if data["U"] > last + 1:
                    raise ValueError(f"gap: {last} then {data['U']}")
                last = data["u"]
                yield "delta", last, (data["b"], data["a"])


def integers(sides: Sides) -> tuple[tuple[list[tuple[int, int]], list[tuple[int, int]]], int, int]:
    """Return sides as mantissas, and the exponents of prices and sizes: the most decimals written."""
    every = [level for side in sides for level in side]
    exponents = [-max((len(level[k].partition(".")[2]) for level in every), default=0) for k in range(2)]

    def mantissa(text: str, exponent: int) -> int:
        whole, _, decimals = text.partition(".")
        return int(whole + decimals) * 10 ** (-exponent - len(decimals))

    bids, asks = ([(mantissa(p, exponents[0]), mantissa(q, exponents[1])) for p, q in side] for side in sides)
    return (bids, asks), exponents[0], exponents[1]

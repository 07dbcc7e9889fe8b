"""Binance's cores over vectors of others, and what they make of a recorded list of instruments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from libs.venues.binance import COINM, SPOT, USDM, BinanceCore
from tests.libs.venues.captures import agrees, capture, compact, shown, vectors

pytestmark = pytest.mark.recordings
REPEATED = 7
"""A diff of the same ids as the one before it, with a pu that none has: the mapper judges neither."""


def folded(found: list[Any]) -> Any:
    """Give a snapshot with the kept diffs in it, as the vectors have it."""
    kind, symbol, snapshot, *sides, exchange_us = found[0]
    for diff in found[1:]:
        for k in (0, 1):
            sides[k] = list((dict(sides[k]) | dict(diff[3 + k])).items())
    return (kind, symbol, snapshot, *sides, exchange_us)


@pytest.mark.parametrize(("name", "rules", "wanted"), [("spot", SPOT, 7), ("usdm", USDM, 4)])
def test_vectors(recordings: Path, name: str, rules: Any, wanted: int) -> None:
    """Trades, best prices and books of the mapping tests, value by value; snapshots come in a stream there."""
    compared = 0
    cores: dict[str, BinanceCore] = {}
    for vector in vectors(recordings / f"vectors/normalised_binance-{name}.jsonl"):
        native, _, channel = vector["message"]["stream"].partition("@")
        symbol = rules.canonical(native)
        if symbol not in cores:
            cores[symbol] = BinanceCore([symbol], rules=rules)
            cores[symbol].opened(0)
        core, data = cores[symbol], vector["message"]["data"]
        if channel == "depthSnapshot":
            found = [folded(shown(core.answered(symbol, compact(data), 1)))]
        else:
            # Trades of other years lie between those of the vectors: Status 8.
            every = shown(core.received(compact(vector["message"]), 1))
            found = [f for f in every if isinstance(f, tuple) and f[0] != "status"]
        expected = [e for e in vector["expected"] if e["type"] in ("trade", "book_change", "book_ticker")]
        if (name, vector["i"]) == ("usdm", REPEATED):
            assert core.by_symbol[symbol]["old"] == 1
            continue
        assert len(found) == len(expected), vector["i"]
        compared += agrees(found, symbol, expected)
    assert compared == wanted


FILES = [
    ("binance/captures/binance_spot_20211012.jsonl.gz", SPOT),
    ("binance/captures/binance_usdm_20210722.jsonl.gz", USDM),
    ("binance/captures/binance_coinm_20210722.jsonl.gz", COINM),
    ("binanceus/binanceus_20211012.jsonl.gz", SPOT),
]


@pytest.mark.parametrize(("path", "rules"), FILES)
def test_recorded_lists_of_instruments(recordings: Path, path: str, rules: Any) -> None:
    """Every name leads there and back, once; the recording's own symbols are in it."""
    lines = capture(recordings / path)
    (text,) = (text for kind, _, url, text in lines if kind == "http" and "exchangeInfo" in url)
    listed = rules.instruments(text.encode())
    names = {i.symbol for _, i in listed}
    assert len(names) == len(listed) > 30
    assert all(rules.native(i.symbol) == name and i.tick[0] > 0 and i.lot[0] > 0 for name, i in listed)
    recorded = {url.partition("symbol=")[2].partition("&")[0] for kind, _, url, _ in lines if "/depth?" in url}
    assert recorded <= {name for name, _ in listed}
    assert {i.inverse for _, i in listed} == {rules is COINM}

"""Bybit's core over vectors of others, and what it makes of a recorded list of instruments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from libs.venues.bybit import INVERSE, LINEAR, BybitCore
from libs.venues.connection import text_id
from tests.libs.venues.captures import agrees, capture, compact, shown, vectors

pytestmark = pytest.mark.recordings


def test_vectors_of_v5(recordings: Path) -> None:
    """Trades and books of the mapping tests, value by value; those of v2 and of one level are not spoken."""
    compared = 0
    cores: dict[str, BybitCore] = {}
    for vector in vectors(recordings / "vectors/normalised_bybit.jsonl"):
        topic = vector["message"].get("topic", "")
        if not topic.startswith(("publicTrade.", "orderbook.50.")):
            continue
        name = topic.rpartition(".")[2]
        rules = INVERSE if name.endswith("USD") else LINEAR
        symbol = rules.canonical(name)
        if symbol not in cores:
            cores[symbol] = BybitCore([symbol], rules=rules, depth=50)
            cores[symbol].opened(0)
        expected: list[dict[str, Any]] = vector["expected"]
        for e in expected:
            if e["type"] == "trade":
                e["id"] = text_id(e["id"])
        found = shown(cores[symbol].received(compact(vector["message"]), 1))
        assert len(found) == len(expected)
        compared += agrees(found, symbol, expected)
    assert compared == 6


def test_the_recorded_list_of_instruments(recordings: Path) -> None:
    """Every name leads there and back, once."""
    lines = capture(recordings / "bybit/bybit_v5_linear_20260809.jsonl.gz")
    (text,) = (text for kind, _, url, text in lines if kind == "http" and "instruments-info" in url)
    listed = LINEAR.instruments(text.encode())
    by_name = {name: str(i) for name, i in listed}
    assert len({i.symbol for _, i in listed}) == len(listed) > 100
    assert all(LINEAR.native(i.symbol) == name for name, i in listed)
    assert by_name["BTCUSDT"] == "bybit BTC-USDT-PERP: tick 0.1, lot 0.001, multiplier 1, linear"

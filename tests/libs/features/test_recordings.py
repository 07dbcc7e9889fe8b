"""Every feature at every event of recorded markets, against the exact oracle."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.features.definitions import COLUMNS
from tests.oracles.compared import compare

EVENTS = {
    "binance spot BTC-USDT": 700,
    "binance spot ETH-USDT": 150,
    "binance COIN-M BTC": 700,
    "binance COIN-M ETH": 150,
    "binance spot NEXO-USDT": 900,
    "bybit linear BTCUSDT": 414,
    "bybit linear SOLUSDT": 383,
    "okx spot BTC-USDT": 98,
    "okx inverse BTC-USD-220527": 99,
    "bitstamp BTC-USD": 700,
}
"""Book messages of each, so that a test takes seconds; ``python -m tests.oracles.compared`` goes to the end."""


@pytest.mark.recordings
@pytest.mark.parametrize("name", EVENTS)
def test_a_recording_is_as_defined(name: str, recordings: Path) -> None:
    """A book of 8,192 levels has the oracle's row at every event, the incomplete bits too."""
    found = compare(name, recordings, EVENTS[name])
    print(f"{name}: {found}")
    assert found.rows >= EVENTS[name] - 1
    assert found.values == found.rows * len(COLUMNS)
    assert found.defined > 0.8 * found.values
    assert found.exact > 0.85 * found.defined


@pytest.mark.recordings
@pytest.mark.parametrize("name", ["binance spot BTC-USDT", "binance COIN-M BTC"])
def test_whole_rows_are_those_of_an_unlimited_book(name: str, recordings: Path) -> None:
    """Where a book of the default depth says that its row is whole, a book that forgets nothing has the same row."""
    found = compare(name, recordings, 250, depth=1_024, unlimited=True)
    print(f"{name}: {found}")
    assert found.rows + found.left_out >= 249
    assert found.rows > 0

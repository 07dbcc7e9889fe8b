"""Instrument files."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.errors import ConfigError
from libs.market.instruments import Instrument, from_decimals, load_folder, load_instruments

ROOT = Path(__file__).resolve().parents[3]


def test_the_files_that_ship_know_the_recorded_symbols() -> None:
    """Ticks, lots and multipliers of what the recordings hold are exact; COIN-M contracts are inverse."""
    known = load_folder(ROOT / "config/instruments")
    assert {exchange for exchange, _ in known} == {"binance", "bybit", "coinbase", "okx", "deribit"}
    assert known["binance", "NEXO-USDT"] == Instrument("NEXO-USDT", "binance", (1, -3), (1, -2))
    assert known["binance", "BTC-USDT"] == Instrument("BTC-USDT", "binance", (1, -2), (1, -5))
    assert known["binance", "ETH-USDT"] == Instrument("ETH-USDT", "binance", (1, -2), (1, -4))
    assert known["binance", "BTC-USDT-PERP"] == Instrument("BTC-USDT-PERP", "binance", (1, -1), (1, -3))
    assert known["binance", "ETH-USDT-PERP"] == Instrument("ETH-USDT-PERP", "binance", (1, -2), (1, -3))
    assert known["binance", "BTC-USD-PERP"] == Instrument("BTC-USD-PERP", "binance", (1, -1), (1, 0), (1, 2), True)
    assert known["binance", "ETH-USD-PERP"] == Instrument("ETH-USD-PERP", "binance", (1, -2), (1, 0), (1, 1), True)
    assert known["deribit", "BTC-USD-PERP"].tick == (5, -1)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('{"exchange": "nyse", "instruments": []}', "exchange"),
        (
            '{"exchange": "okx", "instruments": [{"symbol": "A", "tick_size": "0", "lot_size": "1"}]}',
            "instruments[0].tick_size",
        ),
        (
            '{"exchange": "okx", "instruments": [{"symbol": "A", "tick_size": "1", "lot_size": "1"},'
            '{"symbol": "A", "tick_size": "1", "lot_size": "1"}]}',
            "instruments[1].symbol",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, key: str) -> None:
    """An unknown exchange, a zero step and a symbol that stands twice are refused by key."""
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_instruments(path)
    assert caught.value.key == key


def test_without_a_file_the_decimals_seen_are_the_steps() -> None:
    """Steps are one in the last decimal seen; a contract in USD is inverse."""
    assert from_decimals("ABC-USDT", "binance", -4, -1) == Instrument("ABC-USDT", "binance", (1, -4), (1, -1))
    assert from_decimals("ABC-USD-PERP", "binance", -3, 0).inverse
    assert not from_decimals("ABC-USD", "coinbase", -3, 0).inverse
    assert not from_decimals("ABC-USDT-PERP", "binance", -3, 0).inverse

"""Binance's symbols and the canonical ones."""

from __future__ import annotations

import pytest

from libs.venues.binance import Market, canonical


@pytest.mark.parametrize(
    ("symbol", "market", "expected"),
    [
        ("btcusdt", Market.SPOT, "BTC-USDT"),
        ("NKNUSDT", Market.SPOT, "NKN-USDT"),
        ("BLZETH", Market.SPOT, "BLZ-ETH"),
        ("RUNEEUR", Market.SPOT, "RUNE-EUR"),
        ("BTCUSDT", Market.USDM, "BTC-USDT-PERP"),
        ("1000SHIBUSDT", Market.USDM, "1000SHIB-USDT-PERP"),
        ("BTCUSDT_240927", Market.USDM, "BTC-USDT-20240927"),
        ("BTCUSD_PERP", Market.COINM, "BTC-USD-PERP"),
        ("btcusd_211231", Market.COINM, "BTC-USD-20211231"),
    ],
)
def test_canonical_symbols(symbol: str, market: Market, expected: str) -> None:
    """Spot, perpetual and dated contracts have one name each, whatever the case."""
    assert canonical(symbol, market) == expected


@pytest.mark.parametrize("symbol", ["USDT", "BTCXYZ", ""])
def test_unknown_quote_currency_is_refused(symbol: str) -> None:
    """A pair that cannot be split is an error that names it."""
    with pytest.raises(ValueError, match=f"'{symbol}'"):
        canonical(symbol, Market.SPOT)

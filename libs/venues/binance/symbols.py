"""Binance's names of markets and symbols."""

from __future__ import annotations

import re
from enum import Enum

QUOTES = (
    "USDT",
    "FDUSD",
    "USDC",
    "BUSD",
    "TUSD",
    "USDP",
    "DAI",
    "EUR",
    "GBP",
    "TRY",
    "BRL",
    "JPY",
    "AUD",
    "USD",
    "BTC",
    "ETH",
    "BNB",
)
"""Quote currencies, a longer one before one that it ends with."""

_DATED = re.compile(r"^(?P<pair>[A-Z0-9]+)_(?P<yymmdd>\d{6})$")


class Market(Enum):
    """One of Binance's books of rules; the value is a collector file's prefix."""

    SPOT = "spot"
    USDM = "usdm"
    COINM = "cm"

    @property
    def futures(self) -> bool:
        """Whether ``pu`` proves continuity."""
        return self is not Market.SPOT


def _split(pair: str) -> str:
    for quote in QUOTES:
        if pair.endswith(quote) and len(pair) > len(quote):
            return f"{pair[: -len(quote)]}-{quote}"
    raise ValueError(f"no known quote currency in {pair!r}")


def canonical(symbol: str, market: Market) -> str:
    """Return the canonical symbol: ``BTC-USDT``, ``BTC-USDT-PERP``, ``BTC-USD-PERP`` or ``BTC-USD-20211231``.

    Parameters
    ----------
    symbol : str
        As Binance writes it, in any case: ``btcusdt``, ``BTCUSD_PERP``, ``BTCUSD_211231``.
    market : Market
        Spot, USD-M or COIN-M.

    Raises
    ------
    ValueError
        When the pair has no quote currency that is known.
    """
    name = symbol.upper()
    if market is Market.SPOT:
        return _split(name)
    dated = _DATED.match(name)
    if dated:
        return f"{_split(dated['pair'])}-20{dated['yymmdd']}"
    return f"{_split(name.removesuffix('_PERP'))}-PERP"

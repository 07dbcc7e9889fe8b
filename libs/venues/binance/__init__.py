"""Binance spot, USD-M and COIN-M."""

from libs.venues.binance.core import BinanceCore
from libs.venues.binance.feed import SymbolFeed, Units
from libs.venues.binance.rules import COINM, SPOT, USDM, Rules
from libs.venues.binance.splice import Diff, Splice, Verdict
from libs.venues.binance.symbols import Market, canonical

__all__ = [
    "COINM",
    "SPOT",
    "USDM",
    "BinanceCore",
    "Diff",
    "Market",
    "Rules",
    "Splice",
    "SymbolFeed",
    "Units",
    "Verdict",
    "canonical",
]

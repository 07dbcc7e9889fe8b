"""Binance spot, USD-M and COIN-M."""

from libs.venues.binance.feed import SymbolFeed, Units
from libs.venues.binance.splice import Diff, Splice, Verdict
from libs.venues.binance.symbols import Market, canonical

__all__ = ["Diff", "Market", "Splice", "SymbolFeed", "Units", "Verdict", "canonical"]

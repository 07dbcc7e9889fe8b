"""Coinbase: Advanced Trade and Exchange, spot."""

from libs.venues.coinbase.core import CoinbaseCore
from libs.venues.coinbase.exchange import ExchangeCore
from libs.venues.coinbase.symbols import ADVANCED, EXCHANGE, Rules, canonical

__all__ = ["ADVANCED", "EXCHANGE", "CoinbaseCore", "ExchangeCore", "Rules", "canonical"]

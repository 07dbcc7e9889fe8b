"""Kraken WebSocket v1, as a witness of recordings: it is never multicast."""

from libs.venues.kraken.core import KrakenCore, canonical, native

__all__ = ["KrakenCore", "canonical", "native"]

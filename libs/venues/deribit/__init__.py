"""Deribit: perpetuals, futures, options and spot over JSON-RPC."""

from libs.venues.deribit.core import DeribitCore
from libs.venues.deribit.symbols import canonical, connections, instruments, native

__all__ = ["DeribitCore", "canonical", "connections", "instruments", "native"]

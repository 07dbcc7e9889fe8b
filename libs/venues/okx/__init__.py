"""OKX v5: spot, swaps, futures and options."""

from libs.venues.okx.core import OkxCore
from libs.venues.okx.symbols import canonical, connections, instruments, native

__all__ = ["OkxCore", "canonical", "connections", "instruments", "native"]

"""Bybit v5: spot, linear and inverse perpetuals and futures."""

from libs.venues.bybit.core import BybitCore
from libs.venues.bybit.symbols import INVERSE, LINEAR, SPOT, Rules

__all__ = ["INVERSE", "LINEAR", "SPOT", "BybitCore", "Rules"]

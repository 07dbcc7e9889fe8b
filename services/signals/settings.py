"""Settings of the signal service: config/signals.toml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from libs.config import load
from libs.models.decisions import Sizing

Positive = Annotated[int, msgspec.Meta(ge=1)]
Natural = Annotated[int, msgspec.Meta(ge=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]


class SizingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of the size that a signal asks for, as fractions of capital."""

    kelly_fraction: Share = 0.1
    target_volatility_bps: Annotated[float, msgspec.Meta(gt=0)] = 2.0
    max_fraction: Share = 0.25

    def limits(self) -> Sizing:
        """Return them as the decisions take them."""
        return Sizing(self.kelly_fraction, self.target_volatility_bps, self.max_fraction)


class Fees(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A venue's taker fees in bps; a derivative is what has more than base and quote in its symbol."""

    spot: NotNegative
    derivative: NotNegative


class TakerFees(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Taker fees by exchange; the defaults are published ones of the lowest tier."""

    binance: Fees = Fees(10.0, 5.0)
    bybit: Fees = Fees(10.0, 5.5)
    coinbase: Fees = Fees(60.0, 5.0)
    okx: Fees = Fees(10.0, 5.0)
    deribit: Fees = Fees(0.0, 5.0)

    def of(self, exchange: str, symbol: str) -> float:
        """Return what a taker pays, in bps."""
        fees: Fees = getattr(self, exchange)
        return fees.derivative if symbol.count("-") > 1 else fees.spot


class RealCosts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ``real`` cost profile."""

    threshold_bps: NotNegative = 0.0
    slippage_bps: NotNegative = 0.5
    taker_fee_bps: TakerFees = msgspec.field(default_factory=TakerFees)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file; see its comments."""

    model: str = "models/default.json"
    costs: Literal["demo", "real"] = "demo"
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 9292
    redis_url: str = "redis://127.0.0.1:6379/0"
    stream_prefix: str = ""
    log_format: str = "auto"
    watch: Annotated[tuple[str, ...], msgspec.Meta(max_length=20)] = ()
    max_books: Positive = 16_384
    max_row_age_ms: Positive = 2000
    max_deviations: Annotated[float, msgspec.Meta(gt=0)] = 6.0
    repeat_ms: Natural = 1000
    block_ms: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    signals_maxlen: Positive = 20_000
    sizing: SizingSettings = msgspec.field(default_factory=SizingSettings)
    real: RealCosts = msgspec.field(default_factory=RealCosts)


def read(path: Path) -> tuple[Settings, Path]:
    """Read the file; REDIS_URL and HTTP_HOST win over what it says.

    Returns
    -------
    Settings
    Path
        The model file, which a relative name places beside the settings.

    Raises
    ------
    ConfigError
        Naming the file, the key, what was expected and what was found.
    """
    settings = load(path, Settings)
    changes = {}
    if url := os.environ.get("REDIS_URL"):
        changes["redis_url"] = url
    if host := os.environ.get("HTTP_HOST"):
        changes["http_host"] = host
    return msgspec.structs.replace(settings, **changes), path.parent / settings.model

"""Settings of the order service: config/oms.toml."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from libs.config import load
from libs.errors import ConfigError
from libs.execution.fees import Fees
from libs.execution.settings import Orders
from libs.orders.decimals import ZERO
from libs.orders.journal import Fsync
from libs.risk.limits import Limits

Positive = Annotated[int, msgspec.Meta(ge=1)]
Natural = Annotated[int, msgspec.Meta(ge=0)]


class Latency(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Feed time from here to each venue's book, in ms."""

    binance: Decimal = Decimal(5)
    bybit: Decimal = Decimal(5)
    coinbase: Decimal = Decimal(5)
    okx: Decimal = Decimal(5)
    deribit: Decimal = Decimal(5)

    def microseconds(self) -> dict[str, int]:
        """Return them by exchange in µs."""
        return {name: int(getattr(self, name) * 1000) for name in self.__struct_fields__}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file; see its comments."""

    http_host: str = "127.0.0.1"
    http_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 9293
    redis_url: str = "redis://127.0.0.1:6379/0"
    stream_prefix: str = ""
    log_format: Literal["auto", "json", "console"] = "auto"
    state_dir: str = "var"
    fsync: Fsync = "interval"
    journal_max_bytes: Annotated[int, msgspec.Meta(ge=65_536)] = 64 * 1024 * 1024
    reconcile_interval_s: Annotated[float, msgspec.Meta(ge=0.1, le=3600)] = 5.0
    max_books: Positive = 16_384
    max_symbols: Positive = 4_096
    orders_maxlen: Positive = 50_000
    fills_maxlen: Positive = 50_000
    orders: Orders = msgspec.field(default_factory=Orders)
    limits: Limits = msgspec.field(default_factory=Limits)
    latency_ms: Latency = msgspec.field(default_factory=Latency)
    fees: Fees = msgspec.field(default_factory=Fees)


def read(path: Path) -> Settings:
    """Read the file; REDIS_URL, HTTP_HOST and CROSSBOOK_STATE_DIR win over what it says.

    Raises
    ------
    ConfigError
        Naming the file, the key, what was expected and what was found.
    """
    names = {"redis_url": "REDIS_URL", "http_host": "HTTP_HOST", "state_dir": "CROSSBOOK_STATE_DIR"}
    changes = {key: value for key, name in names.items() if (value := os.environ.get(name))}
    settings = load(path, Settings)
    _check(settings, str(path))
    return msgspec.structs.replace(settings, **changes)


RANGES = {
    "limits": (Decimal("1e-9"), Decimal("1e18"), "a number above 0"),
    "latency_ms": (ZERO, Decimal(60_000), "0 to 60000"),
    "fees": (Decimal(-100), Decimal(1000), "-100 to 1000"),
    "orders.capital_usd": (Decimal("1e-9"), Decimal("1e18"), "a number above 0"),
    "orders.limit_offset_bps": (ZERO, Decimal(1000), "0 to 1000"),
}
"""Of decimals, for which the type checker of the file has no ranges, by the beginning of their key."""


def _check(value: Any, file: str, key: str = "") -> None:
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            _check(getattr(value, name), file, f"{key}.{name}".lstrip("."))
    elif isinstance(value, Decimal):
        low, high, expected = next(limits for start, limits in RANGES.items() if key.startswith(start))
        if not (value.is_finite() and low <= value <= high):
            raise ConfigError(file, key, expected, str(value))

"""Settings of the consumer: config/consumer.toml and the symbols file that it names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from libs.config import check_address, check_port, load, near, shown
from libs.errors import ConfigError
from libs.market.config import ConsumerConfig, load_consumer_config
from libs.market.exchanges import EXCHANGES
from libs.streams.connection import check_url

Positive = Annotated[int, msgspec.Meta(ge=1)]
Natural = Annotated[int, msgspec.Meta(ge=0)]


class Maxlen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Approximate length of each stream, in entries."""

    features: Positive = 8_000
    book: Positive = 1_000
    nbbo: Positive = 2_000
    trades: Positive = 8_000
    status: Positive = 8_000


class RecoveryServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sender's recovery server; ``exchanges`` empty: it is asked about all of them."""

    host: str = "127.0.0.1"
    port: int = 9190
    exchanges: tuple[str, ...] = ()


class RecoveryLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much may be asked of each server, and how long an answer may take."""

    messages_per_request: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 1024
    requests_per_second: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 2000
    in_flight: Annotated[int, msgspec.Meta(ge=1, le=256)] = 16
    range_timeout_ms: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 15
    snapshot_timeout_ms: Annotated[int, msgspec.Meta(ge=1, le=60_000)] = 500


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The service's own settings; what it listens to stands in the symbols file."""

    symbols_file: str = "consumer/symbols.json"
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 9291
    redis_url: str = "redis://127.0.0.1:6379/0"
    stream_prefix: str = ""
    log_format: Literal["auto", "json", "console"] = "auto"
    feature_interval_ms: Natural = 0
    book_interval_ms: Natural = 20
    publish_batch: Positive = 128
    maxlen: Maxlen = msgspec.field(default_factory=Maxlen)
    recovery: tuple[RecoveryServer, ...] = (RecoveryServer(),)
    recovery_limits: RecoveryLimits = msgspec.field(default_factory=RecoveryLimits)


def read(path: Path) -> tuple[Settings, ConsumerConfig]:
    """Read both files; REDIS_URL, HTTP_HOST and CONSUMER_CONFIG win over what the first says.

    Raises
    ------
    ConfigError
        Naming the file, the key, what was expected and what was found.
    """
    settings = load(path, Settings)
    _check_recovery(str(path), settings.recovery)
    changes = {}
    if url := os.environ.get("REDIS_URL"):
        changes["redis_url"] = url
    if host := os.environ.get("HTTP_HOST"):
        changes["http_host"] = host
    check_url("environment: REDIS_URL" if url else str(path), "redis_url", url or settings.redis_url)
    settings = msgspec.structs.replace(settings, **changes)
    named = os.environ.get("CONSUMER_CONFIG")
    symbols = Path(named) if named else path.parent / settings.symbols_file
    return settings, load_consumer_config(symbols)


def _check_recovery(file: str, servers: tuple[RecoveryServer, ...]) -> None:
    seen: dict[tuple[str, int], int] = {}
    for index, server in enumerate(servers):
        key = f"recovery[{index}]"
        check_address(file, f"{key}.host", server.host)
        check_port(file, f"{key}.port", server.port)
        first = seen.setdefault((server.host, server.port), index)
        if first != index:
            found = shown(f"{server.host}:{server.port}")
            raise ConfigError(file, key, f"another host or port than recovery[{first}]'s", found)
        for at, name in enumerate(server.exchanges):
            if name not in EXCHANGES:
                expected = f"one of {', '.join(EXCHANGES)}{near(name, list(EXCHANGES))}"
                raise ConfigError(file, f"{key}.exchanges[{at}]", expected, shown(name))

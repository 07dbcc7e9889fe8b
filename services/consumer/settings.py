"""Settings of the consumer: config/consumer.toml and the symbols file that it names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from libs.config import check_address, check_port, load, near, shown
from libs.errors import ConfigError
from libs.execution.fees import Fees, check_fees
from libs.market.config import ConsumerConfig, load_consumer_config
from libs.market.exchanges import EXCHANGES
from libs.nbbo.families import CURRENCY_BYTES, GROUPS, QUOTES
from libs.streams.connection import check_url
from libs.streams.shards import WHOLE, Shard, parse_shard

Positive = Annotated[int, msgspec.Meta(ge=1)]
Natural = Annotated[int, msgspec.Meta(ge=0)]


class Maxlen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Approximate length of each stream, in entries."""

    features: Positive = 8_000
    book: Positive = 1_000
    nbbo: Positive = 2_000
    arbitrage: Positive = 2_000
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


class NbboSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``join_quotes``: groups of quote currencies whose symbols are also consolidated together; none: kept apart."""

    join_quotes: tuple[tuple[str, ...], ...] = ()


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The service's own settings; what it listens to stands in the symbols file."""

    symbols_file: str = "consumer/symbols.json"
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 9291
    redis_url: str = "redis://127.0.0.1:6379/0"
    stream_prefix: str = ""
    log_format: Literal["auto", "json", "console"] = "auto"
    feature_interval_ms: Natural = 0
    nbbo_interval_ms: Natural = 0
    book_interval_ms: Natural = 20
    publish_batch: Positive = 128
    maxlen: Maxlen = msgspec.field(default_factory=Maxlen)
    nbbo: NbboSettings = NbboSettings()
    fees: Fees = msgspec.field(default_factory=Fees)
    recovery: tuple[RecoveryServer, ...] = (RecoveryServer(),)
    recovery_limits: RecoveryLimits = msgspec.field(default_factory=RecoveryLimits)
    watch: Annotated[tuple[str, ...], msgspec.Meta(max_length=20)] = ()
    channels: tuple[str, ...] = ()
    shard: str = str(WHOLE)
    digest_file: str = ""
    digest_trace: str = ""

    @property
    def taken(self) -> tuple[str, ...]:
        """The exchanges whose channels are taken; ``channels`` empty: all."""
        return self.channels or tuple(EXCHANGES)

    @property
    def own_shard(self) -> Shard:
        """Which of the consumers that share the symbols this one is."""
        return parse_shard(self.shard)


class Given(NamedTuple):
    """What the command line says instead of the file; None: nothing."""

    channels: str | None = None
    shard: str | None = None
    http_port: str | None = None


NOTHING_GIVEN = Given()


def read(path: Path, given: Given = NOTHING_GIVEN) -> tuple[Settings, ConsumerConfig]:
    """Read both files; ``given``, REDIS_URL, HTTP_HOST and CONSUMER_CONFIG win over what the first says.

    Raises
    ------
    ConfigError
        Naming the file, the key, what was expected and what was found.
    """
    settings = load(path, Settings)
    _check_recovery(str(path), settings.recovery)
    _check_names(str(path), "channels", settings.channels)
    _check_shard(str(path), "shard", settings.shard)
    check_fees(str(path), "fees", settings.fees)
    _check_digest(str(path), settings)
    changes = _of_command_line(given)
    if url := os.environ.get("REDIS_URL"):
        changes["redis_url"] = url
    if host := os.environ.get("HTTP_HOST"):
        changes["http_host"] = host
    check_url("environment: REDIS_URL" if url else str(path), "redis_url", url or settings.redis_url)
    settings = msgspec.structs.replace(settings, **changes)
    _check_joined(str(path), settings)
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
        _check_names(file, f"{key}.exchanges", server.exchanges)


def _of_command_line(given: Given) -> dict[str, Any]:
    file = "command line"
    found: dict[str, Any] = {}
    if given.channels is not None:
        found["channels"] = tuple(name.strip() for name in given.channels.split(","))
        _check_names(file, "--channels", found["channels"])
    if given.shard is not None:
        _check_shard(file, "--shard", given.shard)
        found["shard"] = given.shard
    if given.http_port is not None:
        if not (given.http_port.isdecimal() and int(given.http_port) <= 65535):
            raise ConfigError(file, "--http-port", "a port from 0 to 65535", shown(given.http_port))
        found["http_port"] = int(given.http_port)
    return found


def _check_names(file: str, key: str, names: tuple[str, ...]) -> None:
    for at, name in enumerate(names):
        if name not in EXCHANGES:
            expected = f"one of {', '.join(EXCHANGES)}{near(name, list(EXCHANGES))}"
            raise ConfigError(file, f"{key}[{at}]", expected, shown(name))


def _check_digest(file: str, settings: Settings) -> None:
    for key in ("digest_file", "digest_trace"):
        text = getattr(settings, key)
        if text and (Path(text).is_dir() or not Path(text).absolute().parent.is_dir()):
            raise ConfigError(file, key, "a file in a folder that exists", shown(text))
    if settings.digest_trace and not settings.digest_file:
        raise ConfigError(file, "digest_trace", "digest_file beside it", "none")


def _check_joined(file: str, settings: Settings) -> None:
    groups, key = settings.nbbo.join_quotes, "nbbo.join_quotes"
    if len(groups) > GROUPS:
        raise ConfigError(file, key, f"at most {GROUPS} groups", str(len(groups)))
    if groups and settings.own_shard.of > 1:
        raise ConfigError(file, key, "none with a shard: joined symbols may be in different ones", shown(list(groups)))
    seen: dict[str, int] = {}
    for index, group in enumerate(groups):
        if not 2 <= len(group) <= QUOTES:
            raise ConfigError(file, f"{key}[{index}]", f"2 to {QUOTES} quote currencies", shown(list(group)))
        for at, currency in enumerate(group):
            where = f"{key}[{index}][{at}]"
            if not (currency.isascii() and currency.isalnum() and len(currency) <= CURRENCY_BYTES):
                raise ConfigError(file, where, f"a currency of 1 to {CURRENCY_BYTES} letters", shown(currency))
            if currency in seen:
                raise ConfigError(file, where, f"another currency than in {key}[{seen[currency]}]", shown(currency))
            seen[currency] = index


def _check_shard(file: str, key: str, text: str) -> None:
    try:
        parse_shard(text)
    except ValueError as error:
        raise ConfigError(file, key, str(error), shown(text)) from None

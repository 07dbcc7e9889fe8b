"""Settings of the consumer: config/consumer.toml and the symbols file that it names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from libs.config import load
from libs.market.config import ConsumerConfig, load_consumer_config
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


def read(path: Path) -> tuple[Settings, ConsumerConfig]:
    """Read both files; REDIS_URL, HTTP_HOST and CONSUMER_CONFIG win over what the first says.

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
    check_url("environment: REDIS_URL" if url else str(path), "redis_url", url or settings.redis_url)
    settings = msgspec.structs.replace(settings, **changes)
    named = os.environ.get("CONSUMER_CONFIG")
    symbols = Path(named) if named else path.parent / settings.symbols_file
    return settings, load_consumer_config(symbols)

"""Settings of the recorder: config/recorder.toml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import msgspec

from libs.config import load, near, shown
from libs.errors import ConfigError
from libs.streams.connection import check_url
from libs.streams.schemas import SCHEMAS

Positive = Annotated[int, msgspec.Meta(ge=1)]
Natural = Annotated[int, msgspec.Meta(ge=0)]
MEBIBYTE = 1 << 20


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file; see its comments."""

    http_host: str = "127.0.0.1"
    http_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 9295
    redis_url: str = "redis://127.0.0.1:6379/0"
    stream_prefix: str = ""
    log_format: str = "auto"
    streams: tuple[str, ...] = ()
    flush_rows: Positive = 200_000
    flush_bytes: Annotated[int, msgspec.Meta(ge=1, le=1024 * MEBIBYTE)] = 64 * MEBIBYTE
    flush_interval_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 60.0
    poll_ms: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 50
    retry_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 1.0
    max_bytes: Natural = 0

    @property
    def recorded(self) -> tuple[str, ...]:
        """The streams, all of them where none is named."""
        return self.streams or tuple(SCHEMAS)


def read(path: Path) -> Settings:
    """Read the file; REDIS_URL and HTTP_HOST win over what it says.

    Raises
    ------
    ConfigError
        Naming the file, the key, what was expected and what was found.
    """
    settings = load(path, Settings)
    for at, name in enumerate(settings.streams):
        if name not in SCHEMAS:
            expected = f"one of {', '.join(SCHEMAS)}{near(name, list(SCHEMAS))}"
            raise ConfigError(str(path), f"streams[{at}]", expected, shown(name))
    if len(set(settings.streams)) < len(settings.streams):
        raise ConfigError(str(path), "streams", "each stream once", shown(list(settings.streams)))
    url = os.environ.get("REDIS_URL")
    checked = check_url("environment: REDIS_URL" if url else str(path), "redis_url", url or settings.redis_url)
    changes = {"redis_url": checked}
    if host := os.environ.get("HTTP_HOST"):
        changes["http_host"] = host
    return msgspec.structs.replace(settings, **changes)

"""Settings of the replay: config/replay.toml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from libs.config import load
from libs.errors import ConfigError
from libs.sending.settings import SendingSettings, check_sending

Odds = Annotated[float, msgspec.Meta(ge=0, lt=1)]
DEFAULT_RATE = 5_000.0
"""Messages a second of the generator when nothing else is said."""


class Settings(SendingSettings, frozen=True, forbid_unknown_fields=True):
    """See services/replay/README.md for each."""

    source: Literal["synthetic"] | list[str] = "synthetic"
    speed: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    rate: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    loop: bool = False
    duration_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0

    symbols: Annotated[int, msgspec.Meta(ge=1, le=2048)] = 50
    venues: Annotated[int, msgspec.Meta(ge=1, le=5)] = 5
    levels: Annotated[float, msgspec.Meta(ge=1, le=40)] = 4.0
    seed: Annotated[int, msgspec.Meta(ge=0)] = 1

    loss: Odds = 0.0
    duplicate: Odds = 0.0
    reorder: Odds = 0.0

    http_host: str = "127.0.0.1"
    http_port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 9290
    log_format: str = "auto"


def read(path: Path, **changes: object) -> Settings:
    """Read and check the settings; HTTP_HOST wins over the file, ``changes`` (the command line) over both.

    Raises
    ------
    ConfigError
        Naming file, key, what was expected and what was found.
    """
    settings = load(path, Settings)
    if host := os.environ.get("HTTP_HOST"):
        settings = msgspec.structs.replace(settings, http_host=host)
    if changes:
        merged = msgspec.to_builtins(settings) | changes
        try:
            settings = msgspec.convert(merged, Settings)
        except msgspec.ValidationError as error:
            raise ConfigError("command line", ", ".join(changes), "a valid value", str(error)) from error
    check_sending(settings, str(path))
    return settings

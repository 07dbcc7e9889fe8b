"""Settings of the feeder: config/feeder.toml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import msgspec

from libs.config import load, near, shown
from libs.errors import ConfigError
from libs.sending.settings import SendingSettings, check_sending

Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Count = Annotated[int, msgspec.Meta(ge=1)]
TRUE, FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


class FeedSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One feed; an empty address is the venue's own."""

    symbols: tuple[str, ...] = ()
    ws: str = ""
    rest: str = ""
    enabled: bool = True


class Settings(SendingSettings, frozen=True, forbid_unknown_fields=True):
    """See services/feeder/README.md for each."""

    feeds: dict[str, FeedSettings] = msgspec.field(default_factory=dict)
    limited: bool = False
    limited_symbols: Annotated[int, msgspec.Meta(ge=1, le=100)] = 3
    duration_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0

    inbox_messages: Annotated[int, msgspec.Meta(ge=64, le=1 << 20)] = 8192
    inbox_bytes: Annotated[int, msgspec.Meta(ge=1 << 20, le=1 << 32)] = 64 << 20
    rest_timeout_s: Seconds = 10.0
    start_timeout_s: Seconds = 10.0
    instruments_every_s: Seconds = 600.0
    rotate_s: Seconds = 82_800.0
    mute_after_s: Seconds = 10.0
    dead_after_s: Seconds = 20.0
    backoff_s: Seconds = 0.5
    longest_backoff_s: Seconds = 30.0

    raw_dir: str = ""
    raw_keep_hours: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 168

    http_host: str = "127.0.0.1"
    http_port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 9294
    log_format: str = "auto"


def read(path: Path, known: list[str], **changes: object) -> Settings:
    """Read and check the settings; HTTP_HOST and LIMITED_MODE win over the file, ``changes`` over all.

    Parameters
    ----------
    path : Path
    known : list of str
        Names that feeds may have.
    changes : object
        From the command line.

    Raises
    ------
    ConfigError
        Naming file, key, what was expected and what was found.
    """
    settings = load(path, Settings)
    if host := os.environ.get("HTTP_HOST"):
        changes = {"http_host": host} | changes
    if (limited := _limited_mode()) is not None:
        changes = {"limited": limited} | changes
    settings = msgspec.structs.replace(settings, **changes)
    file = str(path)
    check_sending(settings, file)
    for name, feed in settings.feeds.items():
        if name not in known:
            raise ConfigError(file, f"feeds.{name}", f"one of {', '.join(known)}{near(name, known)}", "another name")
        _check_feed(feed, f"feeds.{name}", file)
    if not any(feed.enabled and feed.symbols for feed in settings.feeds.values()):
        raise ConfigError(file, "feeds", "a feed with symbols", "none that is enabled")
    if settings.dead_after_s <= settings.mute_after_s:
        expected = f"more than mute_after_s ({settings.mute_after_s:g})"
        raise ConfigError(file, "dead_after_s", expected, shown(settings.dead_after_s))
    return settings


def _limited_mode() -> bool | None:
    given = os.environ.get("LIMITED_MODE")
    if given is None:
        return None
    if given.lower() not in TRUE + FALSE:
        raise ConfigError("environment", "LIMITED_MODE", "true or false", shown(given))
    return given.lower() in TRUE


def _check_feed(feed: FeedSettings, key: str, file: str) -> None:
    for name, value, schemes in (("ws", feed.ws, ("ws://", "wss://")), ("rest", feed.rest, ("http://", "https://"))):
        if value and not value.startswith(schemes):
            raise ConfigError(
                file, f"{key}.{name}", f"an address that begins with {' or '.join(schemes)}", shown(value)
            )
    seen: set[str] = set()
    for index, symbol in enumerate(feed.symbols):
        if symbol in seen:
            raise ConfigError(file, f"{key}.symbols[{index}]", "each symbol once", f"{shown(symbol)} again")
        seen.add(symbol)

"""What is configured: the files of a folder, or those that a running `crossbook up` has made of them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from libs import config
from libs.errors import ConfigError
from libs.market.config import ConsumerConfig, load_consumer_config
from services.cli.api import Endpoint
from services.cli.arguments import config_folder
from services.cli.configs import DEFAULT_PORTS, endpoints_of
from services.cli.rundir import running

DEFAULT_REDIS = "redis://127.0.0.1:6379/0"
DEFAULT_RECOVERY = ("127.0.0.1", 9190)
DEFAULT_RATE = 5_000.0


@dataclass(frozen=True, slots=True)
class Line:
    """One of the consumer's lines; ``key`` is where its table stands in the symbols file."""

    name: str
    group: str
    port: int
    key: str

    @property
    def at(self) -> str:
        """The group and the port, as people write them."""
        return f"{self.group}:{self.port}"


@dataclass(frozen=True, slots=True)
class Sender:
    """What the replay's file says; ``rate`` in messages a second over all channels, ``mtu_payload`` in bytes."""

    interface: str = "127.0.0.1"
    ttl: int = 0
    rate: float = DEFAULT_RATE
    targets: tuple[tuple[str, int], ...] = ()
    mtu_payload: int = 1472


@dataclass(frozen=True)
class Setup:
    """What the checks compare the machine with.

    Attributes
    ----------
    files : dict
        The file that a mend names, by service; ``symbols`` is the consumer's JSON file.
    recovery : tuple of (str, int)
        Host and port of the recovery servers; empty: the consumer asks none.
    redis_named : bool
        Somebody said which Redis; otherwise `crossbook up` brings its own.
    running : bool
        A `crossbook up` of this user runs and this is its configuration.
    """

    consumer: ConsumerConfig
    lines: tuple[Line, ...]
    sender: Sender
    redis_url: str
    redis_named: bool
    recovery: tuple[tuple[str, int], ...]
    endpoints: dict[str, Endpoint]
    files: dict[str, str] = field(default_factory=dict)
    running: bool = False

    @property
    def interface(self) -> str:
        """The address of the interface on which the consumer listens."""
        return self.consumer.udp_config.interface

    @property
    def loopback(self) -> bool:
        """Whether sender and receiver are on one machine by configuration."""
        return self.interface.startswith("127.")


def read_setup(named: str | None) -> Setup:
    """Read the files of the named folder; without a name those of the newest `crossbook up` that runs.

    Raises
    ------
    ConfigError
        Naming the file, the key, what was expected and what was found.
    """
    notes = running() if named is None else []
    folder = config_folder(named)
    tables = {name: folder / f"{name}.toml" for name in ("consumer", "replay")}
    original = _symbols(tables["consumer"], _table(tables["consumer"]))
    files = {name: str(path) for name, path in tables.items()} | {"symbols": str(original)}
    note = notes[0] if notes and "directory" in notes[0] else None
    if note is not None:
        tables = {name: Path(note["directory"]) / f"{name}.json" for name in tables}
        original = _symbols(tables["consumer"], _table(tables["consumer"]), environment=False)
    values = {name: _table(path) for name, path in tables.items()}
    consumer = load_consumer_config(original)
    given = os.environ.get("REDIS_URL")
    recovery = _recovery(values["consumer"], files["consumer"])
    return Setup(
        consumer=consumer,
        lines=_lines(consumer),
        sender=_sender(values["replay"], files["replay"]),
        redis_url=str(given or values["consumer"].get("redis_url", DEFAULT_REDIS)),
        redis_named=bool(given or note),
        recovery=recovery,
        endpoints=_endpoints(note) if note is not None else endpoints_of(folder),
        files=files,
        running=note is not None,
    )


def _table(path: Path) -> dict[str, Any]:
    values = config.read(path)
    if not isinstance(values, dict):
        raise ConfigError(str(path), "-", "a table of settings", config.shown(values))
    return values


def _symbols(path: Path, values: dict[str, Any], *, environment: bool = True) -> Path:
    if environment and (given := os.environ.get("CONSUMER_CONFIG")):
        return Path(given)
    name = values.get("symbols_file", "consumer/symbols.json")
    if not isinstance(name, str):
        raise ConfigError(str(path), "symbols_file", "the name of a file", config.shown(name))
    return path.parent / name


def _lines(consumer: ConsumerConfig) -> tuple[Line, ...]:
    udp = consumer.udp_config
    first = Line("A", udp.group, udp.port, "udp_config")
    if udp.line_b is None:
        return (first,)
    return (first, Line("B", udp.line_b.group, udp.line_b.port, "udp_config.line_b"))


def _sender(values: dict[str, Any], file: str) -> Sender:
    ttl = _whole(values, file, "ttl", 0, 0, 255)
    tables = [("", values)]
    if values.get("lines", "a") == "ab" and isinstance(values.get("line_b"), dict):
        tables.append(("line_b.", values["line_b"]))
    targets = tuple(
        (
            config.check_group(file, f"{key}group", str(table.get("group", "239.192.0.1"))),
            config.check_port(file, f"{key}port", table.get("port", 9001)),
        )
        for key, table in tables
    )
    rate = values.get("rate", 0)
    if isinstance(rate, bool) or not isinstance(rate, int | Decimal) or rate < 0:
        raise ConfigError(file, "rate", "messages a second, 0 or more", config.shown(rate))
    interface = config.check_address(file, "interface", str(values.get("interface", "127.0.0.1")))
    return Sender(
        interface, ttl, float(rate) or DEFAULT_RATE, targets, _whole(values, file, "mtu_payload", 1472, 256, 65_507)
    )


def _whole(values: dict[str, Any], file: str, key: str, default: int, lowest: int, highest: int) -> int:
    value = values.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise ConfigError(file, key, f"a whole number from {lowest} to {highest}", config.shown(value))
    return value


def _recovery(values: dict[str, Any], file: str) -> tuple[tuple[str, int], ...]:
    """Return the recovery servers that the consumer asks: one on this machine unless the file says otherwise."""
    tables = values.get("recovery", [{}])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        raise ConfigError(file, "recovery", "tables with host and port", config.shown(tables))
    return tuple(
        (
            str(each.get("host", DEFAULT_RECOVERY[0])),
            config.check_port(file, f"recovery[{index}].port", each.get("port", DEFAULT_RECOVERY[1])),
        )
        for index, each in enumerate(tables)
    )


def _endpoints(note: dict[str, Any]) -> dict[str, Endpoint]:
    given = {name: Endpoint(str(host), int(port)) for name, (host, port) in note["http"].items()}
    return {name: given[name] for name in DEFAULT_PORTS if name in given}

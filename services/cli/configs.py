"""The services' configuration as one run needs it: the user's files, what the command line changes, free ports."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from libs import config
from libs.errors import ConfigError
from services.cli.api import Endpoint
from services.cli.arguments import UpOptions
from services.cli.claims import Claims

READERS = ("consumer", "signals", "oms")
SERVICES = (*READERS, "replay")
DEFAULT_PORTS = {"replay": 9290, "consumer": 9291, "signals": 9292, "oms": 9293}
OPTIONAL_PORTS = {"feeder": 9294, "recorder": 9295}
FEEDER_PORT = 9294
FAKE_RATE = 200.0
"""Book messages a second over all fake venues when nothing else is said."""
DEFAULT_GROUP, DEFAULT_PORT = "239.192.0.1", 9001
DEFAULT_RECOVERY_PORT = 9190
DEFAULT_B = ("239.192.0.2", 9002)
# Decimals of a file must reach the services as their text says.
_ENCODER = msgspec.json.Encoder(decimal_format="number")


@dataclass
class Resolved:
    """Configuration of one run.

    ``originals`` maps each file in the run directory to the one that it was made from, so that a complaint of a service
    about the first can be told of the second.
    """

    values: dict[str, dict[str, Any]]
    symbols: dict[str, Any]
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    originals: dict[str, str] = field(default_factory=dict)
    moved: list[str] = field(default_factory=list)
    sender: str = "replay"
    fakes: list[str] = field(default_factory=list)

    @property
    def services(self) -> tuple[str, ...]:
        """Those of this run; the sender last."""
        return (*READERS, self.sender)

    def in_users_words(self, text: str) -> str:
        """Return a service's message with our copies' names replaced by those of the user's files."""
        for copy, original in self.originals.items():
            text = text.replace(copy, original)
        return text


def resolve(options: UpOptions, claims: Claims, redis_url: str, prefix: str) -> Resolved:
    """Read the files of the configuration folder and change in them what this run needs.

    Parameters
    ----------
    options : UpOptions
    claims : Claims
        Where ports are claimed.
    redis_url, prefix : str
        The Redis of this run, and what its streams' names begin with.

    Raises
    ------
    ConfigError
        Naming the file, the key, what was expected and what was found.
    """
    folder = options.config
    names = (*READERS, options.sender)
    values = {name: _table(folder / f"{name}.toml") for name in names}
    symbols_path = _symbols_path(folder, values["consumer"])
    if (shard := values["consumer"].get("shard", "1/1")) != "1/1":
        expected = '"1/1", or none: up runs one consumer for all symbols'
        raise ConfigError(str(folder / "consumer.toml"), "shard", expected, config.shown(shard))
    found = Resolved(values, _table(symbols_path), sender=options.sender)
    for name in names:
        found.originals[name] = str(folder / f"{name}.toml")
    found.originals["symbols"] = str(symbols_path)
    values[options.sender] |= {**_for_sender(options), "start_paused": True, "duration_s": 0.0}
    if options.feed is not None:
        _play_venues(found, options, claims)
    if options.costs is not None:
        values["signals"]["costs"] = options.costs
    if options.digest is not None:
        values["consumer"] |= {"digest_file": str(options.digest), "digest_trace": str(options.digest_trace or "")}
    for name in names:
        values[name]["log_format"] = "json"
        if name != options.sender:
            values[name] |= {"redis_url": redis_url, "stream_prefix": prefix}
    if isinstance(model := values["signals"].get("model"), str):
        values["signals"]["model"] = str((folder / model).absolute())
    _choose_group(found, claims)
    _choose_recovery(found, claims)
    _choose_http(found, claims)
    return found


def write(found: Resolved, run: Path) -> None:
    """Write each service's file into the run directory."""
    symbols = run / "symbols.json"
    found.values["consumer"]["symbols_file"] = str(symbols)
    symbols.write_bytes(_ENCODER.encode(found.symbols))
    originals = {str(symbols): found.originals["symbols"]}
    for name in found.services:
        path = run / f"{name}.json"
        path.write_bytes(_ENCODER.encode(found.values[name]))
        found.files[name] = path
        originals[str(path)] = found.originals[name]
    found.originals = originals


def state_folder(options: UpOptions) -> Path:
    """Return the folder of what must survive: of the command line, CROSSBOOK_STATE_DIR, oms.toml, in this order.

    Raises
    ------
    ConfigError
        When oms.toml cannot be read.
    """
    named = os.environ.get("CROSSBOOK_STATE_DIR") or _table(options.config / "oms.toml").get("state_dir") or "var"
    return (options.state_dir or Path(str(named))).absolute()


def endpoints_of(folder: Path, ports: Mapping[str, int] = DEFAULT_PORTS) -> dict[str, Endpoint]:
    """Return where the services of a configuration folder answer; a missing file means the default port.

    Parameters
    ----------
    folder : Path
    ports : mapping
        Services and their default ports.

    Raises
    ------
    ConfigError
        When a file cannot be read.
    """
    found = {}
    for name, default in ports.items():
        path = folder / f"{name}.toml"
        values = _table(path) if path.is_file() else {}
        found[name] = Endpoint(_own_host(values), int(values.get("http_port", default)))
    return found


def _for_sender(options: UpOptions) -> dict[str, object]:
    if options.feed is None:
        return options.for_replay()
    return {key: value for key, value in options.for_replay().items() if key in {"seed", "lines"}}


def _play_venues(found: Resolved, options: UpOptions, claims: Claims) -> None:
    """Give every feed a fake venue of its own, with the symbols that the configuration names."""
    feeds = found.values["feeder"].get("feeds", {})
    file = found.originals["feeder"]
    if not isinstance(feeds, dict) or not all(isinstance(feed, dict) for feed in feeds.values()):
        raise ConfigError(file, "feeds", "a table of feeds", config.shown(feeds))
    used = {name: feed for name, feed in feeds.items() if feed.get("enabled", True) and feed.get("symbols")}
    for name, feed in used.items():
        symbols = feed["symbols"]
        if not isinstance(symbols, list) or not all(isinstance(symbol, str) for symbol in symbols):
            raise ConfigError(file, f"feeds.{name}.symbols", "a list of symbols", config.shown(symbols))
        port = claims.tcp_port("127.0.0.1", 0)
        feed |= {"ws": f"ws://127.0.0.1:{port}", "rest": f"http://127.0.0.1:{port}"}
        found.fakes.append(f"{name}:{port}={','.join(symbols)}")
    rate = (options.rate or FAKE_RATE) / max(1, len(used))
    found.fakes += ["--rate", str(rate), "--seed", str(options.seed or 1)]


def _table(path: Path) -> dict[str, Any]:
    values = config.read(path)
    if not isinstance(values, dict):
        raise ConfigError(str(path), "-", "a table of settings", config.shown(values))
    return values


def _symbols_path(folder: Path, consumer: dict[str, Any]) -> Path:
    if named := os.environ.get("CONSUMER_CONFIG"):
        return Path(named)
    name = consumer.get("symbols_file", "consumer/symbols.json")
    if not isinstance(name, str):
        raise ConfigError(str(folder / "consumer.toml"), "symbols_file", "the name of a file", config.shown(name))
    return folder / name


def _choose_group(found: Resolved, claims: Claims) -> None:
    """Let sender and receiver meet on one group; the consumer's file says which, its port moves where it is taken."""
    udp = found.symbols.setdefault("udp_config", {})
    replay = found.values[found.sender]
    file = found.originals["symbols"]
    if not isinstance(udp, dict):
        raise ConfigError(file, "udp_config", "a table", config.shown(udp))
    lines = [udp]
    group, port = _address(udp, file, "udp_config", DEFAULT_GROUP, DEFAULT_PORT)
    udp |= {"group": group, "port": claims.group_port(group, port)}
    _note_move(found, f"{group}:{port}", udp["port"], port)
    if replay.get("lines", "a") == "ab":
        other = udp.get("line_b") or replay.get("line_b") or {}
        if not isinstance(other, dict):
            raise ConfigError(file, "udp_config.line_b", "a table with group and port", config.shown(other))
        group, port = _address(other, file, "udp_config.line_b", *DEFAULT_B)
        udp["line_b"] = {"group": group, "port": claims.group_port(group, port)}
        _note_move(found, f"{group}:{port}", udp["line_b"]["port"], port)
        lines.append(udp["line_b"])
        replay["line_b"] = dict(udp["line_b"])
    else:
        udp["line_b"] = None
    replay |= {"group": udp["group"], "port": udp["port"], "interface": udp.get("interface", "127.0.0.1")}


def _address(table: dict[str, Any], file: str, key: str, group: str, port: int) -> tuple[str, int]:
    named = table.get("group", group)
    if not isinstance(named, str):
        raise ConfigError(file, f"{key}.group", "a numeric IPv4 multicast group", config.shown(named))
    return (
        config.check_group(file, f"{key}.group", named),
        config.check_port(file, f"{key}.port", table.get("port", port)),
    )


def _choose_recovery(found: Resolved, claims: Claims) -> None:
    """Let the consumer ask this run's own sender; ``recovery = []`` in its file stays: nothing is asked for."""
    replay, consumer = found.values[found.sender], found.values["consumer"]
    host, wanted = replay.get("recovery_host", "127.0.0.1"), replay.get("recovery_port", DEFAULT_RECOVERY_PORT)
    file = found.originals[found.sender]
    host = config.check_address(file, "recovery_host", host)
    if wanted != 0:
        config.check_port(file, "recovery_port", wanted)
    port = claims.tcp_port(host, wanted)
    replay["recovery_port"] = port
    if consumer.get("recovery") != []:
        consumer["recovery"] = [{"host": host, "port": port}]
    _note_move(found, f"recovery port {wanted}", port, wanted)


def _choose_http(found: Resolved, claims: Claims) -> None:
    for name in found.services:
        values, default = found.values[name], DEFAULT_PORTS.get(name, FEEDER_PORT)
        wanted = values.get("http_port", default)
        if isinstance(wanted, bool) or not isinstance(wanted, int) or not 0 <= wanted <= 65535:
            raise ConfigError(found.originals[name], "http_port", "a port from 0 to 65535", config.shown(wanted))
        host = _own_host(values)
        port = claims.tcp_port(host, wanted)
        values["http_port"] = port
        found.endpoints[name] = Endpoint(host, port)
        _note_move(found, f"HTTP port {wanted} ({name})", port, wanted)


def _note_move(found: Resolved, what: str, port: int, wanted: int) -> None:
    if wanted not in {0, port}:
        found.moved.append(f"{what} is taken: this run uses port {port}")


def _own_host(values: dict[str, Any]) -> str:
    """Return the address on which we can reach a service: the first of those that it binds."""
    hosts = os.environ.get("HTTP_HOST") or values.get("http_host") or "127.0.0.1"
    first = str(hosts).split(",")[0].strip()
    return "127.0.0.1" if first in {"0.0.0.0", "localhost", ""} else first

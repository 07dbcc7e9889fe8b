"""What `crossbook up` was asked for, checked before anything is started."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import services
from libs.config import read
from libs.errors import ConfigError, MissingError

FILE = "command line"
MAX_SYMBOLS, MAX_VENUES = 2048, 5
V = TypeVar("V", int, float)


@dataclass(frozen=True, slots=True)
class UpOptions:
    """Arguments of `crossbook up`; None: as the configuration says.

    ``rate`` in messages a second, ``speed`` in recorded seconds a second, ``duration_s`` from the first message on (0:
    until stopped or until the recording ends), ``loss`` a share of the datagrams of each line.
    """

    config: Path
    state_dir: Path | None = None
    source: tuple[str, ...] | None = None
    speed: float | None = None
    rate: float | None = None
    levels: float | None = None
    symbols: int | None = None
    venues: int | None = None
    duration_s: float = 0.0
    seed: int | None = None
    lines: str | None = None
    loss: float | None = None
    costs: str | None = None
    report: Path | None = None
    digest: Path | None = None
    digest_trace: Path | None = None
    feed: str | None = None

    @property
    def sender(self) -> str:
        """The service that multicasts: the replay, or the feeder when venues are played."""
        return "replay" if self.feed is None else "feeder"

    def for_replay(self) -> dict[str, object]:
        """Return the keys of config/replay.toml that the command line sets."""
        source = None if self.source is None else "synthetic" if self.source == ("synthetic",) else list(self.source)
        given = {
            "source": source,
            "speed": self.speed,
            "rate": self.rate,
            "levels": self.levels,
            "symbols": self.symbols,
            "venues": self.venues,
            "seed": self.seed,
            "lines": self.lines,
            "loss": self.loss,
        }
        return {key: value for key, value in given.items() if value is not None}


def up_options(**given: str | list[str] | None) -> UpOptions:
    """Check the arguments of `crossbook up`.

    Parameters
    ----------
    given : str, list of str or None
        As typed, by the option's name without dashes; ``source`` is a list.

    Raises
    ------
    ConfigError
        Naming the option, what was expected and what was found.
    MissingError
        When a recording or the report's folder is not there.
    """
    text = {key: value for key, value in given.items() if value is None or isinstance(value, str)}
    sources = given.get("source")
    options = UpOptions(
        config=config_folder(text.get("config")),
        state_dir=_state_dir(text.get("state_dir")),
        source=_sources(sources) if isinstance(sources, list) and sources else None,
        speed=_number(text, "speed", float, "a number above 0", lambda x: x > 0),
        rate=_number(text, "rate", float, "messages a second above 0", lambda x: 0 < x <= 10_000_000),
        levels=_number(text, "levels", float, "a number from 1 to 40", lambda x: 1 <= x <= 40),
        symbols=_number(
            text, "symbols", int, f"a whole number from 1 to {MAX_SYMBOLS}", lambda x: 1 <= x <= MAX_SYMBOLS
        ),
        venues=_number(text, "venues", int, f"a whole number from 1 to {MAX_VENUES}", lambda x: 1 <= x <= MAX_VENUES),
        duration_s=_number(text, "duration", float, "seconds above 0", lambda x: 0 < x < 1e9) or 0.0,
        seed=_number(text, "seed", int, "a whole number from 0", lambda x: 0 <= x < 2**63),
        lines=_choice(text, "lines", ("a", "ab")),
        loss=_number(text, "loss", float, "a share from 0 to below 1", lambda x: 0 <= x < 1),
        costs=_choice(text, "costs", ("demo", "real")),
        report=output(text.get("report"), "--report"),
        digest=output(text.get("digest"), "--digest"),
        digest_trace=output(text.get("digest_trace"), "--digest-trace"),
        feed=_choice(text, "feed", ("fake",)),
    )
    _check_pace(options)
    _check_feed(text, sources)
    if options.digest_trace and not options.digest:
        raise ConfigError(FILE, "--digest-trace", "--digest FILE beside it", "none")
    return options


def config_folder(text: str | None) -> Path:
    """Return the folder of configuration files: the named one, ``./config``, or the one that came with the code.

    Raises
    ------
    ConfigError
        When the named one is no folder.
    """
    if text is not None:
        if not Path(text).is_dir():
            raise ConfigError(FILE, "--config", "a folder of configuration files", _found(text))
        return Path(text)
    here = Path("config")
    return here if (here / "replay.toml").is_file() else code_root() / "config"


def code_root() -> Path:
    """Return the folder that holds libs, services and config."""
    return Path(services.__path__[0]).parent


def _found(text: str) -> str:
    shown = text if len(text) <= 80 else text[:77] + "..."
    return f'"{shown}"'


def _number(
    text: dict[str, str | None], name: str, type_: type[V], expected: str, fits: Callable[[V], bool]
) -> V | None:
    given = text.get(name)
    if given is None:
        return None
    try:
        value = type_(given)
    except ValueError:
        raise ConfigError(FILE, f"--{name}", expected, _found(given)) from None
    # nan compares false with everything and is refused here.
    if not fits(value):
        raise ConfigError(FILE, f"--{name}", expected, _found(given))
    return value


def _choice(text: dict[str, str | None], name: str, known: tuple[str, ...]) -> str | None:
    given = text.get(name)
    if given is not None and given not in known:
        raise ConfigError(FILE, f"--{name}", " or ".join(known), _found(given))
    return given


def _sources(given: list[str]) -> tuple[str, ...]:
    if "synthetic" in given:
        if len(given) > 1:
            raise ConfigError(FILE, "--source", "synthetic alone, or paths of recordings", _found(" ".join(given)))
        return ("synthetic",)
    for path in given:
        if not Path(path).exists():
            raise MissingError(
                f"{FILE}: --source: expected synthetic or the path of a recording, found nothing at {_found(path)}"
            )
    return tuple(str(Path(path).absolute()) for path in given)


def _state_dir(text: str | None) -> Path | None:
    if text is not None and Path(text).exists() and not Path(text).is_dir():
        raise ConfigError(FILE, "--state-dir", "a folder, or a name for a new one", _found(text))
    return None if text is None else Path(text).absolute()


def output(text: str | None, option: str) -> Path | None:
    """Return the file that an option says to write; None: none.

    Raises
    ------
    ConfigError
        When its folder is not there or cannot be written.
    """
    if text is None:
        return None
    path = Path(text).absolute()
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ConfigError(FILE, option, "a file in a folder that exists and can be written", _found(text))
    return path


def _check_feed(text: dict[str, str | None], sources: object) -> None:
    """Refuse what only a replay understands."""
    replays = ("speed", "levels", "symbols", "venues", "loss")
    given = [f"--{name}" for name in replays if text.get(name) is not None] + ["--source"] * bool(sources)
    if text.get("feed") is not None and given:
        raise ConfigError(FILE, given[0], "it without --feed (config/feeder.toml names symbols)", "--feed beside it")


def _check_pace(options: UpOptions) -> None:
    if options.speed is not None and options.rate is not None:
        raise ConfigError(FILE, "--speed", "either --speed or --rate", "both")
    if options.speed is not None and options.source in {None, ("synthetic",)}:
        raise ConfigError(FILE, "--speed", "a recording in --source (the generator takes --rate)", "the generator")


def spread_sources(arguments: list[str]) -> list[str]:
    """Return arguments with ``--source A B`` written as ``--source A --source B``, which is what the parser knows."""
    found: list[str] = []
    in_sources = False
    for word in arguments:
        if word.startswith("-"):
            in_sources = word == "--source"
            found.append(word)
            continue
        if in_sources and found[-1] != "--source":
            found.append("--source")
        found.append(word)
    return found


def symbols_file(folder: Path) -> Path:
    """Return the consumer's symbols file that a folder of configuration names.

    Raises
    ------
    ConfigError
        When what it names is no file's name.
    """
    named = read(folder / "consumer.toml").get("symbols_file", "consumer/symbols.json")
    if not isinstance(named, str):
        raise ConfigError(str(folder / "consumer.toml"), "symbols_file", "the name of a file", repr(named))
    return folder / named

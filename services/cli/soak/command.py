"""The words of `crossbook soak` as options."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from libs.config import near, shown
from libs.errors import ConfigError
from services.cli.soak.judging import Limits
from services.cli.soak.run import SCENARIOS, Options
from services.cli.soak.run import run as run_options

Words = Mapping[str, str | None]
_FLAGS = {"p99": "--p99-ms"}


class Flags(NamedTuple):
    """What the words say beside names and numbers; see :class:`services.cli.soak.run.Options`."""

    faults: bool = False
    attach: bool = False
    own: bool = False
    report: str | None = None
    config: str | None = None
    as_json: bool = False


def options(words: Words, flags: Flags) -> Options:
    """Return the options.

    Raises
    ------
    ConfigError
        Naming the option, what was expected and what was found.
    """
    scenario = words["scenario"] or "soak"
    if scenario not in SCENARIOS:
        expected = f"one of {', '.join(SCENARIOS)}{near(scenario, list(SCENARIOS))}"
        raise ConfigError("command line", "--scenario", expected, shown(scenario))
    if flags.own and (flags.attach or flags.config is not None):
        other = "--attach" if flags.attach else f"--config {flags.config}"
        raise ConfigError("command line", "--own", "a stack of its own, or one that runs", other)
    if flags.faults and scenario != "soak":
        raise ConfigError("command line", "--faults", "the scenario soak", shown(scenario))
    return Options(
        scenario=scenario,
        duration_s=_number(words, "duration", 0.0),
        rate=_number(words, "rate", 0.0),
        symbols=int(_number(words, "symbols", 20.0)),
        faults=flags.faults,
        seed=int(_number(words, "seed", 1.0)),
        limits=Limits(p99_ms=_number(words, "p99", Limits().p99_ms)),
        attach=flags.attach,
        own=flags.own,
        config=flags.config,
        report=Path(flags.report) if flags.report else None,
        as_json=flags.as_json,
    )


def run(words: Words, flags: Flags) -> int:
    """Run what the words say; see :func:`services.cli.soak.run.run`."""
    return run_options(options(words, flags))


def _number(words: Words, name: str, default: float) -> float:
    text = words[name]
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf or (name in ("symbols", "seed") and value != int(value)):
        raise ConfigError("command line", _FLAGS.get(name, f"--{name}"), "a number above 0", shown(text))
    return value

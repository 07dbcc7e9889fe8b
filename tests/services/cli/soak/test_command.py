"""The words of `crossbook soak`: wrong ones are refused by name, and without a stack it says where it looked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from libs.errors import ConfigError
from services.cli.soak import command
from services.cli.soak.run import SCENARIOS
from tests.source import ROOT

NONE: dict[str, str | None] = dict.fromkeys(("scenario", "duration", "rate", "symbols", "seed", "p99"))


def _options(faults: bool = False, **words: str) -> command.Options:
    return command.options(NONE | words, command.Flags(faults))


def test_every_scenario_has_its_script_and_its_time() -> None:
    """Without --duration a scenario takes as long as its table says."""
    for scenario, seconds in SCENARIOS.items():
        assert (ROOT / "tests" / "load" / f"{scenario}.js").is_file()
        assert _options(scenario=scenario).seconds == seconds
    assert _options(duration="20", rate="1e4").seconds == 20


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ({"scenario": "smoek"}, "--scenario"),
        ({"duration": "-1"}, "--duration"),
        ({"rate": "fast"}, "--rate"),
        ({"seed": "1.5"}, "--seed"),
        ({"p99": "nan"}, "--p99-ms"),
        ({"scenario": "spike", "faults": True}, "--faults"),
    ],
)
def test_a_wrong_word_is_refused_by_name(words: dict[str, str], key: str) -> None:
    """Naming the option, what was expected and what was found."""
    with pytest.raises(ConfigError) as caught:
        _options(**words)  # type: ignore[arg-type]
    assert caught.value.key == key


@pytest.mark.parametrize("flags", [command.Flags(own=True, attach=True), command.Flags(own=True, config="config")])
def test_a_stack_is_its_own_or_one_that_runs(flags: command.Flags) -> None:
    """--own with --attach or --config is refused."""
    with pytest.raises(ConfigError) as caught:
        command.options(NONE, flags)
    assert caught.value.key == "--own"


def test_a_stack_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With --config, nothing is started: status 3, one line, the addresses that were asked."""
    for number, service in enumerate(("replay", "consumer", "signals", "oms")):
        (tmp_path / f"{service}.toml").write_text(f"http_port = {1 + number}\n")
    words = [sys.executable, "-m", "services.cli", "soak", "--duration", "5", "--config", str(tmp_path)]
    words += ["--report", str(tmp_path / "report")]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 3
    assert "nothing runs here" in ended.stderr
    assert "127.0.0.1:2" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1

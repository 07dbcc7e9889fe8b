"""The command line of `crossbook up`."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.errors import ConfigError, MissingError
from services.cli.arguments import code_root, config_folder, spread_sources, up_options


def test_nothing_given_leaves_the_configuration_alone() -> None:
    """Without arguments the configuration's own values stand."""
    options = up_options()
    assert options.for_replay() == {}
    assert options.duration_s == 0.0
    assert (options.config / "replay.toml").is_file()


def test_given_values_reach_the_replay_with_their_types() -> None:
    """Each argument of the replay arrives under its key, as a number where it is one."""
    options = up_options(
        source=["synthetic"], rate="20000", levels="2.5", symbols="200", venues="3", seed="7", lines="ab", loss="0.01"
    )
    assert options.for_replay() == {
        "source": "synthetic",
        "rate": 20000.0,
        "levels": 2.5,
        "symbols": 200,
        "venues": 3,
        "seed": 7,
        "lines": "ab",
        "loss": 0.01,
    }


def test_recordings_become_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The services may run elsewhere, so paths do not depend on the working directory."""
    (tmp_path / "a.jsonl").touch()
    monkeypatch.chdir(tmp_path)
    assert up_options(source=["a.jsonl"], speed="10").for_replay() == {
        "source": [str(tmp_path / "a.jsonl")],
        "speed": 10.0,
    }


@pytest.mark.parametrize(
    ("given", "key", "found"),
    [
        ({"rate": "x"}, "--rate", '"x"'),
        ({"rate": "nan"}, "--rate", '"nan"'),
        ({"rate": "0"}, "--rate", '"0"'),
        ({"symbols": "2.5"}, "--symbols", '"2.5"'),
        ({"symbols": "2049"}, "--symbols", '"2049"'),
        ({"venues": "6"}, "--venues", '"6"'),
        ({"duration": "-1"}, "--duration", '"-1"'),
        ({"duration": "inf"}, "--duration", '"inf"'),
        ({"seed": "-1"}, "--seed", '"-1"'),
        ({"loss": "1"}, "--loss", '"1"'),
        ({"lines": "b"}, "--lines", '"b"'),
        ({"costs": "none"}, "--costs", '"none"'),
        ({"speed": "2", "rate": "3"}, "--speed", "both"),
        ({"speed": "2"}, "--speed", "the generator"),
        ({"config": "/nonexistent"}, "--config", '"/nonexistent"'),
        ({"report": "/nonexistent/report.json"}, "--report", '"/nonexistent/report.json"'),
        ({"source": ["synthetic", "other"]}, "--source", '"synthetic other"'),
    ],
)
def test_wrong_values_are_named(given: dict, key: str, found: str) -> None:
    """A wrong argument stops the start with one line: the option, what was expected, what was found."""
    with pytest.raises(ConfigError) as caught:
        up_options(**given)
    assert caught.value.key == key
    assert str(caught.value).endswith(f"found {found}")
    assert "\n" not in str(caught.value)


def test_a_recording_that_is_not_there_is_missing() -> None:
    """A file that does not exist is exit status 3, and the line names it."""
    with pytest.raises(MissingError, match=r"--source.*nowhere\.jsonl"):
        up_options(source=["nowhere.jsonl"])


def test_configuration_comes_from_here_or_with_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`./config` is used where there is one, else the files that came with the code."""
    monkeypatch.chdir(tmp_path)
    assert config_folder(None) == code_root() / "config"
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "replay.toml").touch()
    assert config_folder(None) == Path("config")


@pytest.mark.parametrize(
    ("given", "spread"),
    [
        (["up", "--source", "a", "b", "--seed", "1"], ["up", "--source", "a", "--source", "b", "--seed", "1"]),
        (["up", "--source", "a", "--source", "b"], ["up", "--source", "a", "--source", "b"]),
        (["up", "--seed", "1", "stray"], ["up", "--seed", "1", "stray"]),
        (["up", "--source"], ["up", "--source"]),
    ],
)
def test_several_paths_may_follow_source(given: list[str], spread: list[str]) -> None:
    """`--source A B` means the same as `--source A --source B`; nothing else takes several values."""
    assert spread_sources(given) == spread

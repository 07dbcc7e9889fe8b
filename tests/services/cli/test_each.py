"""Commands that are one service each."""

from __future__ import annotations

import pytest

from services.cli import each, rundir

RUNS = [
    {"started": 3.0, "redis_url": "redis://127.0.0.1/0", "stream_prefix": "up-7:"},
    {"started": 2.0, "redis_url": "unix:///run/new/redis.sock", "stream_prefix": ""},
    {"started": 1.0, "redis_url": "unix:///run/old/redis.sock", "stream_prefix": ""},
]


@pytest.fixture(autouse=True)
def _runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rundir, "running", lambda: RUNS)
    monkeypatch.delenv("REDIS_URL", raising=False)


def test_a_reader_meets_the_newest_run() -> None:
    """Of those with a Redis of their own."""
    assert each.surroundings("record", ["recording"]) == {"REDIS_URL": "unix:///run/new/redis.sock"}
    assert each.surroundings("consumer", []) == {}


@pytest.mark.parametrize("words", [["x", "--config", "a.toml"], ["--config=a.toml", "x"]])
def test_a_named_configuration_wins(words: list[str]) -> None:
    """Its Redis is meant."""
    assert each.surroundings("record", words) == {}


def test_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """REDIS_URL is meant, whatever runs."""
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    assert each.surroundings("record", ["recording"]) == {}


def test_without_a_run_the_configuration_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is changed."""
    monkeypatch.setattr(rundir, "running", list)
    assert each.surroundings("record", ["recording"]) == {}

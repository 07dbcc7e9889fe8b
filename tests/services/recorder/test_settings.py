"""Settings of the recorder."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.errors import ConfigError
from libs.streams.schemas import SCHEMAS
from services.recorder.settings import read

ROOT = Path(__file__).resolve().parents[3]


def test_the_file_that_ships_says_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """config/recorder.toml loads, holds the defaults of the code, and records every packed stream."""
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.delenv("HTTP_HOST", raising=False)
    settings = read(ROOT / "config/recorder.toml")
    assert settings == type(settings)()
    assert settings.recorded == tuple(SCHEMAS)


def test_addresses_of_the_environment_win(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """REDIS_URL and HTTP_HOST win over the file."""
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere:1/0")
    monkeypatch.setenv("HTTP_HOST", "0.0.0.0")
    path = tmp_path / "r.toml"
    path.write_text('streams = ["book", "trades"]\n')
    settings = read(path)
    assert (settings.redis_url, settings.http_host) == ("redis://elsewhere:1/0", "0.0.0.0")
    assert settings.recorded == ("book", "trades")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("flush_rows = 0", "flush_rows"),
        ("flush_interval_s = 0.0", "flush_interval_s"),
        ("max_bytes = -1", "max_bytes"),
        ("http_port = 70000", "http_port"),
        ('streams = ["books"]', "streams[0]"),
        ('streams = ["book", "book"]', "streams"),
        ('redis_url = "nonsense"', "redis_url"),
        ("flush_row = 1", "flush_row"),
    ],
)
def test_what_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, key: str) -> None:
    """A wrong value or key is refused by its path."""
    monkeypatch.delenv("REDIS_URL", raising=False)
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert caught.value.key == key

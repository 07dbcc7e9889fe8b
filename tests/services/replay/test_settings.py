"""Settings of the replay."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.errors import ConfigError
from services.replay.settings import Settings, read

ROOT = Path(__file__).resolve().parents[3]


def write(folder: Path, text: str) -> Path:
    path = folder / "replay.toml"
    path.write_text(text)
    return path


def test_the_file_in_config_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is delivered loads, and the command line wins over it."""
    monkeypatch.setenv("HTTP_HOST", "127.0.0.2")
    settings = read(ROOT / "config/replay.toml", rate=10.0, lines="ab")
    assert (settings.rate, settings.http_host, len(settings.targets)) == (10.0, "127.0.0.2", 2)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("speeed = 1", "speeed"),
        ("port = 0", "port"),
        ("port = 70000", "port"),
        ('group = "10.0.0.1"', "group"),
        ('group = "localhost"', "group"),
        ('rate = "fast"', "rate"),
        ("loss = 1.0", "loss"),
        ('lines = "ab"', "line_b"),
        ('lines = "ab"\n[line_b]\ngroup = "1.2.3.4"\nport = 9', "line_b.group"),
        ("symbols = 2049", "symbols"),
        ('recovery_host = "0.0.0.0"', "recovery_host"),
        ('recovery_host = "239.192.0.1"', "recovery_host"),
        ('recovery_host = "localhost"', "recovery_host"),
        ("recovery_port = 65536", "recovery_port"),
        ("recovery_connections = 0", "recovery_connections"),
        ("history_messages = 255", "history_messages"),
        ("history_bytes = 262143", "history_bytes"),
    ],
)
def test_wrong_settings_name_file_and_key(tmp_path: Path, text: str, key: str) -> None:
    """One line: file, key, expected, found."""
    with pytest.raises(ConfigError) as caught:
        read(write(tmp_path, text))
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{tmp_path / 'replay.toml'}: ")
    assert key in message


def test_wrong_command_line_is_a_config_error(tmp_path: Path) -> None:
    """An option out of range is refused like a key of the file."""
    with pytest.raises(ConfigError, match="command line"):
        read(write(tmp_path, ""), loss=2.0)
    assert read(write(tmp_path, "")) == Settings()

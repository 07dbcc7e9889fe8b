"""Settings of the feeder."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.errors import ConfigError
from services.feeder.settings import read

KNOWN = ["binance", "okx"]
FINE = '[feeds.okx]\nsymbols = ["BTC-USDT"]\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "feeder.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "feeds: expected a feed with symbols"),
        ("[feeds.okx]\nsymbols = []\n", "feeds: expected a feed with symbols"),
        (FINE + "enabled = false\n", "feeds: expected a feed with symbols"),
        ('[feeds.binanse]\nsymbols = ["BTC-USDT"]\n', "near: binance"),
        ('[feeds.okx]\nsymbols = ["BTC-USDT", "BTC-USDT"]\n', "feeds.okx.symbols[1]: expected each symbol once"),
        (FINE + 'ws = "http://x"\n', "feeds.okx.ws: expected an address that begins with ws://"),
        (FINE + 'rest = "ws://x"\n', "feeds.okx.rest: expected an address that begins with http://"),
        (FINE + "key = 1\n", "key"),
        ("mute_after_s = 30.0\n" + FINE, "dead_after_s: expected more than mute_after_s (30)"),
        ("inbox_messages = 1\n" + FINE, "inbox_messages"),
        ('lines = "ab"\n' + FINE, "line_b"),
    ],
)
def test_wrong_settings_name_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    """One line: file, key, expected, found."""
    with pytest.raises(ConfigError) as caught:
        read(write(tmp_path, text), KNOWN)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{tmp_path / 'feeder.toml'}: ")
    assert said in message


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LIMITED_MODE and HTTP_HOST over the file, the command line over both; nonsense is refused."""
    path = write(tmp_path, FINE)
    assert read(path, KNOWN).limited is False
    monkeypatch.setenv("LIMITED_MODE", "true")
    monkeypatch.setenv("HTTP_HOST", "127.0.0.2")
    found = read(path, KNOWN, lines="a", duration_s=3.0)
    assert (found.limited, found.http_host, found.duration_s) == (True, "127.0.0.2", 3.0)
    monkeypatch.setenv("LIMITED_MODE", "perhaps")
    with pytest.raises(ConfigError, match="LIMITED_MODE"):
        read(path, KNOWN)

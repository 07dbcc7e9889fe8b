"""The consumer's settings are read once and say what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.config import load
from libs.errors import ConfigError
from services.consumer.recovery import limits_of
from services.consumer.settings import RecoveryServer, Settings, read
from tests.conftest import ROOT


def settings(folder: Path, text: str) -> Settings:
    """Read settings of which only a part is given."""
    path = folder / "consumer.toml"
    path.write_text(f'symbols_file = "{ROOT}/config/consumer/symbols.json"\n{text}\n')
    return read(path)[0]


def test_the_shipped_file_spells_the_defaults_of_recovery() -> None:
    """One server on loopback, and limits that the client's own defaults repeat."""
    shipped = load(ROOT / "config/consumer.toml", Settings)
    assert shipped.recovery == Settings().recovery == (RecoveryServer("127.0.0.1", 9190),)
    assert shipped.recovery_limits == Settings().recovery_limits
    assert limits_of(shipped.recovery_limits) == limits_of(Settings().recovery_limits)


def test_recovery_can_be_turned_off(tmp_path: Path) -> None:
    """An empty list names no server."""
    assert settings(tmp_path, "recovery = []").recovery == ()


def test_several_servers(tmp_path: Path) -> None:
    """Each entry is a server, which may be asked about some exchanges only."""
    text = '[[recovery]]\nport = 9191\n[[recovery]]\nhost = "10.0.0.1"\nexchanges = ["okx"]'
    assert settings(tmp_path, text).recovery == (
        RecoveryServer("127.0.0.1", 9191),
        RecoveryServer("10.0.0.1", 9190, ("okx",)),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[[recovery]]\nhost = "localhost"',
            r'recovery\[0\]\.host: expected a numeric IPv4 address, found "localhost"',
        ),
        ("[[recovery]]\nport = 0", r"recovery\[0\]\.port: expected a port from 1 to 65535, found 0"),
        ('[[recovery]]\nport = "9190"', r'recovery\[0\]\.port: expected int, found "9190"'),
        (
            '[[recovery]]\nexchanges = ["okx", "binanc"]',
            r"recovery\[0\]\.exchanges\[1\]: expected one of binance, .*near: binance\), found \"binanc\"",
        ),
        ("[[recovery]]\n[[recovery]]", r"recovery\[1\]: expected another host or port .* found \"127.0.0.1:9190\""),
        ("[[recovery]]\nhosts = 1", r"recovery\[0\]\.hosts: expected a known key \(near: host"),
        ("[recovery_limits]\nin_flight = 0", r"recovery_limits\.in_flight: expected .*>= 1, found 0"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    """A wrong value names its key, what was expected and what was found."""
    with pytest.raises(ConfigError, match=said):
        settings(tmp_path, text)

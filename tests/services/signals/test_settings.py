"""Settings of the signal service."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.errors import ConfigError
from services.signals.settings import read

ROOT = Path(__file__).resolve().parents[3]


def test_the_file_that_ships_says_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """config/signals.toml loads, names the model beside it, and its fees are those of the code."""
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.delenv("HTTP_HOST", raising=False)
    settings, model = read(ROOT / "config/signals.toml")
    assert settings == type(settings)()
    assert model == ROOT / "config/models/default.json"


def test_addresses_of_the_environment_win(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """REDIS_URL and HTTP_HOST win over the file, an absolute model file over its folder."""
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere:1/0")
    monkeypatch.setenv("HTTP_HOST", "0.0.0.0")
    path = tmp_path / "s.toml"
    path.write_text('model = "/models/mine.json"\ncosts = "real"\n')
    settings, model = read(path)
    assert (settings.redis_url, settings.http_host, settings.costs) == ("redis://elsewhere:1/0", "0.0.0.0", "real")
    assert model == Path("/models/mine.json")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('costs = "free"', "costs"),
        ("http_port = 70000", "http_port"),
        ("[sizing]\nmax_fraction = 2.0", "sizing.max_fraction"),
        ("[real.taker_fee_bps.binance]\nspot = -1.0\nderivative = 1.0", "real.taker_fee_bps.binance.spot"),
        ("treshold = 1", "treshold"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, key: str) -> None:
    """A wrong value or key is refused by its path."""
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert caught.value.key == key


def test_fees_go_by_what_is_traded() -> None:
    """A perpetual or dated contract has the derivative's fee."""
    fees = read(ROOT / "config/signals.toml")[0].real.taker_fee_bps
    assert fees.of("binance", "BTC-USDT") == 10.0
    assert fees.of("bybit", "BTC-USDT-PERP") == 5.5
    assert fees.of("deribit", "BTC-USD-20211231") == 5.0

"""``crossbook train microprice``: a table of a recording, and what is no table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from libs.features.microprice import load
from services.cli.__main__ import main

DATA = Path(__file__).resolve().parents[2] / "data/binance/spot_btcusdt_20240808.gz"


def train(path: Path, to: Path, *more: str) -> int:
    """Run the command."""
    return main(["train", "microprice", str(path), "--symbol", "NEXO-USDT", "--to", str(to), *more])


@pytest.mark.recordings
def test_a_recording_gives_a_table(recordings: Path, tmp_path: Path) -> None:
    """It says where it comes from, the consumer can read it, and mid follows the larger side."""
    source = recordings / "binance" / "nexousdt_202407"
    assert train(source, tmp_path / "t.json", "--buckets", "6", "--spreads", "3") == 0
    table = load(tmp_path / "t.json", "binance", "NEXO-USDT")
    assert (table.tick, table.adjustments.shape) == ((1, -3), (6, 4))
    assert (np.diff(table.adjustments[:, 1]) > 0).all()
    training = json.loads((tmp_path / "t.json").read_text())["training"]
    assert training["sources"] == ["nexousdt_202407"]
    assert training["moves"] == 2_547
    assert training["start"] < training["end"]
    assert train(source, tmp_path / "again.json", "--buckets", "6", "--spreads", "3") == 0
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "t.json").read_bytes()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--buckets", "65"), "--buckets: expected a whole number from 2 to 64"),
        (("--spreads", "x"), "--spreads: expected a whole number from 1 to 16"),
        (("--exchange", "binanse"), "--exchange: expected one of binance"),
        ((), "--symbol: expected a symbol of binance in the recording (BTC-USDT)"),
        (("--symbol", "BTC-USDT"), "expected a recording that determines a table of BTC-USDT, found"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    more: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, naming the argument; nothing is written."""
    assert train(DATA, tmp_path / "t.json", *more) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "t.json").exists()


def test_only_the_microprice_is_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another word, a folder that is not there: exit 2."""
    assert main(["train", "model", str(DATA), "--symbol", "BTC-USDT", "--to", str(tmp_path / "t.json")]) == 2
    assert "WHAT: expected microprice" in capsys.readouterr().err
    assert train(DATA, tmp_path / "none" / "t.json") == 2
    assert "in a folder that exists" in capsys.readouterr().err

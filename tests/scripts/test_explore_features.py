"""The notebook-like script: returns without a look into the future, one line a feature."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from libs.features.definitions import FEATURES
from scripts import explore_features
from services.cli import features

DATA = Path(__file__).resolve().parents[1] / "data/binance"
SECOND = 1_000_000


def test_a_return_is_that_of_the_last_row_a_horizon_later() -> None:
    """Rows whose horizon lies beyond the end have none; windows do not overlap."""
    rows = pl.DataFrame(
        {
            "feed_ts_us": [0, 10 * SECOND, 14 * SECOND, 16 * SECOND, 31 * SECOND],
            "best_bid": [99.0, 100.0, 101.0, 102.0, 103.0],
            "best_ask": [101.0, 102.0, 103.0, 104.0, 105.0],
        }
    )
    found = explore_features.with_returns(rows)
    assert found["feed_ts_us"].to_list() == [0, 16 * SECOND]
    assert found["later_mid"].to_list() == [102.0, 104.0]
    assert found["return_bps"].to_list() == pytest.approx([198.0263, 96.6191], abs=1e-3)


def test_every_feature_has_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a file that the command wrote; a missing file is an error."""
    target = tmp_path / "rows.parquet"
    features.run([str(DATA)], "BTC-USDT", str(target))
    assert explore_features.main([str(target)]) == 0
    said = capsys.readouterr().out
    assert "binance BTC-USDT" in said and all(name in said for name in FEATURES)
    assert explore_features.main([str(tmp_path / "none")]) == 2

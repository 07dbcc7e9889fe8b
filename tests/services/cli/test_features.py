"""``crossbook features``: a recording's rows as Parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from libs.errors import ConfigError, MissingError
from libs.features.definitions import FEATURES
from libs.offline.passes import Pass
from libs.storage.source import RecordingSource, instruments_of
from services.cli import features

DATA = Path(__file__).resolve().parents[2] / "data/binance"


def test_the_file_holds_every_row_of_the_symbol(tmp_path: Path) -> None:
    """Columns are those of the contract, in its order and types; values are the rows' own, NaN included."""
    target = tmp_path / "rows.parquet"
    assert features.run([str(DATA)], "BTC-USDT", str(target)) == 0
    table = pq.read_table(target)
    assert table.column_names[:9] == [
        "feed_ts_us", "exchange", "symbol", "valid", "incomplete", "best_bid", "best_ask", "bid_size", "ask_size",
    ]  # fmt: skip
    assert table.column_names[9:] == list(FEATURES)
    assert [str(table.schema.field(name).type) for name in ("feed_ts_us", "symbol", "valid", "best_bid")] == [
        "int64", "string", "bool", "double",
    ]  # fmt: skip
    source = RecordingSource([DATA], instrument_of=instruments_of(""))
    parts = [block.features[block.features["symbol"] == b"BTC-USDT"].copy() for block in Pass(source).blocks()]
    rows = np.concatenate(parts)
    assert table.num_rows == len(rows) > 100
    for name in ("feed_ts_us", "best_bid", "ask_size", *FEATURES):
        assert np.array_equal(table[name].to_numpy(), rows[name], equal_nan=rows[name].dtype.kind == "f")
    assert set(table["exchange"].to_pylist()) == {"binance"}
    assert not list(tmp_path.glob("*.part"))


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    """An unknown symbol, a recording that is not there, another ending: each by name, and no file is left."""
    target = tmp_path / "rows.parquet"
    with pytest.raises(ConfigError, match="BTC-USDT"):
        features.run([str(DATA)], "BTC-USDX", str(target))
    with pytest.raises(MissingError, match="nowhere"):
        features.run([str(tmp_path / "nowhere")], "BTC-USDT", str(target))
    with pytest.raises(ConfigError, match=r"\.parquet"):
        features.run([str(DATA)], "BTC-USDT", str(tmp_path / "rows.csv"))
    assert not list(tmp_path.iterdir())

"""The notebook-like script for recordings: what is there, what is missing, by book and state."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from libs.nbbo.states import STATES
from libs.storage.store import Draft, Store
from libs.streams.schemas import FEATURES, NBBO, STATUS, STATUS_KINDS, TRADES
from scripts import read_recording

HOUR = 478_656
START_US = HOUR * 3_600_000_000
SECOND = 1_000_000


def rows_of(dtype: np.dtype, seconds: list[int], **columns: object) -> np.ndarray:
    """Return rows of BTC-USDT at these seconds."""
    rows = np.zeros(len(seconds), dtype)
    rows["symbol"], rows["feed_ts_us"] = b"BTC-USDT", START_US + SECOND * np.array(seconds)
    for name, values in columns.items():
        rows[name] = values
    return rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a recording of one book."""
    features = rows_of(FEATURES, [0, 1, 2, 4], valid=[1, 1, 0, 1], spread_bps=[1.0, 3.0, np.nan, 5.0])
    trades = rows_of(TRADES, [1, 2], size=[15, 5], size_exponent=[-1, 0])
    nbbo = rows_of(NBBO, [0, 3, 4], state=[STATES.index("normal"), STATES.index("locked"), STATES.index("normal")])
    status = rows_of(STATUS, [3], kind=STATUS_KINDS.index("break"))
    store = Store(tmp_path / "recording", "")
    parts = {"features": features, "trades": trades, "nbbo": nbbo, "status": status}
    drafts = [Draft(name, HOUR, rows) for name, rows in parts.items()]
    store.publish(store.draft(drafts, dict.fromkeys(parts, "1-0")))
    store.close()
    return tmp_path / "recording"


def test_what_was_recorded(folder: Path) -> None:
    """Rows and span of every stream that has any; breaks."""
    found = read_recording.streams(folder)
    assert found["stream"].to_list() == ["features", "nbbo", "status", "trades"]
    assert found["rows"].to_list() == [4, 3, 1, 2]
    span = found["last"] - found["first"]
    assert span.dt.total_seconds().to_list() == [4, 4, 0, 1]
    assert read_recording.missing(folder).select("kind", "times").rows() == [("break", 1)]


def test_a_book_and_its_nbbo(folder: Path) -> None:
    """Medians leave NaN out; a state lasts until the next row."""
    line = read_recording.books(folder, "BTC-USDT").row(0, named=True)
    assert (line["rows"], line["valid"], line["spread_bps"]) == (4, 0.75, 3.0)
    assert (line["prints"], line["volume"]) == (2, 6.5)
    assert read_recording.states(folder, "BTC-USDT").select("state", "rows", "seconds").rows() == [
        ("normal", 2, 3.0),
        ("locked", 1, 1.0),
    ]


def test_it_prints_what_it_finds(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything on the standard output; no recording, or no such book, is an error."""
    assert read_recording.main([str(folder), "--symbol", "BTC-USDT"]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("features", "break", "BTC-USDT", "locked"))
    assert read_recording.main([str(folder), "--symbol", "NONE-USDT"]) == 2
    assert read_recording.main([str(tmp_path)]) == 2
    assert read_recording.main([str(tmp_path / "none")]) == 2
    assert "expected a folder that crossbook record wrote" in capsys.readouterr().err

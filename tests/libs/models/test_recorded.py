"""Feature rows of recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from libs.models.recorded import feature_rows, usable
from libs.storage.recording import BinanceRecording
from libs.venues.events import STATUS_SYMBOL_INVALID, BookEvent, StatusEvent


def _book(time_us: int, levels: list[int], bids: int, *, snapshot: bool = False) -> BookEvent:
    asks = len(levels) // 2 - bids
    return BookEvent("A-B", snapshot, -1, 0, bids, asks, np.array(levels, np.int64), 0, 0, time_us)


def test_rows_follow_the_book() -> None:
    """Each event of a valid book makes one row with its best levels; none before the snapshot or while it is wrong."""
    rows = feature_rows(
        [
            _book(1, [100, 5], 1),
            _book(2, [100, 5, 102, 15], 1, snapshot=True),
            _book(3, [101, 5], 1),
            StatusEvent("A-B", STATUS_SYMBOL_INVALID, "gap", 4),
            _book(5, [101, 9], 1),
            _book(6, [90, 5, 92, 5], 1, snapshot=True),
        ]
    )["A-B"]
    assert rows["feed_ts_us"].tolist() == [2, 3, 6]
    assert rows["best_bid"].tolist() == [10.0, 10.1, 9.0]
    assert rows["queue_imbalance"].tolist() == [-0.5, -0.5, 0.0]
    assert usable(rows, whole_sums=True).all()


def test_what_no_signal_may_come_from_is_left_out() -> None:
    """Crossed and one-sided rows are not usable."""
    rows = feature_rows([_book(1, [103, 5, 102, 15], 1, snapshot=True), _book(2, [102, 0], 0)])["A-B"]
    assert usable(rows, whole_sums=False).tolist() == [False, False]


@pytest.mark.recordings
def test_a_recording_ends_with_the_book_that_its_readme_states(recordings: Path) -> None:
    """The first NEXO-USDT file gives a row a depth event, none crossed, and sums that reach nowhere unknown."""
    recording = BinanceRecording([recordings / "binance/nexousdt_202407/nexousdt_20240723.dat.gz"])
    rows = feature_rows(event for _, event in recording.events())["NEXO-USDT"]
    assert len(rows) == 1189
    assert usable(rows, whole_sums=True).all()
    assert np.isfinite(rows["wap_0ms"]).all()
    assert np.median(rows["spread_bps"]) == pytest.approx(8.2, abs=0.2)

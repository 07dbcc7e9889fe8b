"""Every feature at every event, against queries over the recorded books and prints."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings

from libs.features.definitions import COLUMNS
from libs.offline.passes import Pass
from libs.storage.source import RecordingSource, instruments_of
from libs.venues.events import STATUS_SYMBOL_INVALID, STATUS_TRADES_MISSED, BookEvent, Event, StatusEvent, TradeEvent
from tests.libs.features.streams import NEAR, streams
from tests.oracles.asked import Count, ask, asked, compare, record

SYMBOL = "BTC-USDT"
START_US = 1_700_000_000_000_000
AGGRESSORS = {1: 1, -1: 0, 0: 2}


class Made(RecordingSource):
    """A source of made-up events."""

    def __init__(self, stream: list[Any]) -> None:
        super().__init__([])
        self._recording = self  # type: ignore[assignment]
        self._stream = stream

    def events(self) -> Iterator[tuple[int, Event]]:
        """Yield what the stream says happened to one symbol."""
        now = START_US
        ids = itertools.count(1)
        for pause, (kind, *rest) in self._stream:
            now += pause
            for event in _events(kind, rest, now, ids):
                yield 1000 * now, event


def _events(kind: str, rest: list[Any], now: int, ids: Iterator[int]) -> list[Event]:
    if kind == "trade":
        side, size, exponent = rest
        return [TradeEvent(SYMBOL, next(ids), AGGRESSORS[side], 1000, -2, size, exponent, 0, now)]
    if kind == "missed":
        return [StatusEvent(SYMBOL, STATUS_TRADES_MISSED, "", now)]
    invalid = StatusEvent(SYMBOL, STATUS_SYMBOL_INVALID, "", now)
    if kind == "invalid":
        return [invalid]
    (bids, asks), unit, cut = rest
    levels = np.array([value for level in (*bids, *asks) for value in level], np.int64)
    book = BookEvent(SYMBOL, kind != "delta", *unit, len(bids), len(asks), levels, cut, 0, now)
    return [book] if kind == "delta" else [invalid, book]


def agree(count: Count) -> None:
    """Assert that nothing disagrees, and that something was compared."""
    assert count.wrong == []
    assert count.events > 0
    assert count.values + count.left_out == count.events * len(COLUMNS)


@settings(max_examples=25, phases=[Phase.explicit, Phase.generate])
@given(streams(NEAR))
def test_made_up_markets(tmp_path_factory: pytest.TempPathFactory, stream: list[Any]) -> None:
    """Gaps, equal times, empty, one-sided and locked books, edges of windows to the microsecond, finer units."""
    agree(asked(Made(stream), tmp_path_factory.mktemp("made")))


EDGES: list[Any] = [
    (0, ("snapshot", ([(999, 5), (998, 40)], [(1001, 7), (1002, 9)]), (-2, -3), 0)),
    (0, ("trade", 1, 25, -3)),
    (100_000, ("delta", ([(999, 8)], []), (-2, -3), 0)),
    (200_000, ("delta", ([(1000, 3)], [(1001, 2)]), (-2, -3), 0)),
    (700_000, ("trade", -1, 10, -3)),
    (0, ("delta", ([], [(1001, 4), (1003, 6)]), (-2, -3), 0)),
    (300_000, ("delta", ([(1000, 0)], [(1001, 0)]), (-2, -3), 0)),
    (700_000, ("delta", ([(997, 6)], [(1002, 0)]), (-2, -3), 0)),
    (0, ("delta", ([(999, 2)], []), (-2, -3), 0)),
    (59_000_000, ("delta", ([(999, 1)], [(1001, 1)]), (-2, -3), 0)),
    (1_000_000, ("delta", ([(999, 4)], [(1001, 3)]), (-2, -3), 0)),
]
"""Events exactly a lag and exactly a window after others, two at one time."""

MUTATIONS = (
    ("a lag needs an earlier event", "e.due >= l.t", "e.due > l.t"),
    ("prints at the begin of a window are in it", "s.due >= b.t", "s.due > b.t"),
    ("a book is known a moment later", "e.since <= e.t - span AS known", "e.since < e.t - span AS known"),
    ("a level on the edge is out", "<= (bp[1] + ap[1]) * (10000 + bps)", "< (bp[1] + ap[1]) * (10000 + bps)"),
    ("WAP weighted by its own side", "bp[1] * aq[1] + ap[1] * bq[1]", "bp[1] * bq[1] + ap[1] * aq[1]"),
    ("OFI: a worse price takes nothing away", "ELSE -q0 END", "ELSE 0 END"),
    (
        "plain returns, not logarithmic",
        "2 * atanh((m - m0)::DOUBLE / (m + m0)::DOUBLE)",
        "(m - m0)::DOUBLE / m0::DOUBLE",
    ),
    ("OFI of the best level's sizes", "bq[rank]", "bq[1]"),
)


def test_edges_of_windows(tmp_path: Path) -> None:
    """At exactly a lag or a window before the event."""
    agree(asked(Made(EDGES), tmp_path))


@pytest.mark.parametrize(("old", "new"), [case[1:] for case in MUTATIONS], ids=[case[0] for case in MUTATIONS])
def test_another_definition_is_found(tmp_path: Path, old: str, new: str) -> None:
    """A query that defines a feature otherwise disagrees with the kernels."""

    def change(script: str) -> str:
        assert old in script
        return script.replace(old, new)

    # A level exactly 10 bp above a mid of 1000.
    edge = (0, ("delta", ([], [(1001, 8)]), (-2, -3), 0))
    record(Pass(Made([*EDGES, edge]), levels=400, depth=8_192).blocks(), tmp_path, frozenset(), 0)
    assert compare(*ask(tmp_path)).wrong == []
    assert compare(*ask(tmp_path, change=change)).wrong


RECORDED = {
    ("binance/nexousdt_202407/nexousdt_20240723.dat.gz", "NEXO-USDT"): 1_188,
    ("binance/multi_20240808/spot_btcusdt_20240808.gz", "BTC-USDT"): 300,
    ("binance/multi_20240808/cm_btcusd_perp_20240808.gz", "BTC-USD-PERP"): 1_000,
}


@pytest.mark.recordings
@pytest.mark.parametrize(("path", "symbol"), RECORDED)
def test_recorded_markets(path: str, symbol: str, recordings: Path, tmp_path: Path) -> None:
    """The recorded markets; ``python -m tests.oracles.asked`` goes to the end of each."""
    source = RecordingSource([recordings / path], instrument_of=instruments_of(""))
    count = asked(source, tmp_path, frozenset([symbol.encode()]), RECORDED[path, symbol])
    agree(count)
    assert count.events >= RECORDED[path, symbol]
    assert count.defined > 0.8 * count.values


@pytest.mark.parametrize("levels", [20, 25])
def test_what_reaches_past_the_recorded_levels_is_left_out(levels: int, tmp_path: Path) -> None:
    """A band that the recorded levels do not fill cannot be asked for; the rest can."""
    bids = [(1_000_000 - k, 5) for k in range(1, levels + 5)]
    asks = [(1_000_000 + k, 5) for k in range(1, levels + 5)]
    first = (0, ("snapshot", (bids, asks), (-2, -3), 0))
    count = asked(Made([first, (2_000_000, ("delta", ([(999_999, 9)], []), (-2, -3), 0))]), tmp_path, levels=levels)
    agree(count)
    assert count.left_out == 2 * 5

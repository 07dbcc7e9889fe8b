"""The watch list of the signal service: latest predictions of a few books."""

from __future__ import annotations

import numpy as np
import pytest

from libs.streams.schemas import FEATURES
from libs.telemetry.segment import Segment
from services.signals.evaluate import Decision
from services.signals.watched import FIRST_SEEN, Watched, watch_of

BOOKS = 64


def _decision(*predictions: tuple[int, str, float]) -> Decision:
    """Return a decision of (book, symbol, predicted bps)."""
    rows = np.zeros(len(predictions), FEATURES)
    for at, (book, symbol, _) in enumerate(predictions):
        rows["book_id"][at], rows["symbol"][at], rows["exchange"][at] = book, symbol.encode(), book % 5
    mean = np.array([bps for _, _, bps in predictions])
    at = np.arange(len(predictions))
    none = np.zeros(len(predictions))
    return Decision(rows, at, mean, none, none, none, at, none.astype(np.bool_))


def _table(segment: Segment) -> dict[tuple[str, str], float]:
    found = {segment.watched(row): float(segment.watch_values[row, 0]) for row in range(segment.watch.rows)}
    return {name: value for name, value in found.items() if name[0]}


def test_a_named_symbol_shows_its_latest_prediction() -> None:
    """By book, as a ratio; others leave no trace."""
    segment = Segment.create("signals", [], watch=watch_of(("A-USDT",)))
    watched = Watched(segment, ("A-USDT",), BOOKS)
    watched.take(_decision((0, "A-USDT", 1.0), (1, "A-USDT", -2.0), (2, "B-USDT", 9.0)))
    watched.take(_decision((0, "A-USDT", 3.0)))
    assert _table(segment) == pytest.approx({("A-USDT", "binance"): 3e-4, ("A-USDT", "bybit"): -2e-4})


def test_the_first_symbols_are_taken_where_none_is_named() -> None:
    """So many and no more, whatever comes later."""
    segment = Segment.create("signals", [], watch=watch_of(()))
    watched = Watched(segment, (), BOOKS)
    for number in range(FIRST_SEEN + 4):
        watched.take(_decision((number, f"S{number}-USDT", 1.0)))
    assert {symbol for symbol, _ in _table(segment)} == {f"S{n}-USDT" for n in range(FIRST_SEEN)}


def test_a_new_run_of_the_consumer_begins_anew() -> None:
    """Book ids mean others then: nothing of before is shown under them."""
    segment = Segment.create("signals", [], watch=watch_of(("A-USDT",)))
    watched = Watched(segment, ("A-USDT",), BOOKS)
    watched.take(_decision((0, "A-USDT", 1.0)))
    watched.forget()
    assert _table(segment) == {}
    watched.take(_decision((0, "B-USDT", 1.0), (5, "A-USDT", 2.0)))
    assert _table(segment) == pytest.approx({("A-USDT", "binance"): 2e-4})

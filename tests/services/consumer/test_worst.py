"""Which message took longest: once a window, then forgotten."""

from __future__ import annotations

import numpy as np

from libs.engine import columns
from services.consumer.worst import RECENT, WINDOW_S, Worst


def _arrays() -> dict[str, np.ndarray]:
    return {"totals": np.zeros(columns.TOTALS, np.int64), "table_book_exchange": np.array([0, 3], np.uint8)}


def _note(arrays: dict[str, np.ndarray], latency_ns: int, sequence: int) -> None:
    totals = arrays["totals"]
    totals[[columns.WORST_NS, columns.WORST_SEQUENCE, columns.WORST_BOOK]] = (latency_ns, sequence, 1)
    totals[columns.WORST_WIRE_NS] = latency_ns // 2


def test_each_window_has_its_own_worst() -> None:
    """It is taken once a window, named by exchange, symbol and sequence, and the next window begins at nothing."""
    arrays, worst = _arrays(), Worst()
    _note(arrays, 9_000, 17)
    found = worst.take(arrays, 100.0, lambda book: f"S{book}")
    assert found is not None
    assert (found["latency_ns"], found["wire_ns"], found["sequence"]) == (9_000, 4_500, 17)
    assert (found["exchange"], found["symbol"]) == ("okx", "S1")
    _note(arrays, 5_000, 18)
    assert worst.take(arrays, 100.0 + WINDOW_S / 2, str) is None
    later = worst.take(arrays, 100.0 + WINDOW_S, str)
    assert later is not None and later["sequence"] == 18
    assert worst.take(arrays, 100.0 + 2 * WINDOW_S, str) is None


def test_few_are_remembered() -> None:
    """The latest windows alone."""
    arrays, worst = _arrays(), Worst()
    for window in range(RECENT + 4):
        _note(arrays, 1_000, window)
        worst.take(arrays, window * WINDOW_S, str)
    assert [found["sequence"] for found in worst.recent] == list(range(4, RECENT + 4))

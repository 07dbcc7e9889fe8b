"""The watch list: latest predictions of a few symbols as gauges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from libs.market.exchanges import EXCHANGES
from libs.telemetry.segment import Segment, Watch
from services.signals.evaluate import Decision

FIRST_SEEN = 5
"""Watched where nothing is configured: the first symbols that rows speak of."""
BPS = 1e-4


def watch_of(names: Sequence[str]) -> Watch:
    """Return the table for so many symbols, a row for each of their books."""
    return Watch((len(names) or FIRST_SEEN) * len(EXCHANGES), (("sig_watch_prediction_ratio", {}),))


class Watched:
    """Keeps the latest prediction of each watched book.

    Parameters
    ----------
    segment : Segment
        Made with :func:`watch_of`'s table.
    names : sequence of str
        Canonical symbols; empty: the first that come.
    max_books : int
    """

    def __init__(self, segment: Segment, names: Sequence[str], max_books: int) -> None:
        self.segment, self.names = segment, tuple(names)
        self._row = np.full(max_books, -1, np.int64)
        self._asked = np.zeros(max_books, np.bool_)
        self._symbols: list[str] = []
        self._rows = 0

    def forget(self) -> None:
        """Forget which books are which: their ids mean others now."""
        self._row[:] = -1
        self._asked[:] = False
        self._symbols.clear()
        self._rows = 0
        self.segment.watch_values[:] = np.nan
        self.segment.watch_names[:] = 0

    def take(self, decision: Decision) -> None:
        """Take in the predictions of a batch."""
        books = decision.rows["book_id"][decision.at]
        if not self._asked[books].all():
            self._discover(decision, books)
        rows = self._row[books]
        watched = rows >= 0
        if watched.any():
            self.segment.watch_values[rows[watched], 0] = decision.mean[watched] * BPS

    def _discover(self, decision: Decision, books: np.ndarray) -> None:
        for book, at in zip(books.tolist(), decision.at.tolist(), strict=True):
            if self._asked[book]:
                continue
            self._asked[book] = True
            symbol = decision.rows["symbol"][at].decode()
            exchange = int(decision.rows["exchange"][at])
            if self._wanted(symbol) and exchange < len(EXCHANGES) and self._rows < self.segment.watch.rows:
                self.segment.name_watched(self._rows, symbol, EXCHANGES[exchange])
                self._row[book] = self._rows
                self._rows += 1

    def _wanted(self, symbol: str) -> bool:
        if self.names:
            return symbol in self.names
        if symbol not in self._symbols and len(self._symbols) < FIRST_SEEN:
            self._symbols.append(symbol)
        return symbol in self._symbols

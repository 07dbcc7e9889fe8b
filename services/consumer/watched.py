"""The watch list: quotes and features of a few symbols as gauges; a symbol is a label nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from libs.engine.state import bind_table
from libs.market.exchanges import EXCHANGES
from libs.market.symbol_table import t_symbol_name
from libs.streams.schemas import FEATURES, NBBO
from libs.telemetry.segment import Segment, Watch

FIRST_HEARD = 5
"""Watched where nothing is configured: the first symbols that the feed speaks of."""
FEATURE_NAMES = (
    "spread_bps",
    "order_book_imbalance",
    "order_flow_imbalance",
    "trade_flow_imbalance",
    "realized_vol_1s",
)
COLUMNS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("md_watch_price", {"side": "bid"}),
    ("md_watch_price", {"side": "ask"}),
    ("md_watch_spread_ratio", {}),
    *(("md_watch_feature", {"feature": name}) for name in FEATURE_NAMES),
)
QUOTE = 3
"""Columns of a symbol's own row; the others are those of its books."""


def watch_of(names: Sequence[str]) -> Watch:
    """Return the table for so many symbols: a row each, and one for each exchange."""
    return Watch((len(names) or FIRST_HEARD) * (1 + len(EXCHANGES)), COLUMNS)


class Watched:
    """Fills the watch table.

    Parameters
    ----------
    segment : Segment
        Made with :func:`watch_of`'s table.
    arrays : mapping
        The engine's.
    names : sequence of str
        Canonical symbols; empty: the first that are heard.
    """

    def __init__(self, segment: Segment, arrays: Mapping[str, np.ndarray], names: Sequence[str]) -> None:
        self.segment, self.arrays, self.names = segment, arrays, tuple(names)
        self.table = bind_table(arrays)
        self._symbols: list[int] = []
        self._rows: list[int] = []
        self._books: list[int] = []
        self._known = 0

    def update(self) -> None:
        """Take newly heard symbols and books in, and bring every value up to date."""
        self._discover()
        values = self.segment.watch_values
        for at, symbol in enumerate(self._symbols):
            values[at * (1 + len(EXCHANGES)), :QUOTE] = self._quote(symbol)
        if self._books:
            rows = self.arrays["out_features"][self._books].view(FEATURES)[:, 0]
            found = np.column_stack([rows[name] for name in FEATURE_NAMES])
            found[rows["valid"] == 0] = np.nan
            values[self._rows, QUOTE:] = found

    def _quote(self, symbol: int) -> tuple[float, float, float]:
        row = self.arrays["out_nbbo"][symbol].copy().view(NBBO)[0]
        if not (int(row["bid_exchanges"]) and int(row["ask_exchanges"])):
            return np.nan, np.nan, np.nan
        scale = 10.0 ** int(row["price_exponent"])
        bid, ask = int(row["bid_price"]) * scale, int(row["ask_price"]) * scale
        return bid, ask, 2 * (ask - bid) / (ask + bid)

    def _discover(self) -> None:
        """Find symbols of the list that were not known, and books of those that are."""
        books = int(self.arrays["table_counts"][0])
        heard = int(np.count_nonzero(self.arrays["heard"][:books]))
        if heard == self._known:
            return
        self._known = heard
        for symbol in range(int(self.arrays["table_counts"][1])):
            if symbol not in self._symbols and self._wanted(symbol):
                self.segment.name_watched(len(self._symbols) * (1 + len(EXCHANGES)), t_symbol_name(self.table, symbol))
                self._symbols.append(symbol)
        for at, symbol in enumerate(self._symbols):
            for exchange, name in enumerate(EXCHANGES):
                book = int(self.table.symbol_books[symbol, exchange])
                if book >= 0 and self.arrays["heard"][book] and book not in self._books:
                    row = at * (1 + len(EXCHANGES)) + 1 + exchange
                    self.segment.name_watched(row, t_symbol_name(self.table, symbol), name)
                    self._rows.append(row)
                    self._books.append(book)

    def _wanted(self, symbol: int) -> bool:
        if self.names:
            return t_symbol_name(self.table, symbol) in self.names
        books = self.table.symbol_books[symbol]
        return len(self._symbols) < FIRST_HEARD and bool(self.arrays["heard"][books[books >= 0]].any())

"""Feature rows of a recording, made by the kernels that run live."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from libs.book import state as book_state
from libs.book.flags import BAD, CROSSED
from libs.book.kernels import EVENT_DONE, M_LAST, M_SNAPSHOT, apply_message, is_valid, set_flags
from libs.book.state import Books
from libs.features.definitions import COLUMNS
from libs.features.kernels import compute_row, quotes
from libs.jit import kernel
from libs.streams.schemas import FEATURES
from libs.venues.events import STATUS_SYMBOL_INVALID, BookEvent, Event, StatusEvent

DEPTH = 1024
DEPTH_LEVELS = 20
LIQUIDITY_BPS = 10


@kernel
def _step(
    books: Books,
    flags: int,
    price_exp: int,
    size_exp: int,
    cut: int,
    levels: np.ndarray,
    n_bids: int,
    n_asks: int,
    exchange_us: int,
    feed_us: int,
    top: np.ndarray,
    row: np.ndarray,
) -> int:
    """Apply a whole event to book 0 and fill its row; 0 complete, 1 incomplete, -1 no row."""
    code = apply_message(books, 0, flags, price_exp, size_exp, cut, levels, 0, n_bids, n_asks, 0, exchange_us, feed_us)
    if code != EVENT_DONE or not is_valid(books, 0):
        return -1
    quotes(books, 0, top)
    return compute_row(books, 0, DEPTH_LEVELS, LIQUIDITY_BPS, row)


def feature_rows(events: Iterable[Event]) -> dict[str, np.ndarray]:
    """Return the feature rows of every symbol of a recording, in the order of its events.

    Parameters
    ----------
    events : iterable of Event
        As libs.storage.recording.BinanceRecording gives them.

    Returns
    -------
    dict of str to structured array of libs.streams.schemas.FEATURES
        By symbol; one row a completed event of a valid book. Session, sequence and send times are 0.
    """
    found: dict[str, _Maker] = {}
    for event in events:
        if isinstance(event, BookEvent | StatusEvent):
            maker = found.setdefault(event.symbol, _Maker())
            maker.add(event)
    return {symbol: maker.rows() for symbol, maker in found.items()}


class _Maker:
    def __init__(self) -> None:
        self.books = book_state.new(1, DEPTH)
        self.top = np.zeros(4)
        self.row = np.zeros(len(COLUMNS))
        self.values: list[np.ndarray] = []
        self.heads: list[tuple[int, int, int, int]] = []

    def add(self, event: BookEvent | StatusEvent) -> None:
        if isinstance(event, StatusEvent):
            if event.code == STATUS_SYMBOL_INVALID:
                set_flags(self.books, 0, BAD, 0)
            return
        flags = M_LAST | (M_SNAPSHOT if event.snapshot else 0)
        code = _step(
            self.books, flags, event.price_exponent, event.size_exponent, event.cut, event.levels,
            event.bids, event.asks, event.exchange_ts_us, event.feed_ts_us, self.top, self.row,
        )  # fmt: skip
        if code >= 0:
            self.heads.append((code, int(self.books.flags[0]), event.feed_ts_us, event.exchange_ts_us))
            self.values.append(np.concatenate((self.top, self.row)))

    def rows(self) -> np.ndarray:
        rows = np.zeros(len(self.values), FEATURES)
        if not len(rows):
            return rows
        rows["valid"] = 1
        heads = np.array(self.heads, np.int64)
        rows["incomplete"], rows["flags"], rows["feed_ts_us"], rows["exchange_ts_us"] = heads.T
        values = np.array(self.values)
        for k, name in enumerate(("best_bid", "best_ask", "bid_size", "ask_size", *COLUMNS)):
            rows[name] = values[:, k]
        return rows


def usable(rows: np.ndarray, *, whole_sums: bool) -> np.ndarray:
    """Return which rows a signal may come from: two sides, not crossed (bool[n]).

    Parameters
    ----------
    whole_sums : bool
        Also leave out rows whose sums reach past what is known (``incomplete``).
    """
    crossed = rows["flags"] & np.uint32(CROSSED) != 0
    found = ~crossed & np.isfinite(rows["best_bid"]) & np.isfinite(rows["best_ask"])
    return found & (rows["incomplete"] == 0) if whole_sums else found

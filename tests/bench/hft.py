"""The level updates of an :class:`Input` through hftbacktest (requirements/bench.txt), where it is installed.

Its own event rows, one a level, and its own loop in native code: each row goes into the book of the exchange side and
into that of the local side, or into the local one alone. Prices and sizes are our mantissas with a lot of 1: what it
computes with them in float64 is exact.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from libs.jit import kernel
from tests.bench.book_inputs import ASKS, AT, BIDS, BOOK, Input

DEPTHS = ("ROIVector", "HashMap")
"""Its books: a vector over a range of prices, and a hash map over all of them."""
RANGE = 0.1
"""Share of the middle price that the vector reaches to either side; it leaves out levels beyond."""
END_OF_DATA, NEXT_FEED = 1, 2
FOREVER_NS = 10**15
NO_TICK = 1 << 62
"""It says the ends of int64 where a side is empty."""


def module() -> ModuleType | None:
    """Return hftbacktest; None when it is not installed."""
    try:
        return importlib.import_module("hftbacktest")
    except ImportError:
        return None


@kernel(allocates=True)
def feeds(backtest: Any) -> int:
    """Wake at every message until the data end; return how many there were, negative when it fails."""
    found = 0
    while True:
        code = backtest.wait_next_feed(False, FOREVER_NS)
        found += 1
        if code != NEXT_FEED:
            return found if code == END_OF_DATA else -found


@kernel(allocates=True)
def tops(backtest: Any, assets: np.ndarray, times_ns: np.ndarray, found: np.ndarray) -> int:
    """Write best bid tick, its size, best ask tick and its size after each message; return the last code.

    Parameters
    ----------
    found : float64[n, 4]
        Zeros for an empty side.
    """
    k = 0
    while True:
        code = backtest.wait_next_feed(False, FOREVER_NS)
        # At the end its clock still shows the message before.
        now = backtest.current_timestamp if code == NEXT_FEED else times_ns[len(times_ns) - 1]
        while times_ns[k] < now:
            k += 1
        depth = backtest.depth(assets[k])
        bid, ask = depth.best_bid_tick, depth.best_ask_tick
        found[k] = 0
        if bid > -NO_TICK:
            found[k, 0], found[k, 1] = bid, depth.bid_qty_at_tick(bid)
        if ask < NO_TICK:
            found[k, 2], found[k, 3] = ask, depth.ask_qty_at_tick(ask)
        if code != NEXT_FEED:
            return code


class Feed:
    """What hftbacktest reads: rows of events and a snapshot for each book that has events.

    Attributes
    ----------
    ticks : int64[books]
        The step of each book's prices, in its unit.
    assets : int64[n]
        The asset of each event.
    """

    def __init__(self, given: Input, local_only: bool = False) -> None:
        """Turn the events to rows; the books of ``given`` must stand at their start."""
        self._hft = importlib.import_module("hftbacktest")
        self.times_ns = given.times_ns
        of_event = given.events[:, BOOK]
        used = np.unique(of_event)
        self.assets = np.searchsorted(used, of_event)
        self.ticks = np.ones(len(given.books.counts), np.int64)
        self._made = []
        rows, books = self._rows(given, self._hft.LOCAL_EVENT | (0 if local_only else self._hft.EXCH_EVENT))
        for b in used:
            mine, start = rows[books == b], self._snapshot(given, b)
            self.ticks[b] = np.gcd.reduce(np.concatenate([mine["px"], start["px"]]).astype(np.int64))
            middle = self._middle(start)
            self._made.append((mine, start, float(self.ticks[b]), middle * (1 - RANGE), middle * (1 + RANGE)))

    def _rows(self, given: Input, side_flags: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a row for each level, and its book."""
        levels = given.data.reshape(-1, 2)
        counts = given.events[:, BIDS] + given.events[:, ASKS]
        firsts = np.cumsum(counts) - counts
        assert len(levels) == counts.sum() and (given.events[:, AT] == 2 * firsts).all(), "levels stand in order"
        of = np.repeat(np.arange(len(counts)), counts)
        is_bid = np.arange(len(levels)) - firsts[of] < given.events[of, BIDS]
        rows = np.zeros(len(levels), self._hft.types.event_dtype)
        rows["ev"] = self._hft.DEPTH_EVENT | side_flags | self._sides(is_bid)
        rows["exch_ts"] = rows["local_ts"] = given.times_ns[of]
        rows["px"], rows["qty"] = levels.T
        return rows, given.events[of, BOOK]

    def _snapshot(self, given: Input, b: int) -> np.ndarray:
        sides = []
        for side in range(2):
            first, count = given.books.first[b, side], given.books.counts[b, side]
            rows = np.zeros(count, self._hft.types.event_dtype)
            flags = self._hft.EXCH_EVENT | self._hft.LOCAL_EVENT | self._hft.DEPTH_SNAPSHOT_EVENT
            rows["ev"] = flags | self._sides(np.full(count, side == 0))
            rows["px"] = given.books.prices[b, side, first : first + count]
            rows["qty"] = given.books.sizes[b, side, first : first + count]
            sides.append(rows)
        return np.concatenate(sides)

    def _sides(self, is_bid: np.ndarray) -> np.ndarray:
        return np.where(is_bid, np.uint64(self._hft.BUY_EVENT), np.uint64(self._hft.SELL_EVENT))

    def _middle(self, start: np.ndarray) -> float:
        bids = start["px"][start["ev"] & self._hft.BUY_EVENT > 0]
        asks = start["px"][start["ev"] & self._hft.SELL_EVENT > 0]
        return float(bids.max() + asks.min()) / 2

    def backtest(self, depth: str) -> Any:
        """Return a backtest that stands at the snapshots; it reads the rows where they are, and is to be closed."""
        assets = [
            self._hft.BacktestAsset()
            .data(rows)
            .initial_snapshot(start)
            .tick_size(tick)
            .lot_size(1.0)
            .roi_lb(low)
            .roi_ub(high)
            .parallel_load(False)
            for rows, start, tick, low, high in self._made
        ]
        return getattr(self._hft, f"{depth}MarketDepthBacktest")(assets)


@contextlib.contextmanager
def ready(feed: Feed, depth: str) -> Iterator[Any]:
    """Give a backtest at its start, and close it."""
    backtest = feed.backtest(depth)
    try:
        yield backtest
    finally:
        backtest.close()

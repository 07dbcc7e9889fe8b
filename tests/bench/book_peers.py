"""The same level updates through others, of requirements/bench.txt, where they are installed.

``order_book`` is a C extension called from Python, ``sortedcontainers`` pure Python: each gets its prices and sizes as
Python integers made beforehand, as a user of these containers would have them. ``nautilus_trader`` (not of those
requirements: 300 MB, and another uvloop) gets its own objects made beforehand, ``hftbacktest`` its rows in memory, for
one book. Each must have our best levels before it is timed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import replace
from typing import Any

import numpy as np

from libs.book.state import ASK_PRICE, ASK_SIZE, BID_PRICE, BID_SIZE
from tests.bench import hft
from tests.bench.book_inputs import ASKS, AT, BIDS, BOOK, Input
from tests.bench.runner import timed

Side = MutableMapping[int, int]
Levels = list[list[int]]
Events = list[tuple[Levels, Levels]]
Best = tuple[int, int, int, int]
Measure = Callable[[], float]
Peers = Iterator[tuple[str, Measure, Callable[[], Best]]]
"""Name, a measurement, and the best bid, its size, best ask and its size after one."""


def apply(bids: Side, asks: Side, events: Events) -> None:
    """Apply every event's levels."""
    for event in events:
        for side, levels in ((bids, event[0]), (asks, event[1])):
            for price, size in levels:
                if size:
                    side[price] = size
                elif price in side:
                    del side[price]


def _python(given: Input) -> Events:
    """Return the first book's snapshot and the changes, as Python integers."""
    sides = []
    for side in range(2):
        first, count = int(given.books.first[0, side]), int(given.books.counts[0, side])
        places = slice(first, first + count)
        sides.append(np.stack([given.books.prices[0, side, places], given.books.sizes[0, side, places]], 1).tolist())
    events = [(sides[0], sides[1])]
    for e in given.events:
        middle, end = e[AT] + 2 * e[BIDS], e[AT] + 2 * (e[BIDS] + e[ASKS])
        bids, asks = given.data[e[AT] : middle], given.data[middle:end]
        events.append((bids.reshape(-1, 2).tolist(), asks.reshape(-1, 2).tolist()))
    return events


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _containers(given: Input) -> Peers:
    """Give the sorted mappings."""
    snapshot, *events = _python(given)
    for name in ("order_book", "sortedcontainers"):
        module = _module(name)
        if module is None:
            continue
        if name == "order_book":
            book = module.OrderBook()
            sides = book.bids, book.asks
        else:
            sides = module.SortedDict(), module.SortedDict()
        apply(*sides, [snapshot])

        def measure(sides: tuple[Side, Side] = sides) -> float:
            return timed(lambda: apply(*sides, events), given.updates)

        def best(sides: tuple[Side, Side] = sides) -> Best:
            bid, ask = max(sides[0].keys()), min(sides[1].keys())
            return bid, sides[0][bid], ask, sides[1][ask]

        yield name, measure, best


def _nautilus(given: Input) -> Peers:
    """Give the order book of nautilus_trader, a batch of deltas an event."""
    if _module("nautilus_trader.model.book") is None:
        return
    data, enums, objects = (importlib.import_module(f"nautilus_trader.model.{k}") for k in ("data", "enums", "objects"))
    instrument = importlib.import_module("nautilus_trader.model.identifiers").InstrumentId.from_str("S.X")
    book = importlib.import_module("nautilus_trader.model.book").OrderBook(instrument, enums.BookType.L2_MBP)
    actions = enums.BookAction.DELETE, enums.BookAction.UPDATE

    def batch(event: tuple[Levels, Levels]) -> Any:
        deltas = []
        for side, levels in zip((enums.OrderSide.BUY, enums.OrderSide.SELL), event, strict=True):
            for price, size in levels:
                order = data.BookOrder(side, objects.Price(price, 0), objects.Quantity(size, 0), price)
                deltas.append(data.OrderBookDelta(instrument, actions[size > 0], order, 0, 1, 1, 1))
        return data.OrderBookDeltas(instrument, deltas)

    snapshot, *batches = [batch(event) for event in _python(given)]
    book.apply_deltas(snapshot)

    def run() -> None:
        for each in batches:
            book.apply_deltas(each)

    def best() -> Best:
        found = book.best_bid_price(), book.best_bid_size(), book.best_ask_price(), book.best_ask_size()
        return tuple(int(each) for each in found)

    yield "nautilus_trader", lambda: timed(run, given.updates), best


def _hftbacktest(given: Input) -> Peers:
    """Give both market depths of hftbacktest, a single book of each."""
    if hft.module() is None:
        return
    feed = hft.Feed(given, local_only=True)
    for name, depth in (("hftbacktest", "ROIVector"), ("hftbacktest hash map", "HashMap")):

        def measure(depth: str = depth) -> float:
            with hft.ready(feed, depth) as backtest:
                return timed(lambda: backtest.elapse(hft.FOREVER_NS), given.updates)

        def best(depth: str = depth) -> Best:
            found = np.zeros((len(given.events), 4))
            with hft.ready(feed, depth) as backtest:
                hft.tops(backtest, feed.assets, feed.times_ns, found)
            tick = int(feed.ticks[0])
            return tuple((found[-1] * [tick, 1, tick, 1]).astype(np.int64).tolist())

        yield name, measure, best


def runs(given: Input, most: int, apply_ours: Callable[[Input], np.ndarray]) -> dict[str, Measure]:
    """Return a measurement for each peer there is: the first book's snapshot, then at most ``most`` events of it.

    Parameters
    ----------
    given : Input
        Of one book, at its snapshot.
    apply_ours : callable
        Returns our ``tops`` of that book after the events, on a copy.

    Raises
    ------
    AssertionError
        When a peer has other best levels.
    """
    events = given.events[:most]
    assert (events[:, BOOK] == 0).all()
    words = int(2 * (events[:, BIDS] + events[:, ASKS]).sum())
    part = replace(given, events=events, data=given.data[:words], times_ns=given.times_ns[:most])
    tops = apply_ours(part)
    ours = tuple(int(tops[word]) for word in (BID_PRICE, BID_SIZE, ASK_PRICE, ASK_SIZE))
    found: dict[str, Measure] = {}
    for peers in (_containers, _nautilus, _hftbacktest):
        for name, measure, best in peers(part):
            measure()
            if best() != ours:
                raise AssertionError(f"{name} has other best levels: {best()}, ours {ours}")
            found[name] = measure
    return found

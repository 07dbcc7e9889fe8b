"""The same level updates through others, of requirements/bench.txt, where they are installed.

``order_book`` is a C extension called from Python, ``sortedcontainers`` pure Python: each gets its prices and sizes as
Python integers made beforehand, as a user of these containers would have them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, MutableMapping

from tests.bench.book_inputs import ASKS, AT, BIDS, Input
from tests.bench.runner import timed

Side = MutableMapping[int, int]
Events = list[tuple[list[list[int]], list[list[int]]]]


def apply(bids: Side, asks: Side, events: Events) -> None:
    """Apply every event's levels."""
    for event in events:
        for side, levels in ((bids, event[0]), (asks, event[1])):
            for price, size in levels:
                if size:
                    side[price] = size
                elif price in side:
                    del side[price]


def _sides(name: str) -> tuple[Side, Side] | None:
    try:
        module = importlib.import_module(name)
    except ImportError:
        return None
    if name == "order_book":
        book = module.OrderBook()
        return book.bids, book.asks
    return module.SortedDict(), module.SortedDict()


def runs(given: Input, most: int) -> dict[str, Callable[[], float]]:
    """Return a measurement for each peer there is: the first book's snapshot, then at most ``most`` events of it."""
    events: Events = []
    updates = 0
    for e in given.events[:most]:
        middle, end = e[AT] + 2 * e[BIDS], e[AT] + 2 * (e[BIDS] + e[ASKS])
        bids, asks = given.data[e[AT] : middle], given.data[middle:end]
        events.append((bids.reshape(-1, 2).tolist(), asks.reshape(-1, 2).tolist()))
        updates += int(e[BIDS] + e[ASKS])
    found: dict[str, Callable[[], float]] = {}
    for name in ("order_book", "sortedcontainers"):
        sides = _sides(name)
        if sides is None:
            continue
        for side, levels in enumerate(sides):
            first, count = int(given.books.first[0, side]), int(given.books.counts[0, side])
            prices = given.books.prices[0, side, first : first + count].tolist()
            sizes = given.books.sizes[0, side, first : first + count].tolist()
            for price, size in zip(prices, sizes, strict=True):
                levels[price] = size

        def measure(sides: tuple[Side, Side] = sides) -> float:
            return timed(lambda: apply(*sides, events), updates)

        found[name] = measure
    return found

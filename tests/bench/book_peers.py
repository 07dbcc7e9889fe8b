"""The same level updates through others, in one run: ``python -m tests.bench.book_peers``.

``order_book`` is a C extension called from Python, ``sortedcontainers`` pure Python: both of requirements/bench.txt.
Repeats are interleaved, and medians compared: figures of one run only, since they move with the neighbours.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, MutableMapping

import numpy as np
from order_book import OrderBook
from sortedcontainers import SortedDict

from tests.bench.book_updates import SNAPSHOT_LEVELS, drive, full_books, updates

LEVELS = 4
EVENTS = 20_000
ROUNDS = 7

Side = MutableMapping[int, int]


def fill(bids: Side, asks: Side) -> None:
    """Give both sides the levels that `full_books` gives ours."""
    for k in range(SNAPSHOT_LEVELS):
        bids[100_000 - 2 * k] = asks[100_010 + 2 * k] = 5


def apply(bids: Side, asks: Side, events: list[list[list[list[int]]]]) -> None:
    """Apply every event's levels, as a user of these containers would."""
    for event in events:
        for side, levels in ((bids, event[0]), (asks, event[1])):
            for price, size in levels:
                if size:
                    side[price] = size
                elif price in side:
                    del side[price]


def timed(run: Callable[[], object]) -> float:
    """Return nanoseconds a level update."""
    start = time.perf_counter_ns()
    run()
    return (time.perf_counter_ns() - start) / EVENTS / LEVELS / 2


def main() -> None:
    """Print ours, the others and the ratios."""
    data = updates(np.random.default_rng(1), EVENTS, LEVELS)
    events = data.reshape(EVENTS, 2, LEVELS, 2).tolist()
    books, which = full_books(1), np.zeros(EVENTS, np.int64)
    sorted_bids, sorted_asks = SortedDict(), SortedDict()
    fill(sorted_bids, sorted_asks)
    peer = OrderBook()
    fill(peer.bids, peer.asks)

    runs: dict[str, Callable[[], object]] = {
        "crossbook": lambda: drive(books, data, which, LEVELS),
        "order_book": lambda: apply(peer.bids, peer.asks, events),
        "sortedcontainers": lambda: apply(sorted_bids, sorted_asks, events),
    }
    runs["crossbook"]()
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            found[name].append(timed(run))
    ours = statistics.median(found["crossbook"])
    for name, values in found.items():
        median = statistics.median(values)
        print(f"{name:17} {median:8.1f} ns a level update   {median / ours:6.1f} x ours")


if __name__ == "__main__":
    main()

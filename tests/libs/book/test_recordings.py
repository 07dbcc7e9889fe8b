"""Real recordings into the kernels' book and the oracle's."""

from __future__ import annotations

import itertools

import pytest

from libs.book import flags, kernels
from tests.oracles.binance import integers, spot_events
from tests.oracles.levels import Content, exact
from tests.oracles.pair import Pair

SNAPSHOT, LAST = 1, 2

FILES = {
    "binance/nexousdt_202407/nexousdt_20240723.dat.gz": (10_000, 0, 100),
    "binance/multi_20240808/spot_btcusdt_20240808.gz": (3_000, 3, 450),
}
"""Depth messages to take, the snapshot's cut bits, and how many tickers must be found at their update ids."""


def best(content: Content) -> list[tuple[int, int]]:
    """Return the best bid and ask."""
    return [content.best_first(side)[0] for side in range(2)]


@pytest.mark.recordings
@pytest.mark.parametrize("name", FILES)
def test_a_recorded_market_leaves_the_oracles_book(recordings, name):
    """After every message the book equals the oracle's, is valid, not crossed, and agrees with the venue's ticker."""
    count, cut, shared = FILES[name]
    pair = Pair(1024)
    tops, tickers = {}, {}
    depth = 0
    for kind, update, sides in spot_events(recordings / name):
        (bids, asks), price_exp, size_exp = integers(sides if kind != "ticker" else ([sides[0]], [sides[1]]))
        if kind == "ticker":
            tickers[update] = [(exact(p, price_exp), exact(q, size_exp)) for p, q in itertools.chain(bids, asks)]
            continue
        bits = LAST | SNAPSHOT if kind == "snapshot" else LAST
        assert pair.send(bits, bids, asks, price_exp, size_exp, cut) == "done"
        assert kernels.is_valid(pair.books, 0)
        assert not pair.books.flags[0] & flags.CROSSED
        tops[update] = list(pair.oracle.tops)
        depth += 1
        if depth > count:
            break
    agreeing = [update for update in tops.keys() & tickers.keys() if tops[update] == tickers[update]]
    assert len(agreeing) == len(tops.keys() & tickers.keys()) >= shared

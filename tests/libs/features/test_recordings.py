"""Features of recorded books against exact fractions."""

from __future__ import annotations

import numpy as np
import pytest

from libs.features.definitions import COLUMNS, INDEX
from libs.features.kernels import compute_row
from tests.oracles.binance import integers, spot_events
from tests.oracles.features import incomplete, present, ulps
from tests.oracles.pair import Pair

SNAPSHOT, LAST = 1, 2
FILES = {
    "binance/nexousdt_202407/nexousdt_20240723.dat.gz": (1_000, 0, 40),
    "binance/multi_20240808/spot_btcusdt_20240808.gz": (300, 3, 15),
}
"""Depth messages to take, the snapshot's cut bits, and every how many a row is compared."""


@pytest.mark.recordings
@pytest.mark.parametrize("name", FILES)
def test_rows_of_a_recorded_market_are_exact(recordings, name):
    """Every present-book feature is within 4 ulp of its definition, the volumes to the last bit."""
    count, cut, every = FILES[name]
    pair = Pair(8_192)
    row = np.zeros(len(COLUMNS))
    depth = compared = 0
    for kind, _, sides in spot_events(recordings / name):
        if kind == "ticker":
            continue
        levels, price_exp, size_exp = integers(sides)
        pair.send(SNAPSHOT | LAST if kind == "snapshot" else LAST, *levels, price_exp, size_exp, cut)
        depth += 1
        if depth % every == 0:
            compared += 1
            flag = compute_row(pair.books, 0, 20, 10, row)
            wanted = present(pair.oracle.shown, 20, 10)
            assert flag == incomplete(pair.oracle.shown, 20, 10)
            assert max(ulps(row[INDEX[feature]], value) for feature, value in wanted.items()) <= 4
            for feature in ("bid_volume_10bps", "ask_volume_10bps", "bid_volume_20bps", "ask_volume_20bps"):
                assert row[INDEX[feature]] == float(wanted[feature])
        if depth == count:
            break
    assert compared == count // every

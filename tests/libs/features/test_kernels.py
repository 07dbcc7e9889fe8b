"""The features kernel against exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.book import kernels, state
from libs.features.definitions import COLUMNS, INDEX
from libs.features.kernels import compute_row, quotes
from tests.oracles.features import incomplete, present, ulps
from tests.oracles.levels import Content

MAX = 2**63 - 1
SNAPSHOT, LAST = 1, 2
DEPTH = 24


def put(books, content, bids, asks, price_exp, size_exp, cut=0, bits=SNAPSHOT | LAST):
    """Give levels to the kernels' book 0 and to an oracle's content."""
    data = np.array([x for level in [*bids, *asks] for x in level], np.int64)
    code = kernels.apply_message(books, 0, bits, price_exp, size_exp, cut, data, 0, len(bids), len(asks), 1, 1, 1)
    if bits & SNAPSHOT:
        content.price_exp, content.size_exp = price_exp, size_exp
    assert content.put((bids, asks), price_exp, size_exp)
    content.cut(cut)
    assert code == kernels.EVENT_DONE


def check(books, content, depth_levels=20, bps=10, limit=4.0):
    """Compare the row with the oracle's; return the row."""
    row = np.zeros(len(COLUMNS))
    flag = compute_row(books, 0, depth_levels, bps, row)
    wanted = present(content, depth_levels, bps)
    for name, value in wanted.items():
        assert ulps(row[INDEX[name]], value) <= limit, (name, row[INDEX[name]], value)
    assert flag == incomplete(content, depth_levels, bps)
    assert all(np.isnan(row[k]) for k, name in enumerate(COLUMNS) if name not in wanted)
    return row


near = st.lists(st.tuples(st.integers(9_970, 10_030), st.integers(1, 10**6)), max_size=20)
wild = st.lists(
    st.tuples(
        st.one_of(st.integers(1, MAX), st.integers(2**62, 2**62 + 50), st.integers(1, 10**9)),
        st.one_of(st.integers(1, MAX), st.integers(1, 10**12)),
    ),
    max_size=20,
)
exponents = st.integers(-12, 6)


@settings(max_examples=150)
@given(st.one_of(st.tuples(near, near), st.tuples(wild, wild)), exponents, exponents, st.integers(0, 3), st.data())
def test_every_feature_is_within_four_ulp(sides, price_exp, size_exp, cut, data):
    """Any book, tiny or beyond 2^53, crossed, one-sided or empty, gives the definitions' values and incomplete flag."""
    books, content = state.new(1, DEPTH), Content(DEPTH)
    put(books, content, *sides, price_exp, size_exp, cut)
    check(books, content, data.draw(st.sampled_from([1, 3, 20])), data.draw(st.sampled_from([0, 1, 10, 37, 10_000])))


@settings(max_examples=80)
@given(
    st.lists(st.tuples(near, near), min_size=1, max_size=8),
    st.sampled_from([2, 4, 8]),
    st.sampled_from([1, 2, 4]),
)
def test_a_complete_row_equals_the_unlimited_books(events, depth, depth_levels):
    """Where the row is not incomplete, a book that keeps few levels equals one that keeps all, bit for bit."""
    small, big = state.new(1, depth), state.new(1, 400)
    shadows = Content(depth), Content(400)
    rows = np.zeros((2, len(COLUMNS)))
    for k, sides in enumerate(events):
        bids = [(p - 40, q if p % 3 else 0) for p, q in sides[0]]
        asks = [(p + 40, q if p % 3 else 0) for p, q in sides[1]]
        bits = LAST if k else SNAPSHOT | LAST
        for books, shadow in zip((small, big), shadows, strict=True):
            put(books, shadow, bids, asks, -2, -3, bits=bits)
        flags = [compute_row(books, 0, depth_levels, 10, row) for books, row in zip((small, big), rows, strict=True)]
        assert flags[1] == 0
        assert flags[0] == incomplete(shadows[0], depth_levels, 10)
        if not flags[0]:
            np.testing.assert_array_equal(rows[0], rows[1])


def test_integers_decide_to_the_last_bit():
    """Imbalances and volumes of realistic mantissas are the correctly rounded quotients."""
    rng = np.random.default_rng(3)
    for _ in range(100):
        books, content = state.new(1, DEPTH), Content(DEPTH)
        bids = [(6_180_030 - int(k), int(q)) for k, q in enumerate(rng.integers(1, 10**10, 20))]
        asks = [(6_180_031 + int(k), int(q)) for k, q in enumerate(rng.integers(1, 10**10, 20))]
        put(books, content, bids, asks, -2, -8)
        row = check(books, content, limit=3.0)
        wanted = present(content, 20, 10)
        for name in ("order_book_imbalance", "queue_imbalance", "spread", "bid_volume_10bps", "ask_volume_20bps"):
            assert row[INDEX[name]] == float(wanted[name]), name


@pytest.mark.parametrize(("bps", "side"), [(10, 0), (10, 1), (20, 0), (20, 1)])
def test_a_level_on_the_edge_of_a_band_is_in_it(bps, side):
    """With mid 10,000 the level at exactly x bps counts, the next one does not."""
    step = 10 if bps == 10 else 20
    edge = 10_000 - step if side == 0 else 10_000 + step
    sides = [[(9_999, 1)], [(10_001, 1)]]
    sides[side] += [(edge, 2), (edge + (2 * side - 1), 4)]
    books, content = state.new(1, DEPTH), Content(DEPTH)
    put(books, content, *sides, 0, 0)
    row = check(books, content)
    assert row[INDEX[f"{('bid', 'ask')[side]}_volume_{bps}bps"]] == 3


@pytest.mark.parametrize(("best_ask", "flag"), [(10_000, 0), (10_001, 1)])
def test_a_band_that_ends_on_the_known_end_is_complete(best_ask, flag):
    """With a side known to 10,020, bands of 20 bps around 10,000 are complete, around 10,000.5 they reach past it."""
    asks = [(best_ask, 1), (10_010, 1), (10_020, 1)]
    books, content = state.new(1, DEPTH), Content(DEPTH)
    put(books, content, [(10_000, 1)], asks, 0, 0, cut=2)
    row = np.zeros(len(COLUMNS))
    check(books, content, depth_levels=3)
    assert compute_row(books, 0, 3, 10, row) == flag


def test_quotes_are_the_tops():
    """Best prices and sizes come as values, NaN for an empty side."""
    books, content = state.new(1, DEPTH), Content(DEPTH)
    put(books, content, [(6_180_030, 7)], [], -2, -3)
    out = np.zeros(4)
    quotes(books, 0, out)
    assert out[0] == 61800.30
    assert out[2] == 0.007
    assert np.isnan(out[1])
    assert np.isnan(out[3])


def test_ulps_can_tell():
    """The measure itself sees one unit in the last place."""
    assert ulps(np.nextafter(0.1, 1), Fraction(0.1)) == 1
    assert ulps(0.1, None) == float("inf")

"""The fitted microprice of a book, against its definition in fractions."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.features import microprice
from libs.features.history import BUCKETS, MAX_BUCKETS, TABLE_TICK, TABLE_TICK_EXP
from libs.features.micro import bucket_of
from tests.libs.features.streams import NEAR, ONE_UNIT, play, streams
from tests.oracles.market import LAST, SNAPSHOT, Market
from tests.oracles.past import Table

DEPTH = 8
MAX = 2**63 - 1


@st.composite
def tables(draw):
    """Draw an antisymmetric table, of any shape."""
    buckets, columns = draw(st.integers(2, 9)), draw(st.integers(2, 5))
    adjustment = st.floats(-3, 3, allow_subnormal=False)
    half = draw(st.lists(st.lists(adjustment, min_size=columns, max_size=columns), min_size=buckets, max_size=buckets))
    rows = [[half[i][s] - half[buckets - 1 - i][s] for s in range(columns)] for i in range(buckets)]
    return Table(draw(st.sampled_from([Fraction(1, 100), Fraction(1, 50), Fraction(1, 20)])), rows)


@settings(max_examples=120)
@given(st.sampled_from([NEAR, ONE_UNIT]).flatmap(lambda kind: streams(kind, 25)), tables())
def test_a_fitted_microprice_is_as_defined(stream, table):
    """Buckets, spreads in ticks, off-tick prices, crossed books: mid + tick × G, NaN where the book is crossed."""
    market = play(Market(DEPTH, table=table), stream)
    assert market.history.heads[0, BUCKETS] == len(table.rows)


def test_a_table_of_another_tick_is_not_used():
    """The row then holds the WAP, and says so: the oracle has another tick as well."""
    market = Market(DEPTH, table=Table(Fraction(1, 100), [[0.5, 0.5], [-0.5, -0.5]]))
    market.history.heads[0, TABLE_TICK], market.history.heads[0, TABLE_TICK_EXP] = 2, -2
    market.oracle.tick = Fraction(1, 50)
    market.book(SNAPSHOT | LAST, ([(1_000, 3)], [(1_001, 4)]), 1)
    assert market.count.rows == 1
    assert market.row[21] == market.row[0]


def test_a_bucket_is_found_in_integers():
    """⌊n × qb / (qb + qa)⌋ to the last unit, for sizes up to the end of int64."""
    sizes = [1, 2, 3, 7, 10**9, 2**55, 2**56, 2**62, MAX - 1, MAX]
    for n in (2, 3, 10, MAX_BUCKETS):
        for bid in sizes:
            for ask in sizes:
                assert bucket_of(bid, ask, n) == min(n - 1, n * bid // (bid + ask)), (bid, ask, n)


def test_put_leaves_what_the_table_does_not_have():
    """A table of few spreads lies in rows of the largest; the ring behind it is untouched."""
    market = Market(DEPTH, table=Table(Fraction(1, 100), [[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]]))
    place = market.history.ring_floats[0]
    assert place[:3].tolist() == [1.0, 2.0, 3.0]
    assert place[microprice.MAX_SPREAD + 1 :][:3].tolist() == [-1.0, -2.0, -3.0]
    assert not place[2 * (microprice.MAX_SPREAD + 1) :].any()

"""Arbitrage opportunities against the oracle's, after every event."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.book import flags
from libs.nbbo import arbitrage, states
from libs.nbbo.arbitrage import PHASES, end, follow
from tests.libs.nbbo.market import STALE_US, Market, event, instrument, play
from tests.oracles.arbitrage import OracleArbitrage
from tests.oracles.features import ulps

FEES_BPS = [10.0, 5.5, 60.0, 0.0, -1.0, 0.0, 0.0, 0.0]


class Watched(Market):
    """A market whose opportunities are followed by kernel and oracle."""

    def __init__(self, fees_bps=FEES_BPS):
        super().__init__()
        self.found = arbitrage.new(8)
        self.fees_bps = np.array(fees_bps)
        self.watcher = OracleArbitrage([Fraction(fee) for fee in fees_bps])
        self.told = []

    def consolidate(self, now):
        """Follow the quote after each update, as the engine does: only where it changed."""
        changed = super().consolidate(now)
        expected = self.watcher.update(self.oracle, self.venues)
        told = []
        if changed:
            if end(self.found, self.nbbo, 0, 0):
                told.append("closed")
                ended_by = int(self.found.words[0, arbitrage.ENDED_BY])
                assert states.STATES[ended_by] == self.oracle.state
            if follow(self.found, self.nbbo, self.books, self.table.symbol_books[0], 0, 0, self.fees_bps):
                told.append(PHASES[self.found.words[0, arbitrage.PHASE]])
        assert told == expected
        self.told += told
        if self.watcher.now is not None:
            self.compare_opportunity(self.watcher.now, changed)
        return changed

    def compare_opportunity(self, expected, changed):
        """Compare the opportunity of now, or the last one."""
        words, values = self.found.words[0].tolist(), self.found.values[0].tolist()
        assert PHASES[words[arbitrage.PHASE]] == expected.phase
        assert (words[arbitrage.BID_SLOT], words[arbitrage.ASK_SLOT]) == expected.pair
        assert states.STATES[words[arbitrage.STATE]] == expected.state
        assert words[arbitrage.BEGIN_US] == expected.begin_us
        if changed:
            assert words[arbitrage.LAST_US] == expected.last_us
        unit = Fraction(10) ** words[arbitrage.PRICE_EXP]
        price = words[arbitrage.BID_PRICE] * unit, words[arbitrage.ASK_PRICE] * unit
        best = max(moment.bps(moment.net) for moment in expected.moments)
        moments = [
            m for m in expected.moments
            if m.feed_us == words[arbitrage.BEST_US] and (m.bid, m.ask) == price
            and ulps(values[arbitrage.SIZE], m.size) <= 8 and ulps(values[arbitrage.ROUTE_SIZE], m.route_size) <= 8
        ]  # fmt: skip
        assert moments
        moment = moments[0]
        assert ulps(values[arbitrage.GROSS], moment.gross) <= 1
        assert ulps(values[arbitrage.GROSS_BPS], moment.bps(moment.gross)) <= 3
        # What is left of two numbers nearly equal is as exact as the larger of them.
        scale = float(max(moment.gross, abs(moment.fees)))
        assert abs(values[arbitrage.NET] - float(moment.net)) <= 8 * np.spacing(scale)
        allowed = 8 * np.spacing(float(moment.bps(Fraction(scale))))
        assert abs(values[arbitrage.NET_BPS] - float(moment.bps(moment.net))) <= allowed
        assert float(best - moment.bps(moment.net)) <= 2 * allowed


crossing = st.one_of(
    event,
    st.tuples(
        st.just("show"), st.integers(0, 4), st.tuples(st.integers(1_000, 1_004), st.integers(1, 3)),
        st.tuples(st.integers(1_005, 1_007), st.integers(1, 3)), st.sampled_from([0, 1, 2_000]),
    ),
    st.tuples(
        st.just("show"), st.integers(0, 4), st.tuples(st.integers(994, 996), st.integers(1, 3)),
        st.tuples(st.integers(997, 1_001), st.integers(1, 3)), st.sampled_from([0, 1, 2_000]),
    ),
)  # fmt: skip


@settings(max_examples=150)
@given(st.lists(instrument, min_size=5, max_size=5), st.lists(crossing, max_size=30))
def test_any_stream_gives_the_oracles_opportunities(instruments, events):
    """Begin, end, pair, best moment, sizes and edges equal the oracle's after every event."""
    for _ in play(Watched(), instruments, events):
        pass


@pytest.fixture
def crossed():
    """Give two exchanges of which the second bids 103 for what the first offers at 102."""
    market = Watched()
    for exchange in (0, 1):
        market.instrument(exchange, 0, 1, 0, 0)
    market.show(0, (100, 1), (102, 3_000), 1_000, 0)
    market.show(1, (103, 2_000), (104, 1), 2_000, 0)
    return market


def test_an_opportunity_has_its_edge_fees_size_and_age(crossed):
    """Sold at 103 for 5.5 bps, bought at 102 for 10: what is left of 1, of the smaller size, and how long it lasted."""
    values = crossed.found.values[0]
    assert values[arbitrage.GROSS] == 1
    assert values[arbitrage.SIZE] == values[arbitrage.ROUTE_SIZE] == 2
    assert values[arbitrage.NET] == pytest.approx(1 - (103 * 5.5 + 102 * 10) / 10_000, rel=1e-12)
    assert values[arbitrage.NET_BPS] == pytest.approx(10_000 * values[arbitrage.NET] / 102.5, rel=1e-12)
    crossed.show(1, (101, 2_000), (104, 1), 9_500, 0)
    words = crossed.found.words[0]
    assert crossed.told == ["opened", "closed"]
    assert words[arbitrage.LAST_US] - words[arbitrage.BEGIN_US] == 7_500
    assert words[arbitrage.ENDED_BY] == states.NORMAL


def test_it_becomes_real_with_age_and_ends_when_stale(crossed):
    """After the clocks' uncertainty a row says so; a side that falls behind ends it."""
    crossed.consolidate(7_000)
    crossed.show(1, (103, 2_000), (104, 1), 1_001 + STALE_US, 0)
    assert crossed.told == ["opened", "real", "closed"]
    assert crossed.found.words[0, arbitrage.ENDED_BY] == states.CROSSED_STALE


def test_another_pair_is_another_opportunity(crossed):
    """A higher bid elsewhere ends the first, and begins one that is younger."""
    crossed.instrument(3, 0, 1, 0, 0)
    crossed.show(3, (105, 10), (107, 1), 3_000, 0)
    assert crossed.told == ["opened", "closed", "opened"]
    assert crossed.found.words[0, arbitrage.BEGIN_US] == 3_000
    assert crossed.found.words[0, arbitrage.BID_SLOT] == 3


def test_the_best_moment_is_kept(crossed):
    """A smaller edge later leaves prices and sizes; a larger one replaces them."""
    crossed.show(1, (104, 1_000), (106, 1), 3_000, 0)
    crossed.show(1, (103, 9_000), (106, 1), 4_000, 0)
    assert crossed.told == ["opened"]
    assert crossed.found.words[0, arbitrage.BEST_US] == 3_000
    assert crossed.found.values[0, arbitrage.SIZE] == 1


def test_an_exchange_that_drops_out_ends_it(crossed):
    """A halt of one of the two leaves nothing to trade against."""
    crossed.mark(1, flags.HALTED, 0, 2_500)
    assert crossed.told == ["opened", "closed"]


def test_a_fee_of_an_inverse_contract_counts_in_base_currency():
    """1/102 − 1/103 of base currency is gained; each fill costs a share of its own 1/price."""
    market = Watched()
    for exchange in (0, 1):
        market.instrument(exchange, 0, 100, 0, 1)
    market.show(0, (100, 1), (102, 1_000), 1_000, 0)
    market.show(1, (103, 1_000), (104, 1), 2_000, 0)
    gained = 1 / 102 - 1 / 103 - (5.5 / 103 + 10 / 102) / 10_000
    assert market.found.values[0, arbitrage.NET] == pytest.approx(gained * 102 * 103, rel=1e-9)
    assert market.found.values[0, arbitrage.SIZE] == pytest.approx(100 / 103, rel=1e-12)

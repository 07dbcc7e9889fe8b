"""The consolidated quote against the oracle's, after every event."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.book import flags, kernels
from libs.nbbo import states
from libs.nbbo.kernels import update
from tests.libs.nbbo.market import LAST, SNAPSHOT, STALE_US, UNCERTAIN_US, Market, event, instrument, play


@settings(max_examples=100)
@given(st.lists(instrument, min_size=5, max_size=5), st.lists(event, max_size=30))
def test_any_stream_gives_the_oracles_quote(instruments, events):
    """Prices, sizes, exchanges, routes, reasons, states and times equal the oracle's after every event."""
    for _ in play(Market(), instruments, events):
        pass


def test_a_price_with_finer_ticks_is_compared_exactly():
    """1000.1 at one exchange and 1000.10000001 at another are different prices on a common scale."""
    market = Market()
    for exchange, exponent in ((0, -1), (1, -8)):
        market.instrument(exchange, exponent, 1, 0, 0)
    market.show(0, (10_001, 1), (10_002, 1), 1, -1)
    market.show(1, (100_010_000_001, 1), (100_020_000_000, 2), 2, -8)
    assert market.nbbo.bid_exchanges[0] == 0b10
    assert market.nbbo.ask_exchanges[0] == 0b11
    assert market.nbbo.ask_exchange[0] == 1


def test_ties_go_to_the_larger_size_then_the_lower_exchange():
    """At one price the larger size is routed to; at one size the lower exchange id."""
    market = Market()
    for exchange in range(3):
        market.instrument(exchange, 0, 1, 0, 0)
    market.show(0, (100, 1), (102, 5), 1, 0)
    market.show(1, (100, 2), (102, 5), 1, 0)
    market.show(2, (100, 2), (102, 4), 1, 0)
    assert market.nbbo.bid_exchange[0] == 1
    assert market.nbbo.ask_exchange[0] == 0
    assert market.nbbo.bid_size[0] == 0.005


def test_equal_sizes_are_a_tie_however_they_are_written():
    """3 of multiplier 0.1 and 0.3 of multiplier 1 are equal, though their floats differ."""
    market = Market()
    for exchange, (multiplier, exponent) in enumerate([(1, 0), (1, -1), (1, 0)]):
        market.instrument(exchange, 0, multiplier, exponent, 0)
    market.show(0, (100, 300), (102, 1), 1, 0)
    market.show(1, (100, 3_000), (102, 1), 1, 0)
    assert 3 * 0.1 > 0.3
    assert market.nbbo.bid_exchange[0] == 0
    market.show(2, (100, 301), (102, 1), 1, 0)
    assert market.nbbo.bid_exchange[0] == 2


@pytest.mark.parametrize(
    ("flag", "reason"), [("HALTED", "halted"), ("MUTE", "mute"), ("STALE", "stale"), ("SUSPECT", "not_valid")]
)
def test_a_reason_gives_way_to_one_before_it(flag, reason):
    """Not valid before halted before mute before stale before self-crossed: the first that holds is told."""
    market = Market()
    for exchange in (0, 1):
        market.instrument(exchange, 0, 1, 0, 0)
        market.show(exchange, (100, 1), (102, 1), 1, 0)
    market.show(0, (103, 1), (102, 1), 2, 0)
    assert states.EXCLUSIONS[market.nbbo.excluded[0, 0]] == "self_crossed"
    for later in ("STALE", "MUTE", "HALTED", "SUSPECT"):
        market.mark(0, getattr(flags, later), 0, 3)
        if later == flag:
            break
    assert states.EXCLUSIONS[market.nbbo.excluded[0, 0]] == reason
    assert market.nbbo.bid_exchanges[0] == market.nbbo.ask_exchanges[0] == 0b10


def test_locked_one_sided_and_empty_quotes_have_states_of_their_own():
    """Bid at ask between two exchanges is locked; without a side there is none; time is counted where it was spent."""
    market = Market()
    for exchange in (0, 1):
        market.instrument(exchange, 0, 1, 0, 0)
    market.show(0, (100, 1), None, 1_000, 0)
    assert (states.STATES[market.nbbo.state[0]], market.nbbo.ask_exchanges[0]) == ("none", 0)
    market.show(1, (99, 1), (100, 1), 1_500, 0)
    assert (states.STATES[market.nbbo.state[0]], market.nbbo.spread[0]) == ("locked", 0)
    market.show(1, (99, 1), (101, 1), 1_700, 0)
    market.show(0, None, None, 2_700, 0)
    assert states.EXCLUSIONS[market.nbbo.excluded[0, 0]] == "empty"
    spent = dict(zip(states.STATES, market.nbbo.state_us[0].tolist(), strict=True))
    assert (spent["none"], spent["locked"], spent["normal"]) == (500, 200, 1_000)


def test_half_an_event_is_not_seen():
    """An open event of one exchange leaves the quote as it was."""
    market = Market()
    market.instrument(0, 0, 1, 0, 0)
    market.show(0, (100, 1), (102, 1), 1, 0)
    data = np.array([101, 5], np.int64)
    assert kernels.apply_message(market.books, 0, 0, 0, -3, 0, data, 0, 1, 0, 2, 2, 2) == kernels.EVENT_OPEN
    assert market.consolidate(2) == 0


def test_a_cross_goes_from_uncertain_to_real_and_may_be_stale():
    """The states of a cross follow its age and the sides' feed times."""
    market = Market()
    for exchange in (0, 1):
        market.instrument(exchange, 0, 1, 0, 0)
    market.show(0, (100, 1), (102, 1), 1_000, 0)
    market.show(1, (103, 1), (104, 1), 2_000, 0)
    assert states.STATES[market.nbbo.state[0]] == "crossed_uncertain"
    market.consolidate(6_999)
    assert states.STATES[market.nbbo.state[0]] == "crossed_uncertain"
    assert market.consolidate(7_000) == 1
    assert states.STATES[market.nbbo.state[0]] == "crossed_real"
    market.show(1, (103, 1), (104, 1), 1_000 + STALE_US, 0)
    assert states.STATES[market.nbbo.state[0]] == "crossed_real"
    market.show(1, (103, 1), (104, 1), 1_001 + STALE_US, 0)
    assert states.STATES[market.nbbo.state[0]] == "crossed_stale"


def test_a_price_beyond_the_common_scale_leaves_its_exchange_out():
    """A book whose price has no int64 on the finest scale is out_of_scale, and the rest stand."""
    market = Market()
    for exchange, exponent in ((0, 0), (1, -12)):
        market.instrument(exchange, exponent, 1, 0, 0)
    kernels.set_flags(market.books, 1, 0, 0)
    data = np.array([10**9, 1, 10**9 + 1, 1], np.int64)
    for b, exponent in ((0, 0), (1, -12)):
        kernels.apply_message(market.books, b, SNAPSHOT | LAST, exponent, -3, 0, data, 0, 1, 1, 1, 1, 1)
    assert update(market.nbbo, market.books, market.table.symbol_books[0], 0, 1, STALE_US, UNCERTAIN_US) == 1
    assert market.nbbo.excluded[0, :2].tolist() == [states.OUT_OF_SCALE, states.TAKEN_IN]
    assert update(market.nbbo, market.books, market.table.symbol_books[0], 0, 1, STALE_US, UNCERTAIN_US) == 0

"""Histories: every feature against the exact oracle, at every event, over drawn streams."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.libs.features.streams import NEAR, ONE_UNIT, WILD, play, streams
from tests.oracles.market import Market

DEPTH = 8


@settings(max_examples=400)
@given(streams(NEAR))
def test_every_feature_is_as_defined(stream):
    """Gaps, equal times, empty and locked books, a window's edge to the microsecond, lost prints, finer units."""
    play(Market(DEPTH), stream)


@settings(max_examples=100)
@given(streams(WILD))
def test_numbers_of_any_size_are_as_defined(stream):
    """The same holds for prices and sizes up to the end of int64."""
    play(Market(DEPTH, integers_decide=False), stream)


small = st.sampled_from([2, 4, 8])


@settings(max_examples=200)
@given(streams(ONE_UNIT), small, small, small, small)
def test_a_history_that_overflows_says_so(stream, wap, flow, trades, returns):
    """With room for a few entries, a window is NaN and marked exactly where it would need more, and right elsewhere.

    In one unit: a WAP that a finer one rounds differently is a change, and an entry, to the kernels.
    """
    play(Market(DEPTH, {"wap": wap, "flow": flow, "trades": trades, "returns": returns}), stream)

"""The order state machine."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from libs.orders.states import TERMINAL, TRANSITIONS, State, allowed

CHAIN = (State.NEW, State.SENT, State.ACKNOWLEDGED, State.PARTIALLY_FILLED)


def test_the_chain_is_that_of_the_design() -> None:
    """An order goes new, sent, acknowledged, partially filled, in this order and without leaving one out."""
    for before, after in pairwise(CHAIN):
        assert allowed(before, after)
    assert not allowed(State.NEW, State.ACKNOWLEDGED)
    assert not allowed(State.SENT, State.PARTIALLY_FILLED)
    assert not allowed(State.SENT, State.FILLED)
    assert not allowed(State.ACKNOWLEDGED, State.SENT)


def test_ends_are_ends() -> None:
    """Nothing follows filled, cancelled, rejected and expired."""
    assert {State.FILLED, State.CANCELLED, State.REJECTED, State.EXPIRED} == TERMINAL
    assert not any(allowed(end, after) for end in TERMINAL for after in State)


@given(st.lists(st.sampled_from(State), max_size=12))
def test_every_walk_ends_once(wanted: list[State]) -> None:
    """Whatever is asked for, the states that are reached only go on along the chain, to at most one end."""
    state, reached = State.NEW, [State.NEW]
    for after in wanted:
        if allowed(state, after):
            state = after
            reached.append(after)
    ranks = [CHAIN.index(each) if each in CHAIN else len(CHAIN) for each in reached]
    assert ranks == sorted(ranks)
    assert sum(each in TERMINAL for each in reached) <= 1
    assert set(TRANSITIONS) == set(State)

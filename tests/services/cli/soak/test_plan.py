"""Schedules of faults: from a seed, one at a time, with calm at both ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.soak.plan import FIRST_S, KINDS, LAST_S, NEEDS_OWN_STACK, SETTLE_S, calm, documents, schedule


@given(st.integers(0, 2**31), st.floats(0, 4000), st.booleans(), st.integers(1, 2))
def test_faults_never_overlap_and_leave_calm(seed: int, duration_s: float, own: bool, lines: int) -> None:
    """The first begins after ten seconds, each after the last has settled, and the end is calm; the seed decides."""
    faults = schedule(seed, duration_s, own_stack=own, lines=lines)
    assert faults == schedule(seed, duration_s, own_stack=own, lines=lines)
    at = 0.0
    for fault in faults:
        assert fault.begin_s >= (at + SETTLE_S if at else FIRST_S)
        low, high = KINDS[fault.kind].length_s
        assert low - 0.01 <= fault.end_s - fault.begin_s <= high + 0.01
        at = fault.end_s
    assert not faults or at + LAST_S <= duration_s + 0.01
    kinds = {fault.kind for fault in faults}
    assert own or not kinds & set(NEEDS_OWN_STACK)
    assert lines > 1 or "line_dead" not in kinds


def test_a_long_run_has_every_fault() -> None:
    """None is repeated before all have been; another seed gives another order."""
    faults = schedule(1, 900.0, own_stack=True)
    assert {fault.kind for fault in faults[: len(KINDS)]} == set(KINDS)
    assert schedule(2, 900.0, own_stack=True) != faults


@pytest.mark.parametrize(("offset", "still"), [(-0.1, True), (0.0, False), (SETTLE_S, False), (SETTLE_S + 9.0, True)])
def test_calm_begins_when_a_fault_has_settled(offset: float, still: bool) -> None:
    """From its beginning to ten seconds after its end nothing is calm."""
    fault = schedule(1, 60.0, own_stack=True)[0]
    at = fault.begin_s + offset if offset <= 0 else fault.end_s + offset
    assert calm([fault], at) is still


def test_documents_say_what_was_done() -> None:
    """The verdict names each fault in words."""
    for document in documents(schedule(3, 300.0, own_stack=True)):
        assert document["says"] == KINDS[document["kind"]].says


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.begin is not None])
def test_a_kind_breaks_something_and_takes_it_back(kind: str) -> None:
    """Each odds that begin are above 0 and end at 0, each recovery is another than on and ends on; same line."""
    begin, end = dict(KINDS[kind].begin or {}), dict(KINDS[kind].end or {})
    assert begin.pop("line", None) == end.pop("line", None)
    assert begin.keys() == end.keys() and begin
    recovery = (begin.pop("recovery", "off"), end.pop("recovery", "on"))
    assert recovery[0] != "on" and recovery[1] == "on"
    assert all(0 < odds <= 1 for odds in begin.values()) and not any(end.values())

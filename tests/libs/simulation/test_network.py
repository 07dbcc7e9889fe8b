"""Lines: what they do to datagrams is what they say, and damage is never taken for a message."""

from __future__ import annotations

import random

import pytest

from libs.sending.outbox import new_outbox
from libs.simulation.network import Line, boundaries, mutated, truncated
from libs.simulation.schedule import MS, LinePlan, Schedule, draw
from libs.simulation.sender import Datagram, Session, play
from libs.wire.messages import decode_datagram


@pytest.fixture(scope="module")
def sent() -> tuple[Schedule, list[Session]]:
    """What a schedule's sender sends."""
    plan = draw(5)
    return plan, play(plan, new_outbox(1))


@pytest.mark.parametrize("damage", [truncated, mutated])
def test_damage_leaves_only_whole_messages_from_before_it(damage, sent: tuple[Schedule, list[Session]]) -> None:  # type: ignore[no-untyped-def]
    """A reader finds exactly the messages that stood before the damage, as they were sent."""
    rng = random.Random(1)
    for datagram in sent[1][0].datagrams * 3:
        data, whole = damage(rng, datagram.data)
        found, _ = decode_datagram(data)
        assert len(found) == whole
        assert found == decode_datagram(datagram.data)[0][:whole]


def test_boundaries_are_those_of_the_messages(sent: tuple[Schedule, list[Session]]) -> None:
    """The count of messages that checks rely on is what a decoder finds."""
    for datagram in sent[1][0].datagrams:
        assert len(boundaries(datagram.data)) - 1 == len(decode_datagram(datagram.data)[0])
        assert datagram.messages + datagram.beats == len(boundaries(datagram.data)) - 1


def _carry(plan: LinePlan, count: int = 4000, end_ms: int = 10_000) -> list[int]:
    line = Line(plan, random.Random(3), 0, end_ms * MS)
    found: list = []
    for k in range(count):
        line.carry(Datagram(k * MS, 0, b"x", 1, 0), found)
    return [arrival.sent.at_ns // MS for arrival in found]


def test_losses_are_as_many_as_planned() -> None:
    """Independent losses, duplicates and a dead line come to what the plan says."""
    assert 0.17 < 1 - len(_carry(LinePlan(loss=0.2))) / 4000 < 0.23
    assert 1.27 < len(_carry(LinePlan(duplicate=0.3))) / 4000 < 1.33
    dead = _carry(LinePlan(dead=((100 * MS, 300 * MS),)))
    assert dead == [k for k in range(4000) if not 100 <= k < 300]


def test_bursts_lose_neighbours() -> None:
    """In the bad state of Gilbert and Elliott's line datagrams are lost one after the other."""
    got = set(_carry(LinePlan(bad_after=0.01, good_after=0.1)))
    lost = [k for k in range(4000) if k not in got]
    assert 100 < len(lost) < 800
    assert sum(k + 1 not in got for k in lost[:-1]) > 0.7 * len(lost)


def test_nothing_goes_wrong_after_the_faults() -> None:
    """Once faults are over each datagram arrives once, in order."""
    late = _carry(LinePlan(loss=0.9, duplicate=0.9, reorder=0.9, late=0.9), end_ms=1000)
    assert [k for k in late if k >= 1000] == list(range(1000, 4000))

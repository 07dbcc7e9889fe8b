"""Whole schedules: three hundred of them hold, they are made of what they should be, and a seed says all."""

from __future__ import annotations

from collections import Counter

import pytest

from libs.engine import waiting
from libs.sequencing import state as seq
from libs.simulation.outcome import Outcome
from libs.simulation.schedule import FAULTS, draw
from libs.simulation.world import Bench, World, run_feed

SCHEDULES = 300
FOUND_LATER = (7620,)
"""Seeds of long runs that failed once: a sender restarted with its clock set back, before any heartbeat was heard."""


@pytest.fixture(scope="module")
def seen(bench: Bench) -> tuple[list[Outcome], Counter[str]]:
    """Three hundred schedules, and what happened in them."""
    outcomes, happened = [], Counter[str]()
    for seed in (*range(1, SCHEDULES + 1), *FOUND_LATER):
        world = World(bench, draw(seed))
        outcomes.append(world.run())
        channels = bench.receiver.arrays["sequencer_channels"].sum(axis=0)
        control = bench.receiver.arrays["waiting_control"]
        happened.update(
            {
                "by line": int(channels[seq.HEALED_LINE]),
                "by retransmission": int(channels[seq.HEALED_RETRANSMISSION]),
                "holes lost": int(channels[seq.HOLES_LOST]),
                "late": int(channels[seq.LATE]),
                "foreign": int(channels[seq.FOREIGN_SESSION]),
                "second sessions": int(channels[seq.SESSIONS]) - len(world.plan.channels),
                "requested snapshots used": int(control[waiting.USED]),
                "requested snapshots stale": int(control[waiting.STALE]),
                "deltas spliced": int(control[waiting.SPLICED]),
                "books compared": world.books.compared,
                "rows compared": world.rows.taken,
            }
        )
        happened.update(world.plan.faults)
    return outcomes, happened


def test_every_schedule_holds(seen: tuple[list[Outcome], Counter[str]]) -> None:
    """No ledger is off, no book that says valid is wrong, and everything heals."""
    outcomes, _ = seen
    assert [(each.seed, each.failures) for each in outcomes if each.failures] == []
    assert {(each.unaccounted, each.wrong_valid_books, each.unhealed) for each in outcomes} == {(0, 0, 0)}
    assert min(each.messages for each in outcomes) >= 500


def test_everything_happens_in_them(seen: tuple[list[Outcome], Counter[str]]) -> None:
    """Each fault is drawn, each way of healing is taken, and much is compared: silence would prove nothing."""
    _, happened = seen
    assert {name: happened[name] for name in FAULTS if happened[name] < 20} == {}
    fewest = {"books compared": 50_000, "rows compared": 50_000, "by line": 500, "by retransmission": 200}
    wanted = {name: fewest.get(name, 20) for name in happened if name not in FAULTS}
    assert {name: happened[name] for name, least in wanted.items() if happened[name] < least} == {}


@pytest.mark.parametrize("seed", [3, 8, 76])
def test_a_seed_says_all(seed: int, bench: Bench) -> None:
    """The same seed gives the same schedule, message for message and step for step."""
    told: list[list[str]] = [[], []]
    outcomes = [run_feed(seed, bench, lines.append) for lines in told]
    assert outcomes[0] == outcomes[1]
    assert told[0] == told[1] and len(told[0]) > 500


def test_a_failure_names_its_moment_and_ends_the_schedule(bench: Bench) -> None:
    """What did not hold is said once, with the virtual time at which it was seen."""
    world = World(bench, draw(1))
    for book in world.truth.books.values():
        book.keep = lambda sequence: None  # type: ignore[method-assign]
        for state in book.states:
            for side in state.sides:
                side.clear()
    outcome = world.run()
    assert outcome.wrong_valid_books == 1 and len(outcome.failures) == 1
    assert outcome.failures[0].startswith("at ") and " ms: " in outcome.failures[0]

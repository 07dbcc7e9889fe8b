"""The order path through schedules of its own, and each broken rule of it found out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from libs.execution import desk, paper
from libs.execution.market import Market
from libs.orders.events import Intended
from libs.orders.ledger import Ledger
from libs.risk import checks
from libs.simulation.orders import FAULTS, draw_orders, run_orders
from libs.streams.connection import Connection
from libs.streams.instruments import Instruments
from libs.streams.places import Group
from libs.streams.shards import Shard
from libs.streams.writer import LATEST, PackedWriter

SEEDS = 200


def test_every_schedule_holds() -> None:
    """No order without ground, none twice, no fill lost, nothing written that nobody counted."""
    failed = {seed: found for seed in range(1, SEEDS + 1) if (found := run_orders(seed).failures)}
    assert not failed, "crossbook simulate --schedules 1 --trace --seed " + str(failed)


def test_the_same_seed_is_the_same_story() -> None:
    """Two runs of a seed say the same, line by line, and the faults are all drawn."""
    stories: list[list[str]] = [[], []]
    for story in stories:
        run_orders(7, story.append)
    assert stories[0] == stories[1] != []
    assert set().union(*(draw_orders(seed).faults for seed in range(50))) == set(FAULTS)


def without(name: str) -> Callable[[pytest.MonkeyPatch], None]:
    """Leave a check of libs.risk.checks out."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(checks, "CHECKS", tuple(each for each in checks.CHECKS if each.__name__ != name))

    return patch


def replaced(owner: Any, name: str, new: Any) -> Callable[[pytest.MonkeyPatch], None]:
    """Put something in the place of a name."""
    return lambda monkeypatch: monkeypatch.setattr(owner, name, new)


def _unjournalled(self: desk.Desk, events: list[Any]) -> None:
    journal, kept = self.journal, [event for event in events if not isinstance(event, Intended)]
    if len(kept) == len(events):
        RECORD(self, events)
        return
    self.journal = type("Nowhere", (), {"append": lambda self, payloads: None})()  # type: ignore[assignment]
    RECORD(self, events)
    self.journal = journal


def _forgetful(self: PackedWriter, entries: Any) -> None:
    self._backlog.extend(entry for entry in entries if entry[0] not in LATEST)
    while len(self._backlog) > self._backlog_entries:
        self._backlog.popleft()


def _same_run(self: Market, run: str, shard: Shard) -> bool:
    return self.runs.begin(run, shard)


def _no_intents(self: Ledger) -> Any:
    snapshot = SNAPSHOT(self)
    snapshot.intents.clear()
    return snapshot


RECORD, SNAPSHOT = desk.Desk._record, Ledger.snapshot
MUTATIONS = {
    "an intent acted on twice": without("duplicate_intent"),
    "invalid book accepted": without("invalid_book"),
    "halted book accepted": without("halted"),
    "crossed book accepted": without("crossed_book"),
    "stale book accepted": without("stale_book"),
    "kill switch passed over": without("kill_switch"),
    "intent not journalled": replaced(desk.Desk, "_record", _unjournalled),
    "intents forgotten when compacting": replaced(Ledger, "snapshot", _no_intents),
    "venue not asked after a crash": replaced(desk, "recover", lambda *args: 0),
    "filled from a book in doubt": replaced(paper, "NO_FILL", 0),
    "flags of the status stream passed over": replaced(Market, "_set_flags", lambda self, ids, flags: None),
    "ids of an earlier run kept": replaced(Market, "begin_run", _same_run),
    "break not told": replaced(Connection, "up", lambda self: UP(self) and False),
    "dropped and not counted": replaced(PackedWriter, "_keep", _forgetful),
    "instruments said once": replaced(Instruments, "entries", lambda self: []),
    "what was read and not acted on is lost": lambda monkeypatch: (
        monkeypatch.setattr(Group, "_read_own", lambda self: self._own.clear() or []),
        monkeypatch.setattr(Group, "_claim", lambda self: []),
    ),
}
UP = Connection.up


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed rule fails one of the schedules."""
    MUTATIONS[name](monkeypatch)
    caught = next((seed for seed in range(1, SEEDS + 1) if run_orders(seed).failures), 0)
    print(name, caught, run_orders(caught).failures if caught else "")
    assert caught

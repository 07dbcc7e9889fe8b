"""Run many schedules over several processes and add up what they came to."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from libs.simulation.orders import run_orders
from libs.simulation.outcome import Outcome
from libs.simulation.world import Bench, run_feed

MOST_FAILURES = 100
"""Failures that are kept; all are counted."""
PORTION = 10
"""Seeds handed to a process at a time."""

_benches: list[Bench] = []
"""The memory of this process, made at its first schedule."""


@dataclass
class Total:
    """The document of cli.md."""

    schedules: int = 0
    messages: int = 0
    unaccounted: int = 0
    wrong_valid_books: int = 0
    unhealed: int = 0
    failed: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Take in a schedule."""
        self.schedules += 1
        self.messages += outcome.messages
        self.unaccounted += outcome.unaccounted
        self.wrong_valid_books += outcome.wrong_valid_books
        self.unhealed += outcome.unhealed
        self.failed += bool(outcome.failures)
        for what in outcome.failures[: MOST_FAILURES - len(self.failures)]:
            self.failures.append({"seed": outcome.seed, "what": what})

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def run_seed(seed: int, trace: Callable[[str], None] | None = None) -> Outcome:
    """Run one seed in this process: the feed's schedule, and the order path's."""
    if not _benches:
        _benches.append(Bench())
    outcome, orders = run_feed(seed, _benches[0], trace), run_orders(seed, trace)
    outcome.unhealed += orders.unhealed
    outcome.failures += [f"orders: {what}" for what in orders.failures]
    return outcome


def _run_portion(seeds: range) -> list[Outcome]:
    return [run_seed(seed) for seed in seeds]


def outcomes(seed: int, schedules: int, jobs: int) -> Iterator[Outcome]:
    """Yield the outcome of each seed from ``seed`` on, in no particular order.

    Parameters
    ----------
    jobs : int
        Processes; 1: this one.
    """
    if jobs <= 1 or schedules <= PORTION:
        for each in range(seed, seed + schedules):
            yield run_seed(each)
        return
    # Kernels load once, here; the processes that follow inherit them.
    yield run_seed(seed)
    portions = [
        range(first, min(first + PORTION, seed + schedules)) for first in range(seed + 1, seed + schedules, PORTION)
    ]
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        for done in pool.imap_unordered(_run_portion, portions):
            yield from done


def default_jobs() -> int:
    """Return how many processes this one may use."""
    return len(os.sched_getaffinity(0))


def run(seed: int, schedules: int, jobs: int, tell: Callable[[Total], None] | None = None) -> Total:
    """Run schedules and add them up; ``tell`` is called after each."""
    total = Total()
    for outcome in outcomes(seed, schedules, jobs):
        total.add(outcome)
        if tell:
            tell(total)
    total.failures.sort(key=lambda each: int(each["seed"]))
    return total

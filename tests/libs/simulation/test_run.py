"""Many schedules, over processes or in one, add up to the same."""

from __future__ import annotations

from libs.simulation.outcome import Outcome
from libs.simulation.run import MOST_FAILURES, Total, run


def test_processes_make_no_difference() -> None:
    """Two processes come to what one does, and each schedule is told of."""
    told: list[int] = []
    alone, together = run(40, 22, 1), run(40, 22, 2, lambda total: told.append(total.schedules))
    assert alone == together
    assert told == list(range(1, 23))
    assert alone.document()["schedules"] == 22 and alone.messages >= 22 * 500


def test_totals_are_bounded() -> None:
    """All failures are counted, the first hundred are kept, and what went wrong adds up."""
    total = Total()
    for seed in range(3 * MOST_FAILURES):
        total.add(Outcome(seed, 500, unaccounted=1, wrong_valid_books=2, unhealed=3, failures=["something"]))
    assert total.failed == 3 * MOST_FAILURES and len(total.failures) == MOST_FAILURES
    assert total.failures[7] == {"seed": 7, "what": "something"}
    assert (total.unaccounted, total.wrong_valid_books, total.unhealed) == (300, 600, 900)

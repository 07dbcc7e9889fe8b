"""A wait that doubles with failures in a row."""

from __future__ import annotations

from libs.recovery.backoff import Backoff


def test_the_wait_doubles_up_to_the_longest() -> None:
    """Each failure after a wait doubles the next one; a success begins anew."""
    backoff = Backoff(2, 20)
    waits, now = [], 100
    for _ in range(6):
        backoff.fail(now)
        waits.append(backoff.until_ns - now)
        now = backoff.until_ns
    assert waits == [2, 4, 8, 16, 20, 20]
    backoff.succeed()
    assert backoff.until_ns == 0
    backoff.fail(now)
    assert backoff.until_ns == now + 2


def test_failures_during_a_wait_are_one() -> None:
    """What fails together is one failure."""
    backoff = Backoff(2, 20)
    backoff.fail(100)
    backoff.fail(101)
    assert (backoff.until_ns, backoff.failures) == (102, 1)


def test_a_thousand_failures_are_no_overflow() -> None:
    """However many there are, the wait stays the longest."""
    backoff = Backoff(2, 20)
    for now in range(0, 20_000, 20):
        backoff.fail(now)
    assert backoff.until_ns == 19_980 + 20

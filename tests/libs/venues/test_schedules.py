"""Every venue's core through seeded faults of its fake: a valid book is one that the venue has had."""

from __future__ import annotations

import pytest

from libs.venues.binance.splice import Splice
from libs.venues.bybit import BybitCore
from libs.venues.coinbase import CoinbaseCore
from services.feeder.venues import FEEDS
from tests.libs.venues.schedules import play

SEEDS = 12


@pytest.mark.parametrize("name", FEEDS)
def test_a_valid_book_is_one_that_the_venue_has_had(name: str) -> None:
    """At every event; and after the faults it is the venue's own. ``python -m tests.libs.venues.schedules``: more."""
    gaps = struck = compared = 0
    for seed in range(1, SEEDS + 1):
        found = play(name, seed)
        gaps += found.core.counts["gap"] + found.core.counts["closed"] + found.core.counts["refused"]
        struck += sum(found.venue.faults.done.values())
        compared += found.compared
    assert compared > 100 * SEEDS
    assert struck > SEEDS
    assert gaps > SEEDS // 2


def caught(name: str) -> bool:
    """Return whether some schedule of a feed finds a book that the venue never had."""
    for seed in range(1, 4 * SEEDS):
        try:
            play(name, seed)
        except AssertionError as error:
            return "never had" in str(error)
    return False


def test_a_core_that_overlooks_a_gap_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison finds wrong books."""
    monkeypatch.setattr(Splice, "_follows", lambda self, diff, book_id: True)
    assert caught("binance")
    assert caught("binance_coinm")


def test_a_connections_sequence_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A core of Advanced Trade that goes on after a gap is caught."""
    monkeypatch.setattr(CoinbaseCore, "_gap", lambda self, last, number, now_us: [])
    assert caught("coinbase")


def test_a_core_that_does_not_heal_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the faults its books must be the venue's."""
    monkeypatch.setattr(BybitCore, "resync", lambda self, symbol, reason, now_us: [])
    with pytest.raises(AssertionError, match="does not heal"):
        for seed in range(1, SEEDS):
            play("bybit", seed)

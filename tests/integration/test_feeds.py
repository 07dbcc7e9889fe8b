"""Every feed: fake venue, the venue's own core, multicast, consumer's engine; and its books are the venue's."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from libs.offline.audit import audit
from libs.storage.recordings import find
from libs.storage.source import RecordingSource
from services.fakes.catalogue import PLAYS, new_fake
from services.feeder.venues import FEEDS
from services.feeder.warming import warm
from tests.services.feeder.live import Live

pytestmark = pytest.mark.integration

FAULTS = ("drop", "duplicate", "reorder", "garbage", "disconnect", "reset", "gap_in_resync", "slow")
OWN_FAULTS = {
    "binance": ("stale_snapshot", "too_many", "banned"),
    "binance_usdm": ("stale_snapshot", "too_many", "banned"),
    "binance_coinm": ("stale_snapshot",),
    "okx": ("checksum",),
}
UNSEEN = {"coinbase_exchange": {"drop", "reorder", "gap_in_resync"}}
"""Where books have no sequence: nobody can know, and verify says so."""
HARMLESS = {"duplicate", "slow", "reset"}
"""What a venue may do without a book being wrong for a moment."""


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    warm()


def test_every_feed_can_be_played() -> None:
    """Under the same name."""
    assert set(FEEDS) <= set(PLAYS)


def noticed(live: Live) -> int:
    """Return how often something was found to be wrong."""
    hub = live.feeder.hub
    kinds = ("gap", "checksum_bad", "resync", "trade_gap", "refused")
    return sum(c.core.counts[kind] + c.counts["closed"] for c in hub.connections for kind in kinds)


@pytest.mark.parametrize("name", FEEDS)
def test_books_are_the_venues_through_every_fault(free_port: int, name: str) -> None:
    """One fault after the other: noticed, healed, and each book equal to the venue's own."""

    async def run() -> None:
        fake = new_fake(name, rate=200.0)
        live = Live(free_port, {name: FEEDS[name]}, {name: fake})
        async with live:
            await live.settles(name)
            for fault in (f for f in FAULTS + OWN_FAULTS.get(name, ()) if f not in UNSEEN.get(name, ())):
                before = noticed(live)
                if fault in {"stale_snapshot", "too_many", "banned", "gap_in_resync"}:
                    # They need somebody who asks.
                    fake.faults.arm("drop")
                fake.faults.arm(fault)
                await live.until(lambda f=fault: fake.faults.done[f], f"{fault} does not strike")  # type: ignore[misc]
                await asyncio.sleep(0.1)
                await live.settles(name)
                assert noticed(live) > before or fault in HARMLESS, fault
            assert live.host.ledger(live.feeder.channels[0])["applied"] > 100
            trades = sum(c.core.by_symbol[s]["trades"] for c in live.feeder.hub.connections for s in c.core.symbols)
            assert trades > 10

    asyncio.run(run())


@pytest.mark.parametrize("name", FEEDS)
def test_what_was_said_can_be_audited_and_played_again(free_port: int, name: str, tmp_path: Path) -> None:
    """Through a drop and a reconnection: the recording's books end as the consumer's did, from the same events."""

    async def run() -> tuple[int, dict[str, object]]:
        fake = new_fake(name, rate=200.0)
        live = Live(free_port, {name: FEEDS[name]}, {name: fake}, raw_dir=str(tmp_path))
        async with live:
            await live.settles(name)
            for fault in ("drop", "disconnect") if name not in UNSEEN else ("disconnect",):
                fake.faults.arm(fault)
                await live.until(lambda f=fault: fake.faults.done[f], fault)  # type: ignore[misc]
                await asyncio.sleep(0.1)
                await live.settles(name)
            fake.running = False
            await live.until(lambda: live.equal(name))
            books = {m.canonical: live.book(FEEDS[name].exchange, m.canonical) for m in fake.listed()}
            updates = sum(c.core.by_symbol[s]["updates"] for c in live.feeder.hub.connections for s in c.core.symbols)
        return updates, books

    updates, books = asyncio.run(run())
    recordings = find([tmp_path])
    audits = [audit(recording) for recording in recordings]
    assert sum(a.core.by_symbol[s]["updates"] for a in audits for s in a.symbols) == updates
    found = {symbol: s.ladder for a in audits for symbol, s in a.symbols.items()}
    for symbol, book in books.items():
        ladder = found[symbol]
        sides = tuple(
            {Decimal(p).scaleb(ladder.price_exp): Decimal(s).scaleb(ladder.size_exp) for p, s in side.items()}
            for side in ladder.sides
        )
        assert sides == book
    assert sum(len(chunk.events[: chunk.used[0]]) for chunk in RecordingSource([tmp_path]).chunks()) > 10

"""The feeder between a fake venue and a consumer's engine, on loopback."""

from __future__ import annotations

import asyncio

import pytest

from services.fakes.binance import FakeBinance
from services.feeder.warming import warm
from tests.services.feeder.live import Live, spot
from tests.services.feeder.plain_core import plain_feed

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    warm()


def live(port: int, *symbols: str, rate: float = 200.0, **settings: object) -> tuple[Live, FakeBinance]:
    """Give a feeder of a fake Binance."""
    fake = FakeBinance(spot(*(symbols or ("BTC-USDT", "ETH-USDT", "SOL-USDT"))), rate=rate)
    return Live(port, {"plain": plain_feed()}, {"plain": fake}, **settings), fake


def test_books_are_the_venues(free_port: int) -> None:
    """Spliced from snapshot and deltas over two connections, every book is equal to the venue's own."""

    async def run() -> None:
        both, fake = live(free_port)
        async with both:
            await both.settles("plain")
            await asyncio.sleep(0.5)
            await both.settles("plain")
            assert both.host.ledger()["applied"] > 100
            assert fake.connections == 2
            assert both.feeder.hub.counts["messages"] > 100
        assert both.feeder.transmission.done

    asyncio.run(run())


@pytest.mark.parametrize(
    "fault",
    ["drop", "duplicate", "reorder", "garbage", "disconnect", "stale_snapshot", "too_many", "banned", "reset",
     "gap_in_resync", "slow"],
)  # fmt: skip
def test_a_fault_heals(free_port: int, fault: str) -> None:
    """Whatever goes wrong, it is noticed, and the books are the venue's own again."""

    async def run() -> None:
        both, fake = live(free_port)
        async with both:
            await both.settles("plain")
            fake.faults.arm(fault)
            if fault in {"stale_snapshot", "too_many", "banned", "gap_in_resync"}:
                fake.faults.arm("drop")
            await both.until(lambda: fake.faults.done[fault], f"{fault} does not strike")
            await asyncio.sleep(0.1)
            await both.settles("plain")
            gaps = sum(c.core.counts["gap"] for c in both.feeder.hub.connections)
            lost = sum(c.counts["closed"] for c in both.feeder.hub.connections)
            noticed = gaps + lost + both.feeder.hub.counts["refused"]
            assert noticed > 0 or fault in {"duplicate", "slow"}
            if fault in {"too_many", "banned"}:
                rest = both.feeder.markets[0].rest
                assert rest.counts["429" if fault == "too_many" else "418"] == 1
        both.host.ledger()

    asyncio.run(run())


def test_one_books_gap_touches_no_other(free_port: int) -> None:
    """Only the book that lost a message is said to be invalid."""

    async def run() -> None:
        both, fake = live(free_port)
        async with both:
            await both.settles("plain")
            said: list[str] = []
            put = both.feeder.outlet.put

            def listen(exchange: str, event: object, mono_ns: int) -> bool:
                if type(event).__name__ == "StatusEvent":
                    said.append(event.symbol)  # type: ignore[attr-defined]
                return put(exchange, event, mono_ns)  # type: ignore[arg-type]

            both.feeder.outlet.put = listen  # type: ignore[method-assign]
            fake.faults.arm("drop")
            await both.until(lambda: said)
            await both.settles("plain")
            assert len(said) == 1

    asyncio.run(run())


def test_a_half_open_connection_is_mute_then_given_up(free_port: int) -> None:
    """With no sign of life its books are flagged mute; then it is opened again, and they are heard again."""

    async def run() -> None:
        both, fake = live(free_port, "BTC-USDT", mute_after_s=0.5, dead_after_s=1.0)
        async with both:
            await both.settles("plain")
            fake.faults.arm("half_open")
            await both.until(lambda: "mute" in both.host.flags())
            assert both.feeder.hub.counts["mute"] == 1
            await both.until(lambda: fake.connections == 2)
            await both.settles("plain")
            await both.until(lambda: "mute" not in both.host.flags())

    asyncio.run(run())


def test_a_quiet_market_is_not_mute(free_port: int) -> None:
    """Where nothing happens but pings are answered, nobody is alarmed."""

    async def run() -> None:
        both, fake = live(free_port, "BTC-USDT", mute_after_s=0.4, dead_after_s=0.8)
        async with both:
            await both.settles("plain")
            fake.running = False
            await asyncio.sleep(1.5)
            assert both.feeder.hub.counts["mute"] == 0
            assert fake.connections == 1

    asyncio.run(run())


def test_connections_are_turned_over(free_port: int) -> None:
    """Before the venue cuts them they are opened again, and the books follow."""

    async def run() -> None:
        both, fake = live(free_port, "BTC-USDT", rotate_s=0.5)
        async with both:
            await both.until(lambda: fake.connections >= 3)
            await both.settles("plain")
            (connection,) = both.feeder.hub.connections
            assert connection.counts["rotated"] >= 2

    asyncio.run(run())


def test_what_is_delisted_is_said(free_port: int) -> None:
    """A symbol that has gone from the venue's list carries the flag, the others do not."""

    async def run() -> None:
        both, fake = live(free_port, instruments_every_s=0.3)
        async with both:
            await both.settles("plain")
            fake.markets["ETHUSDT"].listed = False
            await both.until(lambda: "delisted" in both.host.flags("ETH-USDT"))
            assert "delisted" not in both.host.flags("BTC-USDT")

    asyncio.run(run())

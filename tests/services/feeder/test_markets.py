"""Which symbols are fed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import aiohttp
import msgspec
import pytest

from libs.errors import ConfigError, MissingError
from libs.telemetry import logs
from services.fakes.binance import FakeBinance
from services.feeder.inbox import Inbox
from services.feeder.markets import Market, connections_of, instruments_of, list_of, markets_of
from services.feeder.settings import FeedSettings, Settings
from tests.services.feeder.live import spot
from tests.services.feeder.plain_core import plain_feed

LISTED = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
Body = Callable[[Market, Settings, FakeBinance, aiohttp.ClientSession], Awaitable[None]]


def with_market(symbols: tuple[str, ...], body: Body, **settings: object) -> None:
    """Run something with the market of a fake Binance that lists three symbols."""

    async def run() -> None:
        fake = FakeBinance(spot(*LISTED))
        await fake.start()
        feeds = {"plain": FeedSettings(symbols=symbols, ws=fake.root, rest=fake.rest)}
        found = msgspec.structs.replace(msgspec.convert(settings, Settings), feeds=feeds)
        async with aiohttp.ClientSession() as session:
            (market,) = markets_of(found, {"plain": plain_feed()}, session)
            await body(market, found, fake, session)
        await fake.stop()

    asyncio.run(run())


def test_an_unknown_symbol_is_named_with_its_near_misses() -> None:
    """From the venue's own list, with file and key: exit status 2."""

    async def body(market: Market, settings: Settings, fake: FakeBinance, session: aiohttp.ClientSession) -> None:
        with pytest.raises(ConfigError) as caught:
            await instruments_of(market, settings, "feeder.toml", logs.get("test"))
        said = str(caught.value)
        assert said.startswith("feeder.toml: feeds.plain.symbols[1]: ")
        assert "(near: SOL-USDT" in said
        assert said.endswith('found "SOLUSDT"')
        assert caught.value.exit_status == 2

    with_market(("BTC-USDT", "SOLUSDT"), body)


def test_ticks_and_lots_are_the_venues() -> None:
    """Of the wanted symbols alone, though the first answer was a refusal."""

    async def body(market: Market, settings: Settings, fake: FakeBinance, session: aiohttp.ClientSession) -> None:
        fake.faults.arm("too_many")
        found = await instruments_of(market, settings, "f", logs.get("test"))
        assert {s: (i.tick, i.lot) for s, i in found.items()} == {"ETH-USDT": ((1, -2), (1, -5))}
        assert market.rest.counts["429"] == 1

    with_market(("ETH-USDT",), body)


def test_a_file_stands_in_for_a_silent_venue(tmp_path: Path) -> None:
    """With its ticks and lots; a symbol that it lacks is what is missing: exit status 3."""
    entry = {"symbol": "BTC-USDT", "tick_size": "0.1", "lot_size": "0.001"}
    (tmp_path / "binance.json").write_text(json.dumps({"exchange": "binance", "instruments": [entry]}))

    async def body(market: Market, settings: Settings, fake: FakeBinance, session: aiohttp.ClientSession) -> None:
        fake.faults.odds["banned"] = 1.0
        found = await instruments_of(market, settings, "f", logs.get("test"))
        assert found["BTC-USDT"].tick == (1, -1)
        with pytest.raises(MissingError, match=r"none of DOGE-USDT in .*feeds\.plain\.rest"):
            await instruments_of(replace(market, symbols=("BTC-USDT", "DOGE-USDT")), settings, "f", logs.get("test"))

    with_market(("BTC-USDT",), body, start_timeout_s=0.3, instruments_dir=str(tmp_path))


def test_a_list_that_makes_no_sense_is_no_list() -> None:
    """It is asked for again, not believed."""

    async def body(market: Market, settings: Settings, fake: FakeBinance, session: aiohttp.ClientSession) -> None:
        broken = replace(market.feed, instruments=("/fake/status",))

        class Wrong:
            def instruments(self, body: bytes) -> list[object]:
                raise ValueError("no list")

        assert await list_of(replace(market, feed=replace(broken, rules=Wrong()))) is None  # type: ignore[arg-type]
        assert await list_of(replace(market, feed=replace(market.feed, instruments=("/none",)))) is None

    with_market(("BTC-USDT",), body)


def test_symbols_are_shared_out_and_limited_mode_takes_few() -> None:
    """Each symbol on one connection; with LIMITED_MODE the first of them only."""

    async def body(market: Market, settings: Settings, fake: FakeBinance, session: aiohttp.ClientSession) -> None:
        known = await instruments_of(market, settings, "f", logs.get("test"))
        connections = connections_of(market, known, Inbox(), session, seed=1)
        assert [list(c.core.symbols) for c in connections] == [["BTC-USDT", "ETH-USDT"], ["SOL-USDT"]]
        assert {c.url for c in connections} == {fake.ws}
        limited = msgspec.structs.replace(settings, limited=True, limited_symbols=1)
        assert markets_of(limited, {"plain": plain_feed()}, session)[0].symbols == ("BTC-USDT",)

    with_market(LISTED, body)

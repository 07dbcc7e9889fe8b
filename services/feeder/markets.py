"""Which symbols are fed: the configured ones, checked against each venue's own list, shared out over connections."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp

import libs
from libs.config import near
from libs.errors import ConfigError, MissingError
from libs.market.instruments import Instrument, load_folder
from services.feeder.connection import Connection
from services.feeder.inbox import Inbox
from services.feeder.limits import Bucket
from services.feeder.rest import Rest
from services.feeder.settings import Settings
from services.feeder.venues import Feed

_RETRY_S = 0.25


@dataclass(frozen=True, slots=True)
class Market:
    """A feed as it is used.

    Parameters
    ----------
    feed : Feed
    symbols : tuple of str
        Canonical.
    rest : Rest
    """

    feed: Feed
    symbols: tuple[str, ...]
    rest: Rest


def markets_of(settings: Settings, feeds: Mapping[str, Feed], session: aiohttp.ClientSession) -> list[Market]:
    """Return the feeds that the settings name, with their addresses, waits and symbols."""
    found = []
    for name, wanted in settings.feeds.items():
        if not wanted.enabled or not wanted.symbols:
            continue
        feed = feeds[name]
        feed = replace(
            feed,
            ws=wanted.ws or feed.ws,
            rest=wanted.rest or feed.rest,
            rotate_s=min(feed.rotate_s, settings.rotate_s),
            mute_after_s=settings.mute_after_s,
            dead_after_s=settings.dead_after_s,
            backoff_s=settings.backoff_s,
            longest_backoff_s=settings.longest_backoff_s,
        )
        symbols = wanted.symbols[: settings.limited_symbols] if settings.limited else wanted.symbols
        rng = random.Random(f"{settings.seed} rest {name}") if settings.seed else random.Random()
        rest = Rest(feed.rest, session, feed.weight_per_min, rng, settings.rest_timeout_s)
        found.append(Market(feed, symbols, rest))
    return found


async def list_of(market: Market) -> dict[str, Instrument] | None:
    """Return the venue's instruments by canonical symbol; None when it does not tell them now."""
    found: dict[str, Instrument] = {}
    for path in market.feed.instruments:
        body = await market.rest.get(path, market.feed.instruments_weight)
        if body is None:
            return None
        try:
            found |= {i.symbol: i for _, i in market.feed.rules.instruments(body)}
        except ValueError:
            return None
    return found


async def instruments_of(market: Market, settings: Settings, file: str, log: Any) -> dict[str, Instrument]:
    """Return the instruments of the wanted symbols.

    Where the venue does not answer in time, the repository's own list stands in.

    Raises
    ------
    ConfigError
        When the venue has no such symbol; near misses are named.
    MissingError
        When the venue does not answer and the repository's list lacks a symbol.
    """
    deadline = time.monotonic() + settings.start_timeout_s
    known = None
    while known is None and time.monotonic() < deadline:
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                known = await list_of(market)
        except TimeoutError:
            break
        if known is None:
            await asyncio.sleep(_RETRY_S)
    if known is None:
        return _from_files(market, settings, log)
    for index, symbol in enumerate(market.symbols):
        if symbol not in known:
            raise ConfigError(
                file, f"feeds.{market.feed.name}.symbols[{index}]",
                f"a symbol that {market.feed.name} trades{near(symbol, list(known))}", f'"{symbol}"',
            )  # fmt: skip
    return {symbol: known[symbol] for symbol in market.symbols}


def _from_files(market: Market, settings: Settings, log: Any) -> dict[str, Instrument]:
    folder = settings.instruments_dir or Path(libs.__file__).parent.parent / "config" / "instruments"
    table = load_folder(Path(folder))
    exchange = market.feed.exchange
    lacking = [symbol for symbol in market.symbols if (exchange, symbol) not in table]
    if lacking:
        raise MissingError(
            f"no list of instruments from {market.feed.rest} within {settings.start_timeout_s:g} s, and none of"
            f" {', '.join(lacking[:5])} in {folder}; check the network, or set feeds.{market.feed.name}.rest"
        )
    log.warning("instruments_from_files", feed=market.feed.name, folder=str(folder))
    return {symbol: table[exchange, symbol] for symbol in market.symbols}


def connections_of(
    market: Market,
    instruments: Mapping[str, Instrument],
    inbox: Inbox,
    session: aiohttp.ClientSession,
    seed: int,
) -> list[Connection]:
    """Return a connection for each share of the symbols."""
    feed = market.feed
    openings = Bucket(*feed.openings)
    found = []
    for number, share in enumerate(feed.rules.connections(list(market.symbols))):
        rng = random.Random(f"{seed} {feed.name} {number}") if seed else random.Random()
        core = feed.core(share, instruments)
        found.append(
            Connection(
                f"{feed.name}-{number}", feed, feed.ws.rstrip("/") + feed.ws_path, core, inbox, session, openings, rng
            )
        )
    return found

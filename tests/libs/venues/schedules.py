"""Seeded schedules of faults: a fake venue, a core and a virtual clock, without sockets.

Each time a valid book changes, it must be one that the venue has had; once the faults end, it must be the venue's own.
``python -m tests.libs.venues.schedules [--seeds N] [--first K] [FEED …]`` prints a line a feed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from libs.venues.core import Close, Fetch, Output, Refused, Send, TopEvent, VenueCore
from libs.venues.events import BookEvent, StatusEvent, TradeEvent
from services.fakes.book import Change, FakeMarket
from services.fakes.catalogue import new_fake
from services.fakes.client import Client
from services.fakes.venue import FakeVenue
from services.feeder.venues import FEEDS
from tests.libs.venues.captures import Replayed

STEPS = 150
"""Book messages with faults; as many follow without."""
US = 1_000_000
ODDS = {"drop": 0.02, "duplicate": 0.03, "reorder": 0.02, "garbage": 0.01, "disconnect": 0.01, "reset": 0.005,
        "gap_in_resync": 0.3, "stale_snapshot": 0.3, "too_many": 0.1, "banned": 0.05, "checksum": 0.02}  # fmt: skip
UNSEEN = {"coinbase_exchange": ("drop", "reorder", "gap_in_resync")}
"""What books without a sequence cannot show."""
Key = tuple[frozenset[tuple[Decimal, Decimal]], frozenset[tuple[Decimal, Decimal]]]


class Line(Client):
    """A connection whose messages wait to be taken."""

    def __init__(self, venue: FakeVenue, path: str) -> None:
        url = urlsplit(path)
        request = SimpleNamespace(path=url.path, query=dict(parse_qsl(url.query)), transport=None)
        super().__init__(cast(web.WebSocketResponse, None), cast(web.Request, request), venue.faults)
        self.texts: deque[str] = deque()
        self.open = True

    def say(self, text: str) -> None:
        if self.open:
            self.texts.append(text)

    def cut(self, within: str = "") -> None:
        self.open = False


@dataclass
class Schedule:
    """One run of one feed by a seed."""

    name: str
    seed: int
    changes: int = 3
    faulty: bool = True
    now_us: int = US
    texts: int = 0
    trades: int = 0
    compared: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"{self.seed} {self.name}")
        odds = {kind: p for kind, p in ODDS.items() if kind not in UNSEEN.get(self.name, ())}
        kinds = self.rng.sample(sorted(odds), self.rng.randint(1, len(odds)))
        self.feed = FEEDS[self.name]
        self.venue = new_fake(self.name, seed=self.seed, changes=self.changes)
        self.had: dict[str, set[Key]] = {m.canonical: {key_of(truth(self.venue, m))} for m in self.markets}
        for market in self.markets:
            self.remember(market)
        app = web.Application()
        self.venue.routes(app)
        self.app = app
        listed = dict(
            pair for path in self.feed.instruments for pair in self.feed.rules.instruments(self.fetched(path)[1])
        )
        self.core: VenueCore = self.feed.core(
            [m.canonical for m in self.markets], {i.symbol: i for i in listed.values()}
        )
        self.venue.faults.odds = {kind: odds[kind] for kind in kinds if self.faulty}
        self.replayed = Replayed()
        self.answers: list[tuple[int, Fetch]] = []
        self.line: Line | None = None
        self.reopen_us = 0

    def remember(self, market: FakeMarket) -> None:
        """Let each step of a market's book be one that the venue has had."""
        move = market.book.step

        def step(changes: int) -> Change:
            change = move(changes)
            self.had[market.canonical].add(key_of(truth(self.venue, market)))
            return change

        market.book.step = step  # type: ignore[method-assign]

    @property
    def markets(self) -> list[FakeMarket]:
        """The venue's markets."""
        return list(self.venue.markets.values())

    def run(self) -> None:
        """Let it go wrong, then let it heal."""
        for step in range(2 * STEPS):
            if step == STEPS:
                self.venue.faults.odds.clear()
            self.venue.step(self.rng.choice(self.markets))
            self.pass_time(self.rng.choice((1, 5, 20, 120)))
        for _ in range(600):
            if self.heals():
                return
            self.pass_time(100, everything=True)
            for market in self.markets:
                # Something must come for a gap to be seen.
                self.venue.step(market)
            self.pass_time(100, everything=True)
        raise AssertionError(f"{self.name} seed {self.seed} does not heal: {dict(self.core.counts)}")

    def heals(self) -> bool:
        """Return whether every book is the venue's own."""
        return all(
            self.core.synchronised(m.canonical)
            and key_of(self.replayed.sides[m.canonical]) == key_of(truth(self.venue, m))
            for m in self.markets
        )

    def pass_time(self, ms: int, *, everything: bool = False) -> None:
        """Move the clock; open what is closed, answer what was fetched, deliver some of what was said."""
        self.now_us += 1000 * ms
        if self.now_us // US != (self.now_us - 1000 * ms) // US:
            self.venue.beat()
        if self.line is None:
            if self.now_us >= self.reopen_us:
                self.line = self.open_line()
                self.take(self.core.opened(self.now_us))
            return
        line = self.line
        count = len(line.texts) if everything else self.rng.randint(0, len(line.texts))
        for _ in range(count):
            if self.line is not line:
                return
            self.texts += 1
            self.take(self.core.received(line.texts.popleft().encode(), self.now_us))
        if not line.open and not line.texts:
            self.lose()
            return
        self.answer()
        if self.line is line:
            self.take(self.core.tick(self.now_us))

    def open_line(self) -> Line:
        """Return a new connection to the venue."""
        line = Line(self.venue, self.feed.ws_path)
        self.venue.clients.add(line)
        self.venue.on_open(line)
        return line

    def lose(self) -> None:
        """End the connection; another opens in a while."""
        if self.line is not None:
            self.venue.clients.discard(self.line)
        self.line = None
        self.reopen_us = self.now_us + self.rng.randint(1, 200_000)
        self.take(self.core.closed(self.now_us))

    def answer(self) -> None:
        """Answer the fetches that are due."""
        due = [each for each in self.answers if each[0] <= self.now_us]
        self.answers = [each for each in self.answers if each[0] > self.now_us]
        for _, fetch in due:
            status, body = self.fetched(fetch.path)
            if status == 200:
                self.take(self.core.answered(fetch.symbol, body, self.now_us))
            else:
                self.take(self.core.failed(fetch.symbol, self.now_us))

    def fetched(self, path: str) -> tuple[int, bytes]:
        """Return what REST answers; its handlers wait for nothing."""
        url = urlsplit(path)
        handler = next(
            route.handler
            for route in self.app.router.routes()
            if route.method == "GET" and route.resource is not None and route.resource.canonical == url.path
        )
        request = SimpleNamespace(query=dict(parse_qsl(url.query)))
        try:
            cast(Any, handler)(request).send(None)
        except StopIteration as end:
            return end.value.status, bytes(end.value.body)
        raise AssertionError("a handler waits")

    def take(self, outputs: list[Output]) -> None:
        """Do what a core wishes; compare its books."""
        closing = False
        for output in outputs:
            if isinstance(output, Send):
                if self.line is not None and self.line.open:
                    self.venue.on_text(self.line, output.text)
            elif isinstance(output, Fetch):
                self.answers.append((self.now_us + self.rng.randint(1_000, 400_000), output))
            elif isinstance(output, Close):
                closing = True
            elif isinstance(output, BookEvent):
                self.replayed.take([output])
                self.compare(output.symbol)
            elif isinstance(output, TradeEvent):
                self.trades += 1
            else:
                assert isinstance(output, StatusEvent | TopEvent | Refused)
        if closing and self.line is not None:
            self.lose()

    def compare(self, symbol: str) -> None:
        """Assert that a book is one that the venue has had."""
        self.compared += 1
        found = key_of(self.replayed.sides[symbol])
        assert found in self.had[symbol], f"{self.name} seed {self.seed}: {symbol} is a book that the venue never had"


def truth(venue: FakeVenue, market: FakeMarket) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
    """Return the venue's own book in decimals."""
    found = venue.truth(market)
    bids, asks = ({Decimal(p): Decimal(s) for p, s in found[side]} for side in ("bids", "asks"))
    return bids, asks


def key_of(sides: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]) -> Key:
    """Return a book as something that a set can hold."""
    return frozenset(sides[0].items()), frozenset(sides[1].items())


def play(name: str, seed: int) -> Schedule:
    """Run a schedule; AssertionError names what did not hold."""
    schedule = Schedule(name, seed)
    schedule.run()
    return schedule


def main() -> int:
    """Run schedules of some feeds, or of all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("feeds", nargs="*", default=list(FEEDS))
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=1)
    given = parser.parse_args()
    for name in given.feeds:
        began, counts, faults, compared, trades = time.monotonic(), Counter[str](), Counter[str](), 0, 0
        for seed in range(given.first, given.first + given.seeds):
            found = play(name, seed)
            counts += found.core.counts
            faults += found.venue.faults.done
            compared += found.compared
            trades += found.trades
        seen = ", ".join(f"{kind} {n:,}" for kind, n in sorted(faults.items()))
        print(
            f"{name}: {given.seeds:,} schedules, {compared:,} books compared, {trades:,} trades,"
            f" {counts['gap']:,} gaps, {counts['resync']:,} resyncs; faults: {seen}; {time.monotonic() - began:.0f} s",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

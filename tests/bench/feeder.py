"""Messages of every venue to exact integers, by the cores that the feeder runs, beside what cryptofeed does with them.

cryptofeed (bmoscon, v2) reads JSON with ``json.loads(parse_float=Decimal)`` and makes a Decimal of each price and size;
the reference does just that, field by field, and neither checks continuity nor keeps a book.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from libs.venues.core import Fetch, Output, Send, VenueCore
from libs.venues.events import BookEvent
from services.feeder.venues import FEEDS
from tests.bench.runner import Row, Scale, compare, timed
from tests.libs.venues.schedules import Schedule

WHAT = "a level of a book message, from the text that the venue sent; CPU time"
UNIT = "ns/level"
MOST_NS = 10_000
"""100,000 levels a second."""
MESSAGES = 2_000
CHANGES = 12
"""Orders a message."""
Level = tuple[Decimal, Decimal]
Levels = tuple[list[Level], list[Level]]


class Corpus:
    """What a fake venue says in a session without faults, and what its core asks for."""

    def __init__(self, name: str, messages: int) -> None:
        self.feed = FEEDS[name]
        schedule = Schedule(name, 1, changes=CHANGES, faulty=False)
        venue = schedule.venue
        self.symbols = [m.canonical for m in venue.markets.values()]
        self.instruments = {
            i.symbol: i
            for path in self.feed.instruments
            for _, i in self.feed.rules.instruments(schedule.fetched(path)[1])
        }
        self.session: list[tuple[str, bytes]] = []
        core = self.core()
        schedule.core = core
        line = schedule.open_line()
        self._note(schedule, line, core, core.opened(1))
        markets = list(venue.markets.values())
        for k in range(messages):
            venue.step(markets[k % len(markets)])
            while line.texts:
                text = line.texts.popleft().encode()
                self.session.append(("", text))
                self._note(schedule, line, core, core.received(text, k))
        assert all(core.synchronised(symbol) for symbol in self.symbols), dict(core.counts)
        self.levels = sum(counts["updates"] for counts in core.by_symbol.values())

    def core(self) -> VenueCore:
        """Return a core that has heard nothing."""
        return self.feed.core(self.symbols, self.instruments)

    def _note(self, schedule: Schedule, line: Any, core: VenueCore, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Send):
                schedule.venue.on_text(line, output.text)
            elif isinstance(output, Fetch):
                body = schedule.fetched(output.path)[1]
                self.session.append((output.symbol, body))
                self._note(schedule, line, core, core.answered(output.symbol, body, 1))


def ours(core: VenueCore, session: list[tuple[str, bytes]]) -> Iterator[Output]:
    """Yield what the core makes of a session."""
    core.opened(1)
    for k, (symbol, text) in enumerate(session):
        yield from core.answered(symbol, text, k) if symbol else core.received(text, k)


def play(core: VenueCore, session: list[tuple[str, bytes]]) -> None:
    """Give a session to a core."""
    core.opened(1)
    received, answered = core.received, core.answered
    for k, (symbol, text) in enumerate(session):
        if symbol:
            answered(symbol, text, k)
        else:
            received(text, k)


def _pairs(rows: list[Any]) -> list[Level]:
    return [(Decimal(row[0]), Decimal(row[1])) for row in rows]


def _binance(m: Any) -> Iterator[Levels]:
    data = m.get("data", m)
    if "lastUpdateId" in m:
        yield _pairs(m["bids"]), _pairs(m["asks"])
    elif data.get("e") == "depthUpdate":
        yield _pairs(data["b"]), _pairs(data["a"])


def _bybit(m: Any) -> Iterator[Levels]:
    if m.get("topic", "").startswith("orderbook"):
        yield _pairs(m["data"]["b"]), _pairs(m["data"]["a"])


def _okx(m: Any) -> Iterator[Levels]:
    if m.get("arg", {}).get("channel") == "books":
        for data in m.get("data", ()):
            yield _pairs(data["bids"]), _pairs(data["asks"])


def _deribit(m: Any) -> Iterator[Levels]:
    params = m.get("params", {})
    if params.get("channel", "").startswith("book."):
        sides = ([(Decimal(p), Decimal(s)) for _, p, s in params["data"][side]] for side in ("bids", "asks"))
        bids, asks = sides
        yield bids, asks


def _coinbase(m: Any) -> Iterator[Levels]:
    if m["channel"] == "l2_data":
        for event in m["events"]:
            found: Levels = ([], [])
            for u in event["updates"]:
                found[u["side"] != "bid"].append((Decimal(u["price_level"]), Decimal(u["new_quantity"])))
            yield found


def _exchange(m: Any) -> Iterator[Levels]:
    if m["type"] == "snapshot":
        yield _pairs(m["bids"]), _pairs(m["asks"])
    elif m["type"] == "l2update":
        found: Levels = ([], [])
        for side, price, size in m["changes"]:
            found[side != "buy"].append((Decimal(price), Decimal(size)))
        yield found


SHAPES: dict[str, Callable[[Any], Iterator[Levels]]] = {
    "binance": _binance, "bybit": _bybit, "okx": _okx, "deribit": _deribit, "coinbase": _coinbase,
    "coinbase_exchange": _exchange,
}  # fmt: skip


def reference(name: str, session: list[tuple[str, bytes]]) -> Iterator[Levels]:
    """Yield the levels of every book message in the manner of cryptofeed."""
    shape = SHAPES.get(name) or SHAPES[name.partition("_")[0]]
    for _, text in session:
        yield from shape(json.loads(text, parse_float=Decimal))


def check(name: str, corpus: Corpus) -> None:
    """Raise when the levels are not the same numbers, message by message."""
    mine = sorted(_decimals(output) for output in ours(corpus.core(), corpus.session) if isinstance(output, BookEvent))
    theirs = sorted((sorted(bids), sorted(asks)) for bids, asks in reference(name, corpus.session))
    # A core leaves out diffs that are in its snapshot already.
    missing = [each for each in mine if each not in theirs]
    if missing or not len(theirs) - len(corpus.symbols) <= len(mine) <= len(theirs):
        raise AssertionError(f"{name}: {len(mine)} events of {len(theirs)}, {len(missing)} with other levels")


def _decimals(e: BookEvent) -> tuple[list[Level], list[Level]]:
    values = e.levels.tolist()
    pairs = [
        (Decimal(values[2 * k]).scaleb(e.price_exponent), Decimal(values[2 * k + 1]).scaleb(e.size_exponent))
        for k in range(e.bids + e.asks)
    ]
    return sorted(pairs[: e.bids]), sorted(pairs[e.bids :])


def measured(name: str, scale: Scale) -> Row:
    """Time both in turns on one session."""
    corpus = Corpus(name, scale.pick(MESSAGES, 40))
    check(name, corpus)
    cores: list[VenueCore] = []

    def one() -> float:
        # Made before it is timed: a core has room to work in.
        cores[:] = [corpus.core()]
        return timed(lambda: play(cores[0], corpus.session), corpus.levels)

    def other() -> float:
        return timed(lambda: list(reference(name, corpus.session)), corpus.levels)

    row = compare(name, UNIT, {"ours": one, "cryptofeed's way": other}, scale.repeats, against="cryptofeed's way")
    row["goal"] = {"most": MOST_NS}
    return row


def rows(scale: Scale) -> list[Row]:
    """Measure every feed."""
    return [measured(name, scale) for name in FEEDS]

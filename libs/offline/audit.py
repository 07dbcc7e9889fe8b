"""An audit of a recording by the core that runs live: continuity, checksums, the venue's own best prices, crossings."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from libs.storage.lines import BadLines
from libs.storage.recordings import Recording
from libs.units import format_decimal, normalise
from libs.venues.core import Output, Refused, TopEvent, VenueCore
from libs.venues.events import BookEvent

REMEMBERED = 4096
"""Best prices by id, and tickers by id, that wait for the other."""
SHOWN = 20
REPORT_EVERY = 20_000
Level = tuple[int, int]
Top = tuple[tuple[Level, Level] | None, tuple[Level, Level] | None]
"""Best bid and ask: price and size as (mantissa, exponent), without zeros at the end."""


class Ladder:
    """A book of whole numbers whose best level is known; nothing of it is shared with the engine's."""

    def __init__(self) -> None:
        self.price_exp = self.size_exp = 0
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._heaps: tuple[list[int], list[int]] = ([], [])

    def apply(self, e: BookEvent) -> None:
        """Take a change or a snapshot."""
        if e.snapshot:
            self.price_exp, self.size_exp = e.price_exponent, e.size_exponent
            self.sides, self._heaps = ({}, {}), ([], [])
        if e.price_exponent < self.price_exp or e.size_exponent < self.size_exp:
            self._refine(min(e.price_exponent, self.price_exp), min(e.size_exponent, self.size_exp))
        up, more = 10 ** (e.price_exponent - self.price_exp), 10 ** (e.size_exponent - self.size_exp)
        levels = e.levels.tolist()
        middle = 2 * e.bids
        for sign, side, heap, part in (
            (-1, self.sides[0], self._heaps[0], levels[:middle]),
            (1, self.sides[1], self._heaps[1], levels[middle:]),
        ):
            for price, size in zip(part[::2], part[1::2], strict=True):
                key = price * up
                if not size:
                    side.pop(key, None)
                    continue
                if key not in side:
                    heapq.heappush(heap, sign * key)
                side[key] = size * more

    def best(self, side: int) -> tuple[int, int] | None:
        """Return price and size of the best bid (0) or ask (1)."""
        sign, levels, heap = (1, -1)[side == 0], self.sides[side], self._heaps[side]
        while heap and sign * heap[0] not in levels:
            heapq.heappop(heap)
        if not heap:
            return None
        price = sign * heap[0]
        return price, levels[price]

    def top(self) -> Top:
        """Return both best levels, to be compared with what the venue says."""
        found = []
        for side in (0, 1):
            best = self.best(side)
            found.append(
                None if best is None else (normalise(best[0], self.price_exp), normalise(best[1], self.size_exp))
            )
        return found[0], found[1]

    def crossed(self) -> bool:
        """Return whether the best bid is at or above the best ask."""
        bid, ask = self.best(0), self.best(1)
        return bid is not None and ask is not None and bid[0] >= ask[0]

    def _refine(self, price_exp: int, size_exp: int) -> None:
        up, more = 10 ** (self.price_exp - price_exp), 10 ** (self.size_exp - size_exp)
        bids, asks = ({p * up: s * more for p, s in side.items()} for side in self.sides)
        self.price_exp, self.size_exp, self.sides = price_exp, size_exp, (bids, asks)
        self._heaps = [-p for p in bids], list(asks)
        for heap in self._heaps:
            heapq.heapify(heap)


@dataclass
class SymbolAudit:
    """What was found of one symbol."""

    ladder: Ladder = field(default_factory=Ladder)
    books: int = 0
    compared: int = 0
    disagreed: int = 0
    crossed: int = 0
    crossed_by_venue: int = 0
    tops: OrderedDict[int, Top] = field(default_factory=OrderedDict)
    tickers: OrderedDict[int, Top] = field(default_factory=OrderedDict)

    def at(self, position: int) -> None:
        """Note the best levels at an id, and compare them with a ticker that has come already."""
        top = self.ladder.top()
        self.tops[position] = top
        if len(self.tops) > REMEMBERED:
            self.tops.popitem(last=False)
        if (said := self.tickers.pop(position, None)) is not None:
            self._compare(said, top)

    def say(self, m: TopEvent) -> None:
        """Compare a ticker with the book at its id, now or when the book comes there."""
        sides = ((m.bid_price, m.bid_size), (m.ask_price, m.ask_size))
        bid, ask = (None if not price[0] else (normalise(*price), normalise(*size)) for price, size in sides)
        top: Top = (bid, ask)
        if (mine := self.tops.get(m.sequence)) is not None:
            self._compare(top, mine)
            return
        self.tickers[m.sequence] = top
        if len(self.tickers) > REMEMBERED:
            self.tickers.popitem(last=False)

    def _compare(self, said: Top, mine: Top) -> None:
        self.compared += 1
        self.disagreed += said != mine


@dataclass
class Audit:
    """An audit of one recording."""

    recording: Recording
    core: VenueCore
    bad: BadLines
    symbols: dict[str, SymbolAudit]
    refused: list[str]
    messages: int = 0

    @property
    def ok(self) -> bool:
        """No bad checksum, no disagreement, no gap, no crossing that is not the venue's own."""
        counts = self.core.counts
        wrong = sum(s.disagreed + s.crossed - s.crossed_by_venue for s in self.symbols.values())
        return not (counts["gap"] or counts["kept_gap"] or counts["checksum_bad"] or wrong)

    def document(self) -> dict[str, object]:
        """Return the entry of cli.md."""
        unverifiable = list(self.core.unverifiable)
        unverifiable += [f"{s}: no snapshot in the recording" for s in self.symbols if not self._count(s, "snapshots")]
        if self.bad.count:
            unverifiable.append(f"{self.bad.count} lines that could not be read, the first: {self.bad.examples[0]}")
        if count := self.core.counts["refused"]:
            unverifiable.append(f"{count} messages refused, the first: {self.refused[0]}")
        return {
            "path": str(self.recording.path),
            "parts": [str(part) for part in self.recording.parts],
            "venue": self.recording.venue.name,
            "unverifiable": unverifiable,
            "symbols": {symbol: self._entry(symbol) for symbol in self.symbols},
        }

    def _count(self, symbol: str, *names: str) -> int:
        return sum(self.core.by_symbol[symbol][name] for name in names)

    def _entry(self, symbol: str) -> dict[str, object]:
        s = self.symbols[symbol]
        missed = self._count(symbol, "kept", "before_snapshot") - self._count(symbol, "kept_applied")
        # A gap in a connection's sequence is one of every book on it.
        gaps = self._count(symbol, "gap") or (0 if self._any_by_symbol() else self.core.counts["gap"])
        gaps += self._count(symbol, "kept_gap")
        bid, ask = s.ladder.best(0), s.ladder.best(1)
        prices = [
            None if best is None else format_decimal(*normalise(best[0], s.ladder.price_exp)) for best in (bid, ask)
        ]
        return {
            "messages": self._count(symbol, "messages"),
            "updates": self._count(symbol, "updates"),
            "trades": self._count(symbol, "trades"),
            "snapshots": self._count(symbol, "snapshots"),
            "gaps": gaps,
            "checksums": {name: self._count(symbol, f"checksum_{name}") for name in ("ok", "bad", "absent")},
            "ticker": {"compared": s.compared, "disagreed": s.disagreed},
            "crossed": s.crossed,
            "crossed_by_venue": s.crossed_by_venue,
            "valid_ratio": s.books / (s.books + missed) if s.books + missed else 0.0,
            "best_bid": prices[0],
            "best_ask": prices[1],
        }

    def _any_by_symbol(self) -> bool:
        return any(counts["gap"] for counts in self.core.by_symbol.values())


def audit(recording: Recording, progress: Callable[[int], None] = lambda messages: None) -> Audit:
    """Play a recording to its venue's core.

    Parameters
    ----------
    progress : callable
        Told the messages so far now and then.
    """
    survey = recording.survey()
    core = recording.core(survey)
    found = Audit(recording, core, BadLines(), {symbol: SymbolAudit() for symbol in survey.symbols}, [])
    proved = 0
    for _, outputs in recording.play(core, found.bad):
        found.messages += 1
        if found.messages % REPORT_EVERY == 0:
            progress(found.messages)
        before, proved = proved, core.counts["checksum_ok"]
        _take(found, outputs, proved=proved > before)
    return found


def _take(found: Audit, outputs: list[Output], *, proved: bool) -> None:
    """Apply what came of one message; ``proved``: a checksum says that the book is the venue's own."""
    last: BookEvent | None = None
    for output in outputs:
        if isinstance(output, BookEvent):
            s = found.symbols[output.symbol]
            s.ladder.apply(output)
            s.books += 1
            if s.ladder.crossed():
                s.crossed += 1
                s.crossed_by_venue += proved
            last = output
        elif isinstance(output, TopEvent):
            if output.sequence >= 0:
                found.symbols[output.symbol].say(output)
        elif isinstance(output, Refused) and len(found.refused) < SHOWN:
            found.refused.append(output.reason)
    if last is not None and not last.snapshot and (position := found.core.position(last.symbol)) >= 0:
        found.symbols[last.symbol].at(position)

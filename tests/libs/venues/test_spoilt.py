"""Recordings with messages lost, doubled, swapped and cut: a valid book is the venue's own at its id, and it heals.

The venue's books are replayed here from the JSON in decimals, by its documented rules and with nothing of a core.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from libs.venues.binance import COINM, SPOT, USDM, BinanceCore, Rules
from libs.venues.binance.splice import Splice
from libs.venues.bybit import LINEAR, BybitCore
from libs.venues.core import Fetch, Output, Send
from libs.venues.events import BookEvent
from tests.libs.venues.captures import Replayed, capture, compact

pytestmark = pytest.mark.recordings
SEEDS = 4
BINANCE = {
    "binance/captures/binance_spot_20211012.jsonl.gz": SPOT,
    "binance/captures/binance_usdm_20210722.jsonl.gz": USDM,
    "binance/captures/binance_coinm_20210722.jsonl.gz": COINM,
    "binanceus/binanceus_20211012.jsonl.gz": SPOT,
}
BYBIT = "bybit/bybit_v5_linear_20260809.jsonl.gz"
ODDS = (("lost", 0.02), ("doubled", 0.03), ("swapped", 0.02), ("cut", 0.01))


@dataclass
class Truth:
    """One symbol's book in decimals, and a hash of what it was at each id."""

    sides: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = field(default_factory=lambda: ({}, {}))
    at: int = -1
    had: dict[int, int] = field(default_factory=dict)

    def put(self, bids: Any, asks: Any, number: int) -> None:
        for side, rows in zip(self.sides, (bids, asks), strict=True):
            for price, size in rows:
                if Decimal(size):
                    side[Decimal(price)] = Decimal(size)
                else:
                    side.pop(Decimal(price), None)
        self.at, self.had[number] = number, key(self.sides)

    def rows(self) -> tuple[list[list[str]], list[list[str]]]:
        bids, asks = ([[f"{p:f}", f"{s:f}"] for p, s in sorted(side.items())] for side in self.sides)
        return bids[::-1], asks


def key(sides: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]) -> int:
    return hash((frozenset(sides[0].items()), frozenset(sides[1].items())))


@dataclass
class Run:
    """A core between the spoilt messages and the book that is made of its events."""

    core: BinanceCore | BybitCore
    rng: random.Random
    replayed: Replayed = field(default_factory=Replayed)
    wishes: list[Output] = field(default_factory=list)
    compared: int = 0

    def take(self, outputs: list[Output], truths: dict[str, Truth]) -> None:
        """Apply what came out; where the books of one batch end, each is the venue's own."""
        self.replayed.take(o for o in outputs if isinstance(o, BookEvent))
        for symbol in {o.symbol for o in outputs if isinstance(o, BookEvent)}:
            found, had = key(self.replayed.sides[symbol]), truths[symbol].had
            position = self.core.position(symbol)
            assert found == had[position] if position >= 0 else found in had.values(), symbol
            self.compared += 1
        self.wishes += [o for o in outputs if isinstance(o, Fetch | Send)]


def spoilt(texts: list[bytes], rng: random.Random) -> Iterator[tuple[int, bytes]]:
    """Give what arrives of the first two thirds, spoilt, and the rest whole: how many were sent by then, the text."""
    held: bytes | None = None
    for sent, text in enumerate(texts, 1):
        draw, fault = rng.random(), ""
        for name, odds in ODDS:
            fault, draw = (name, 1.0) if draw < odds and not fault else (fault, draw - odds)
        if 3 * sent > 2 * len(texts):
            fault = ""
        if fault == "swapped" and held is None:
            held = text
            continue
        if fault != "lost":
            yield sent, text[: len(text) // 2] if fault == "cut" else text
        if fault == "doubled":
            yield sent, text
        if held is not None:
            yield sent, held
            held = None


@cache
def binance(path: Path, rules: Rules) -> tuple[list[tuple[int, bytes]], dict[str, Any], dict[str, Any]]:
    """Give depth messages and when they came, the recorded snapshots, and the diffs of each symbol."""
    texts: list[tuple[int, bytes]] = []
    snapshots: dict[str, Any] = {}
    diffs: dict[str, Any] = {}
    for kind, us, url, text in capture(path):
        if kind == "http" and "/depth?" in url:
            snapshots[url.partition("symbol=")[2].partition("&")[0]] = json.loads(text)
        elif kind == "recv" and "@depth" in text[:80]:
            texts.append((us, text.encode()))
            data = json.loads(text)["data"]
            diffs.setdefault(rules.canonical(data["s"]), []).append(data)
    return texts, {rules.canonical(name): found for name, found in snapshots.items()}, diffs


def truth_of(snapshot: Any, diffs: list[Any], upto: int | None = None) -> Truth:
    """Replay a symbol, to the last diff that ends by an id."""
    truth, last = Truth(), snapshot["lastUpdateId"]
    truth.put(snapshot["bids"], snapshot["asks"], last)
    for m in diffs:
        # A futures diff that ends by the snapshot's id may name levels below the last one of the snapshot.
        if m["u"] == last or (m["u"] > last and (upto is None or m["u"] <= upto)):
            truth.put(m["b"], m["a"], m["u"])
    return truth


def play_binance(path: Path, rules: Rules, seed: int) -> Run:
    texts, snapshots, diffs = binance(path, rules)
    truths = {symbol: truth_of(snapshots[symbol], diffs[symbol]) for symbol in snapshots if symbol in diffs}
    rng = random.Random(seed)
    run = Run(BinanceCore(list(truths), rules=rules), rng)
    run.core.opened(texts[0][0])
    for sent, text in spoilt([text for _, text in texts], rng):
        us = texts[sent - 1][0]
        run.take(run.core.received(text, us), truths)
        run.take(run.core.tick(us), truths)
        if run.wishes and (rng.random() < 0.2 or 3 * sent > 2 * len(texts)):
            wish = run.wishes.pop(0)
            if not isinstance(wish, Fetch):
                continue
            # As of a moment that may be long before or after what the core has kept.
            behind = rng.choice((0, 0, 40)) if 3 * sent <= 2 * len(texts) else 0
            ids = [json.loads(t)["data"]["u"] for _, t in texts[: max(sent - behind, 1)] if same(t, wish, run)]
            now = truth_of(snapshots[wish.symbol], diffs[wish.symbol], max(ids, default=-1))
            bids, asks = now.rows()
            answer = compact({"lastUpdateId": now.at, "bids": bids, "asks": asks})
            run.take(run.core.answered(wish.symbol, answer, us), truths)
    for symbol, truth in truths.items():
        if run.core.synchronised(symbol):
            assert run.core.position(symbol) == truth.at
            assert key(run.replayed.sides[symbol]) == key(truth.sides)
    return run


def same(text: bytes, wish: Fetch, run: Run) -> bool:
    return text[:80].startswith(f'{{"stream":"{run.core.native[wish.symbol].lower()}@depth'.encode())


@pytest.mark.parametrize("path", BINANCE)
def test_binance_is_the_venues_own_or_not_valid(recordings: Path, path: str) -> None:
    """Faults are seen as gaps, and healed: at the end every book is valid."""
    gaps = healed = books = compared = 0
    for seed in range(SEEDS):
        run = play_binance(recordings / path, BINANCE[path], seed)
        gaps += run.core.counts["gap"] + run.core.counts["kept_gap"] + run.core.counts["refused"]
        healed += sum(map(run.core.synchronised, run.core.symbols))
        books += len(run.core.symbols)
        compared += run.compared
    assert gaps > SEEDS
    assert compared > 50 * SEEDS
    assert healed == books


def test_a_splice_that_overlooks_gaps_is_caught(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail."""
    monkeypatch.setattr(Splice, "_follows", lambda self, diff, book_id: True)
    path = "binance/captures/binance_coinm_20210722.jsonl.gz"
    with pytest.raises(AssertionError):
        for seed in range(SEEDS):
            play_binance(recordings / path, COINM, seed)


def play_bybit(path: Path, seed: int) -> Run:
    texts = [
        (us, text.encode()) for kind, us, _, text in capture(path) if kind == "recv" and '"orderbook.' in text[:40]
    ]
    names = sorted({json.loads(text)["data"]["s"] for _, text in texts})
    truths = {LINEAR.canonical(name): Truth() for name in names}
    messages = [json.loads(text) for _, text in texts]
    whole: list[dict[str, tuple[int, Any]]] = [{}]
    for m in messages:
        truth = truths[LINEAR.canonical(m["data"]["s"])]
        truth.put(m["data"]["b"], m["data"]["a"], m["data"]["u"])
        whole.append(whole[-1] | {m["data"]["s"]: (truth.at, truth.rows())})
    rng = random.Random(seed)
    run = Run(BybitCore(list(truths), rules=LINEAR), rng)
    run.core.opened(texts[0][0])
    for sent, text in spoilt([text for _, text in texts], rng):
        us = texts[sent - 1][0]
        run.take(run.core.received(text, us), truths)
        run.take(run.core.tick(us), truths)
        while run.wishes:
            wish = run.wishes.pop(0)
            asked = json.loads(wish.text) if isinstance(wish, Send) else {}
            for topic in asked["args"] if asked.get("op") == "subscribe" else ():
                name = topic.rpartition(".")[2]
                if topic.startswith("orderbook.") and name in whole[sent]:
                    number, (bids, asks) = whole[sent][name]
                    data = {"s": name, "b": bids, "a": asks, "u": number}
                    answer = compact({"topic": topic, "type": "snapshot", "ts": 1, "data": data})
                    run.take(run.core.received(answer, us), truths)
    for symbol, truth in truths.items():
        assert run.core.synchronised(symbol), symbol
        assert key(run.replayed.sides[symbol]) == key(truth.sides), symbol
    return run


def test_bybit_is_the_venues_own_or_not_valid(recordings: Path) -> None:
    """Each book is one that the venue has had, and at the end its own."""
    runs = [play_bybit(recordings / BYBIT, seed) for seed in range(SEEDS)]
    assert sum(run.core.counts["gap"] for run in runs) > SEEDS
    assert sum(run.compared for run in runs) > 1000 * SEEDS


def test_a_bybit_core_that_overlooks_gaps_is_caught(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail."""
    taken = BybitCore._take_book

    def overlook(self: BybitCore, symbol: str, m: Any, now_us: int) -> list[Output]:
        self._states[symbol].update = json.loads(bytes(m.data))["u"] - 1
        return taken(self, symbol, m, now_us)

    monkeypatch.setattr(BybitCore, "_take_book", overlook)
    with pytest.raises(AssertionError):
        for seed in range(SEEDS):
            play_bybit(recordings / BYBIT, seed)

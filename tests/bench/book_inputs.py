"""Books and events for the books bench: made up, and from recordings."""

from __future__ import annotations

import gzip
import heapq
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from libs.book import kernels, state
from libs.book.state import Books
from tests.oracles.binance import Sides, integers

DEPTH = 1_024
SNAPSHOT, LAST = 1, 2
BEST_BID, BEST_ASK = 100_000, 100_010
REMOVALS = 0.35
NEAR = 0.06
"""Of the geometric distance from the best price: half of the changes lie within 11 ticks of it."""

EVENT_WORDS = 8
BOOK, FLAGS, PRICE_EXP, SIZE_EXP, CUT, AT, BIDS, ASKS = range(EVENT_WORDS)


@dataclass(frozen=True)
class Input:
    """What both sides are given.

    Attributes
    ----------
    books : Books
        They have their snapshots.
    events : int64[n, EVENT_WORDS]
        Book, flags, exponents, cut, first word in ``data``, bids, asks: a message each, and a whole event.
    data : int64[:]
        Pairs of price and size, in the order of the events.
    times_ns : int64[n]
        When each event was received: later than the one before.
    restore : bool
        Whether the events only make sense from the same start: the books are put back before each run.
    """

    books: Books
    events: np.ndarray
    data: np.ndarray
    times_ns: np.ndarray
    restore: bool = False

    @property
    def updates(self) -> int:
        """Level updates of all events."""
        return int(self.events[:, BIDS].sum() + self.events[:, ASKS].sum())


def copy_of(books: Books) -> Books:
    """Return books with the same content in memory of their own."""
    return Books(*(array.copy() for array in books))


def put_back(books: Books, start: Books) -> None:
    """Give books the content of others."""
    for array, content in zip(books, start, strict=True):
        array[...] = content


def differences(one: Books, other: Books) -> list[str]:
    """Return the fields that are not equal, byte for byte."""
    pairs = zip(Books._fields, one, other, strict=True)
    return [name for name, mine, others in pairs if not np.array_equal(mine, others)]


def synthetic(
    count: int, levels: int, events: int, levels_an_event: int = 8, seed: int = 1, *, evenly: bool = False
) -> Input:
    """Return ``count`` books of ``levels`` a side and changes of them, a third removals, most near the top.

    Parameters
    ----------
    levels_an_event : int
        Even: half of them bids.
    evenly : bool
        Changes at any level alike instead, and half of them removals, so that the books keep their depth.
    """
    rng = np.random.default_rng(seed)
    books = state.new(count, 2 * DEPTH if evenly else DEPTH)
    ticks = 2 * np.arange(levels)
    first = np.concatenate([BEST_BID - ticks, BEST_ASK + ticks])
    snapshot = np.stack([first, np.full_like(first, 5)], axis=1).ravel()
    for b in range(count):
        kernels.apply_message(books, b, SNAPSHOT | LAST, -2, -3, 0, snapshot, 0, levels, levels, 1, 1, 1)
    side = levels_an_event // 2
    if evenly:
        away = rng.integers(0, 2 * levels, size=(events, 2, side))
    else:
        away = np.minimum(rng.geometric(NEAR, size=(events, 2, side)), 2 * levels) - 1
    data = np.empty((events, 2, side, 2), np.int64)
    data[:, 0, :, 0] = BEST_BID - away[:, 0]
    data[:, 1, :, 0] = BEST_ASK + away[:, 1]
    data[..., 1] = np.where(
        rng.random(away.shape) < (0.5 if evenly else REMOVALS), 0, rng.integers(1, 1_000, away.shape)
    )
    table = np.zeros((events, EVENT_WORDS), np.int64)
    table[:, BOOK] = rng.integers(0, count, events)
    table[:, [FLAGS, PRICE_EXP, SIZE_EXP, BIDS, ASKS]] = LAST, -2, -3, side, side
    table[:, AT] = np.arange(events) * levels_an_event * 2
    return Input(books, table, data.ravel(), 1_000_000 * np.arange(1, events + 1))


def recorded(folder: Path, most: int) -> Input:
    """Return the books and the level updates of one day of several Binance markets, as they were received.

    A file is a book. Every message of a file has the file's finest exponents, as the sender's have the Instrument's.

    Parameters
    ----------
    folder : Path
        Collector files, a symbol and day each.
    most : int
        Depth messages to take, all files together.
    """
    files = sorted(folder.glob("*_20240808.gz"))
    merged = heapq.merge(*(_received(path, k) for k, path in enumerate(files)), key=lambda line: line[0])
    books = state.new(len(files), DEPTH)
    units: dict[int, tuple[int, int]] = {}
    rows, words, stamps, at = [], [], [], 0
    for stamp, b, given, is_snapshot in _spliced(merged):
        (bids, asks), price_exp, size_exp = integers(given)
        levels = np.array(bids + asks, np.int64).reshape(-1, 2)
        if is_snapshot:
            units[b] = price_exp, size_exp
            kernels.apply_message(
                books, b, SNAPSHOT | LAST, price_exp, size_exp, 3, levels.ravel(), 0, len(bids), len(asks), 1, 1, 1
            )
            continue
        levels *= [10 ** (price_exp - units[b][0]), 10 ** (size_exp - units[b][1])]
        rows.append((b, LAST, *units[b], 0, at, len(bids), len(asks)))
        words.append(levels.ravel())
        stamps.append(int(stamp))
        at += levels.size
        if len(rows) == most:
            break
    places = np.arange(len(rows))
    times_ns = np.maximum.accumulate(np.array(stamps, np.int64) - places) + places
    return Input(books, np.array(rows, np.int64), np.concatenate(words), times_ns, restore=True)


def _spliced(received: Iterator[tuple[str, int, dict[str, Any]]]) -> Iterator[tuple[str, int, Sides, bool]]:
    """Yield each file's first snapshot, and the changes newer than it: those that came before it right behind it."""
    kept: dict[int, list[dict[str, Any]]] = {}
    last: dict[int, int] = {}
    for stamp, b, message in received:
        news = [message.get("data", {})]
        if "lastUpdateId" in message:
            if b in last:
                continue
            last[b] = message["lastUpdateId"]
            yield stamp, b, (message["bids"], message["asks"]), True
            news = kept.pop(b, [])
        elif b not in last:
            kept.setdefault(b, []).extend(news)
            continue
        for data in news:
            if data.get("e") == "depthUpdate" and data["u"] > last[b]:
                last[b] = data["u"]
                yield stamp, b, (data["b"], data["a"]), False


def _received(path: Path, book: int) -> Iterator[tuple[str, int, dict[str, Any]]]:
    with gzip.open(path, "rt") as file:
        for line in file:
            stamp, text = line.split(" ", 1)
            if "depth" in text[:200] or "lastUpdateId" in text[:200]:
                yield stamp, book, json.loads(text)

"""Level updates of libs.book, beside the same algorithm in C and beside order books made for Python."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from libs.book import events as codes
from libs.book import flags, kernels, state
from libs.book.state import Books
from libs.jit import kernel
from tests.bench import book_peers, native
from tests.bench.book_inputs import (
    ASKS,
    AT,
    BIDS,
    BOOK,
    CUT,
    FLAGS,
    PRICE_EXP,
    SIZE_EXP,
    Input,
    copy_of,
    differences,
    put_back,
    recorded,
    synthetic,
)
from tests.bench.runner import Row, Scale, compare, skipped, timed

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "binance" / "multi_20240808"
WHAT = "a level update of libs.book, in whole events of deltas; CPU time"
GOAL, GOAL_ACROSS = 1.15, 2.0
UNIT = "ns/update"


@kernel
def drive(books: Books, events: np.ndarray, data: np.ndarray) -> int:
    """Apply one event after the other; return the sum of the codes."""
    total = 0
    for i in range(len(events)):
        e = events[i]
        total += kernels.apply_message(
            books, e[BOOK], e[FLAGS], e[PRICE_EXP], e[SIZE_EXP], e[CUT], data, e[AT], e[BIDS], e[ASKS], i, i, i
        )  # fmt: skip
    return total


def reference() -> Callable[[Books, np.ndarray, np.ndarray], int]:
    """Return :func:`drive` in C."""
    constants = native.words_of(state, "W_") | native.words_of(flags, "F_") | {"W_EVENT_DONE": codes.EVENT_DONE}
    library = native.build("books", constants)
    word, block = ctypes.c_int64, ctypes.c_void_p
    apply_events = native.function(library, "apply_events", block, block, block, word, block, word, block)

    def run(books: Books, events: np.ndarray, data: np.ndarray) -> int:
        where = (native.pointer(array) for array in (books.prices, books.sizes, books.words))
        return int(
            apply_events(*where, books.prices.shape[2], native.pointer(events), len(events), native.pointer(data))
        )

    return run


def check(given: Input) -> None:
    """Let both take every event from the same start; raise when a code or a byte of the books differs."""
    ours, theirs = copy_of(given.books), copy_of(given.books)
    codes_of_ours, codes_of_theirs = (
        drive(ours, given.events, given.data),
        reference()(theirs, given.events, given.data),
    )
    wrong = differences(ours, theirs)
    if codes_of_ours != codes_of_theirs or wrong:
        raise AssertionError(f"C gives another answer: codes {codes_of_ours} and {codes_of_theirs}, {wrong} differ")


def tops_of_first(given: Input) -> np.ndarray:
    """Return the best levels of the first book after the events, which leave it as it is."""
    ours = copy_of(given.books)
    drive(ours, given.events, given.data)
    return ours.tops[0]


def sides(given: Input) -> dict[str, Callable[[], float]]:
    """Check, then return what times each on the very same memory, in ns an update."""
    check(given)
    start = copy_of(given.books) if given.restore else None
    in_c = reference()

    def one(run: Callable[[Books, np.ndarray, np.ndarray], int]) -> Callable[[], float]:
        def measure() -> float:
            if start is not None:
                put_back(given.books, start)
            return timed(lambda: run(given.books, given.events, given.data), given.updates)

        return measure

    return {"ours": one(drive), "c": one(in_c)}


def measured(case: str, given: Input, scale: Scale, peers: bool) -> Row:
    """Time both in turns, and the peers on books of their own."""
    runs = sides(given)
    if peers:
        runs |= book_peers.runs(given, scale.pick(20_000, 200), tops_of_first)
    return compare(case, UNIT, runs, scale.repeats, GOAL)


def rows(scale: Scale) -> list[Row]:
    """Measure every case."""
    found: list[Row] = []
    for levels in (20, 400):
        for count in (1, 100, 2_048):
            given = synthetic(scale.pick(count, min(count, 3)), levels, scale.pick(50_000, 300))
            name = f"{count:,} symbol{'s' if count > 1 else ''}, {levels} levels deep"
            found.append(measured(name, given, scale, peers=count == 1))
        found.append(_across(found[-3], found[-1], levels))
    if RECORDINGS.is_dir():
        given = recorded(RECORDINGS, scale.pick(30_000, 200))
        name = f"recorded: {len(given.books.prices) - state.STAGES} markets, {given.updates:,} updates"
        found.append(measured(name, given, scale, peers=False))
    else:
        found.append(skipped("recorded", "no recordings at ../shared/data/binance/multi_20240808"))
    return found


def _across(one: Row, many: Row, levels: int) -> Row:
    """Return what many books cost of one book, in the same run."""
    row: dict[str, Any] = {
        "case": f"2,048 symbols beside one, {levels} levels deep",
        "ours": many["ours"],
        "unit": UNIT,
        "references": {"one symbol": one["ours"]},
        "ratio": {"one symbol": round(many["ours"] / one["ours"], 3)},
        "spread": {"ours": many["spread"]["ours"]},
        "goal": {"ratio": GOAL_ACROSS, "reference": "one symbol"},
    }
    return row

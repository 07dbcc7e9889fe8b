"""Features of the present book at a completed event, beside the same formulas in C."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np

from libs.book import state
from libs.book.state import Books
from libs.features import definitions
from libs.features.exact import TENS
from libs.features.kernels import compute_row
from libs.jit import kernel
from tests.bench import books as level_updates
from tests.bench import native
from tests.bench.book_inputs import Input, synthetic
from tests.bench.runner import Row, Scale, compare, timed
from tests.bench.whole_rows import Followed

WHAT = "one row of the book-only features, and all features at a completed event; CPU time"
UNIT = "ns/event"
MOST_NS, MOST_AT_ONCE_NS = 2_000, 1_000_000
DEPTH_LEVELS, LIQUIDITY_BPS = 5, 20
WHOLE = ((1, 20, 100_000, 1_000), (1, 400, 100_000, 1_000), (2_048, 400, 300_000, 20))
"""Symbols, levels, events, and feed time between two events in µs."""
Compute = Callable[[Books, np.ndarray, np.ndarray], int]


@kernel
def compute_rows(books: Books, which: np.ndarray, depth_levels: int, liquidity_bps: int, rows: np.ndarray) -> int:
    """Compute a row for each of the books named; return how many reach past what is known."""
    total = 0
    for i in range(len(which)):
        total += compute_row(books, which[i], depth_levels, liquidity_bps, rows[which[i]])
    return total


def ours(books: Books, which: np.ndarray, rows: np.ndarray) -> int:
    """Compute with libs.features."""
    return int(compute_rows(books, which, DEPTH_LEVELS, LIQUIDITY_BPS, rows))


def reference() -> Compute:
    """Return :func:`ours` in C."""
    columns = {f"C_{name.upper()}": place for name, place in definitions.INDEX.items()}
    library = native.build("features", native.words_of(state, "W_") | columns | {"C_COUNT": len(definitions.COLUMNS)})
    native.function(library, "set_tens", ctypes.c_void_p, result=None)(native.pointer(TENS))
    word, block = ctypes.c_int64, ctypes.c_void_p
    compute = native.function(library, "compute_rows", block, block, block, word, block, word, word, word, block)

    def run(books: Books, which: np.ndarray, rows: np.ndarray) -> int:
        where = (native.pointer(array) for array in (books.prices, books.sizes, books.words))
        return int(
            compute(
                *where, books.prices.shape[2], native.pointer(which), len(which), DEPTH_LEVELS, LIQUIDITY_BPS,
                native.pointer(rows),
            )
        )  # fmt: skip

    return run


def check(books: Books, which: np.ndarray) -> None:
    """Raise when an answer or a bit of a row differs."""
    mine, others = (np.zeros((len(books.prices), len(definitions.COLUMNS))) for _ in range(2))
    answers = ours(books, which, mine), reference()(books, which, others)
    if answers[0] != answers[1] or not np.array_equal(mine, others, equal_nan=True):
        raise AssertionError(f"C gives other features: answers {answers}, {np.argwhere(mine != others)[:5].tolist()}")


def sides(given: Input, which: np.ndarray, rounds: int) -> dict[str, Callable[[], float]]:
    """Check, then return what times each on the same books, in ns a row; ``rounds`` times all of ``which``."""
    check(given.books, which)
    rows = np.zeros((len(given.books.prices), len(definitions.COLUMNS)))
    in_c = reference()

    def one(compute: Compute) -> Callable[[], float]:
        def repeat() -> None:
            for _ in range(rounds):
                compute(given.books, which, rows)

        return lambda: timed(repeat, rounds * len(which))

    return {"ours": one(ours), "c": one(in_c)}


def measured(case: str, given: Input, which: np.ndarray, rounds: int, scale: Scale) -> Row:
    """Time both in turns."""
    row = compare(case, UNIT, sides(given, which, rounds), scale.repeats)
    row["goal"] = {"most": MOST_NS}
    return row


def rows(scale: Scale) -> list[Row]:
    """Measure every case."""
    found = []
    for levels in (20, 400):
        given = used(synthetic(1, levels, scale.pick(5_000, 100)))
        which = np.zeros(scale.pick(20_000, 50), np.int64)
        found.append(measured(f"1 symbol, {levels} levels deep", given, which, 1, scale))
    given = used(synthetic(scale.pick(2_048, 3), 400, scale.pick(100_000, 100)))
    which = np.arange(len(given.books.prices) - state.STAGES)
    found.append(measured("2,048 symbols, 400 levels deep", given, which, scale.pick(10, 1), scale))
    found.append(_at_once(found[-1], len(which)))
    return found + _whole(scale)


def _whole(scale: Scale) -> list[Row]:
    """Measure all features at a completed event, beside applying it and beside C's row of the present book."""
    found = []
    for symbols, levels, events, every_us in (
        (1, 20, 100_000, 1_000),
        (1, 400, 100_000, 1_000),
        (2_048, 400, 300_000, 20),
    ):
        given = synthetic(scale.pick(symbols, min(symbols, 3)), levels, scale.pick(events, 300))
        followed = Followed(given, every_us)
        books = len(given.books.prices) - state.STAGES
        runs = sides(given, np.arange(scale.pick(20_000, 10)) % books, 1)
        runs = {
            "ours": followed.features_ns,
            "applying the event": lambda each=followed: each.cost_ns(whole=False),
            "c, book-only row": runs["c"],
        }
        row = compare(f"all features, {symbols:,} symbols, {levels} levels deep", UNIT, runs, scale.repeats)
        row["goal"] = {"most": MOST_NS}
        found.append(row)
    return found


def used(given: Input) -> Input:
    """Apply the events, so that the books are no longer even."""
    level_updates.drive(given.books, given.events, given.data)
    return given


def _at_once(row: Row, count: int) -> Row:
    """Return a row of all symbols together, from the cost of one of them."""
    scale = count / 1_000_000
    return row | {
        "case": "2,048 symbols at once, 400 levels deep",
        "unit": "ms",
        "ours": round(row["ours"] * scale, 4),
        "references": {name: round(value * scale, 4) for name, value in row["references"].items()},
        "spread": {name: round(value * scale, 4) for name, value in row["spread"].items()},
        "goal": {"most": MOST_AT_ONCE_NS / 1_000_000},
    }

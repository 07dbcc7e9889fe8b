"""The consolidated quote of a symbol on five exchanges, beside the same steps in C."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np

from libs.book import flags, kernels, rebase
from libs.book import state as book_state
from libs.book.state import Books
from libs.features.exact import TENS
from libs.jit import kernel
from libs.market import symbol_table
from libs.market.symbol_table import SymbolTable
from libs.nbbo import state, states
from libs.nbbo.kernels import update
from libs.nbbo.state import Nbbo
from tests.bench import native
from tests.bench.runner import Row, Scale, compare, timed

WHAT = "one symbol consolidated over five exchanges; CPU time"
UNIT = "ns/update"
MOST_NS = 500
EXCHANGES = 5
SNAPSHOT, LAST = 1, 2
STALE_US, UNCERTAIN_US = 500_000, 5_000
FROM_US = 1_000_000


class Market:
    """Symbols on some exchanges, each with a book of one level a side, and their quotes."""

    def __init__(self, symbols: int, seed: int = 1, exchanges: int = EXCHANGES) -> None:
        rng = np.random.default_rng(seed)
        self.books = book_state.new(symbols * exchanges, 64)
        self.table = symbol_table.new(symbols * exchanges, symbols)
        self.quotes = state.new(symbols)
        for k in range(symbols):
            for exchange in range(exchanges):
                b = symbol_table.t_register(self.table, exchange, f"S{k:04}-USD")
                kernels.set_instrument(self.books, b, 1, -2 - exchange % 2, 1, -3, 1, 0, False)
                self.show(b, exchange, int(rng.integers(-3, 4)), int(rng.integers(1, 9)))

    def show(self, b: int, exchange: int, shift: int, size: int) -> None:
        """Give a book one level a side, ``shift`` ticks from the others'."""
        unit = 10 ** (exchange % 2)
        data = np.array([(10_000 + shift) * unit, size, (10_002 + shift) * unit, size], np.int64)
        kernels.apply_message(
            self.books, b, SNAPSHOT | LAST, -2 - exchange % 2, -3, 0, data, 0, 1, 1, 1, FROM_US, FROM_US
        )


Update = Callable[[Nbbo, Market, np.ndarray, int], int]


@kernel
def update_all(nbbo: Nbbo, books: Books, table: SymbolTable, which: np.ndarray, from_us: int) -> int:
    """Consolidate a symbol after another; return how many changed."""
    total = 0
    for i in range(len(which)):
        s = which[i]
        total += update(nbbo, books, table.symbol_books[s], s, from_us + i, STALE_US, UNCERTAIN_US)
    return total


def ours(nbbo: Nbbo, market: Market, which: np.ndarray, from_us: int) -> int:
    """Consolidate with libs.nbbo."""
    return int(update_all(nbbo, market.books, market.table, which, from_us))


def reference() -> Update:
    """Return :func:`ours` in C."""
    constants = native.words_of(book_state, "W_") | native.words_of(flags, "F_") | native.words_of(states, "S_")
    library = native.build("nbbo", constants | {"S_COUNT": len(states.STATES)})
    word, block = ctypes.c_int64, ctypes.c_void_p
    native.function(library, "set_powers", block, block, result=None)(
        native.pointer(TENS), native.pointer(rebase.POW10)
    )
    run = native.function(library, "update_all", block, block, block, block, word, word, word, word)

    def in_c(nbbo: Nbbo, market: Market, which: np.ndarray, from_us: int) -> int:
        quotes = np.array([array.ctypes.data for array in nbbo], np.int64)
        where = (native.pointer(array) for array in (quotes, market.books.words, market.table.symbol_books, which))
        return int(run(*where, len(which), from_us, STALE_US, UNCERTAIN_US))

    return in_c


def check(market: Market, which: np.ndarray, from_us: int = FROM_US) -> None:
    """Raise when the answer or a field of a quote differs, from the same quotes on."""
    mine, others = (Nbbo(*(array.copy() for array in market.quotes)) for _ in range(2))
    answers = ours(mine, market, which, from_us), reference()(others, market, which, from_us)
    wrong = [
        name
        for name, one, other in zip(Nbbo._fields, mine, others, strict=True)
        if not np.array_equal(one, other, equal_nan=True)
    ]
    if answers[0] != answers[1] or wrong:
        raise AssertionError(f"C gives other quotes: changed {answers}, {wrong} differ")


def sides(market: Market, updates: int) -> dict[str, Callable[[], float]]:
    """Check, then return what times each on the same quotes, in ns an update."""
    which = np.random.default_rng(2).integers(0, len(market.quotes.state), updates)
    check(market, which)
    in_c = reference()

    def one(run: Update) -> Callable[[], float]:
        return lambda: timed(lambda: run(market.quotes, market, which, FROM_US), len(which))

    return {"ours": one(ours), "c": one(in_c)}


def measured(symbols: int, scale: Scale) -> Row:
    """Time both in turns."""
    market = Market(scale.pick(symbols, min(symbols, 3)))
    case = f"{symbols:,} symbol{'s' if symbols > 1 else ''} on {EXCHANGES} exchanges"
    row = compare(case, UNIT, sides(market, scale.pick(50_000, 100)), scale.repeats)
    row["goal"] = {"most": MOST_NS}
    return row


def rows(scale: Scale) -> list[Row]:
    """Measure every case."""
    return [measured(symbols, scale) for symbols in (1, 400, 2_048)]

"""A recording through books, features and NBBO, no network and no ring, beside hftbacktest on the same level updates.

hftbacktest is given the same changes as its own event rows (tests.bench.hft) and goes to their end without a strategy;
it computes nothing but its books: by its design two a market, the exchange's and the one seen locally.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from libs.book import kernels
from libs.book.state import ASK_PRICE, ASK_SIZE, BID_PRICE, BID_SIZE, Books
from libs.features import definitions, history
from libs.features.history import History
from libs.features.kernels import complete_row
from libs.features.notes import note_event
from libs.jit import kernel
from libs.market import symbol_table
from libs.market.symbol_table import SymbolTable
from libs.nbbo import state as nbbo_state
from libs.nbbo.kernels import update
from libs.nbbo.state import Nbbo
from tests.bench import books as level_updates
from tests.bench import features, hft, nbbo
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
    put_back,
    recorded,
    synthetic,
)
from tests.bench.runner import Row, Scale, compare, skipped, timed

WHAT = "a level update of a recording, applied in whole events from memory; CPU time"
GOAL, REFERENCE = 1.0, "hftbacktest"
UNIT = "ns/update"
SYMBOLS = 2
VENUES = (2, 0, 1)
"""Of the recordings as their names sort: COIN-M, spot, USD-M. The first contract decides which kind the NBBO is of."""
CONTRACTS = ((100, 1), (10, 1), (0, 0), (0, 0), (0, 0), (0, 0))
"""Multiplier and whether inverse: COIN-M contracts are of 100 and 10 dollars."""
SAMPLES = 1_000
Kinds = dict[str, tuple[hft.Feed, str]]


class Markets:
    """Books at their snapshots with their symbols, quotes and rows, and the events to come.

    Attributes
    ----------
    given : Input
        Its books are the ones that change.
    times_us : int64[n]
        Feed times of the events.
    """

    def __init__(self, given: Input, venues: Sequence[int], contracts: Sequence[tuple[int, int]]) -> None:
        """Register book ``b`` as symbol ``b % SYMBOLS`` of venue ``venues[b // SYMBOLS]``."""
        self.given, self.books = given, given.books
        self.times_us = given.times_ns // 1_000
        self.table = symbol_table.new(len(contracts), SYMBOLS)
        for b, (multiplier, inverse) in enumerate(contracts):
            found = symbol_table.t_register(self.table, venues[b // SYMBOLS], f"S{b % SYMBOLS}-USD")
            assert found == b
            exponents = int(given.books.price_exp[b]), int(given.books.size_exp[b])
            kernels.set_instrument(given.books, b, 1, exponents[0], 1, exponents[1], multiplier, 0, inverse)
        self.quotes = nbbo_state.new(SYMBOLS)
        self.history = history.new(len(contracts))
        self.rows = np.zeros((len(given.books.prices), len(definitions.COLUMNS)))
        self._start = copy_of(given.books)

    def reset(self) -> None:
        """Put books and quotes back to where they began."""
        put_back(self.books, self._start)
        for array in (*self.quotes, self.history.heads):
            array[...] = 0

    def replay(self, begin: int, end: int) -> int:
        """Apply these events with features and NBBO; return the features rows computed."""
        given = self.given
        return int(
            replay(
                self.history, self.books, self.table, self.quotes, given.events[begin:end], given.data,
                self.times_us[begin:end], self.rows,
            )
        )  # fmt: skip


@kernel
def replay(
    h: History,
    books: Books,
    table: SymbolTable,
    quotes: Nbbo,
    events: np.ndarray,
    data: np.ndarray,
    times_us: np.ndarray,
    rows: np.ndarray,
) -> int:
    """Apply one event after the other as the book thread does, all features on; return the rows computed."""
    computed = 0
    for i in range(len(events)):
        e = events[i]
        b = e[BOOK]
        now_us = times_us[i]
        code = kernels.apply_message(
            books, b, e[FLAGS], e[PRICE_EXP], e[SIZE_EXP], e[CUT], data, e[AT], e[BIDS], e[ASKS], i, now_us, now_us
        )
        if code != kernels.EVENT_DONE:
            continue
        if kernels.is_valid(books, b):
            note_event(h, books, b)
            complete_row(h, books, b, features.DEPTH_LEVELS, features.LIQUIDITY_BPS, rows[b])
            computed += 1
        symbol = table.book_symbol[b]
        update(quotes, books, table.symbol_books[symbol], symbol, now_us, nbbo.STALE_US, nbbo.UNCERTAIN_US)
    return computed


def recording(most: int) -> Markets:
    """Return the six markets of the recording."""
    return Markets(recorded(level_updates.RECORDINGS, most), VENUES, CONTRACTS)


def made_up(events: int) -> Markets:
    """Return as many markets of made-up changes as a symbol has venues, for where there is no recording."""
    return Markets(synthetic(SYMBOLS * nbbo.EXCHANGES, 400, events), range(nbbo.EXCHANGES), ((0, 0),) * 10)


def kinds(given: Input) -> Kinds:
    """Return the ways to run hftbacktest; without any where it is not installed."""
    if hft.module() is None:
        return {}
    both, local = hft.Feed(given), hft.Feed(given, local_only=True)
    return {
        REFERENCE: (both, "ROIVector"),
        "hftbacktest hash map": (both, "HashMap"),
        "hftbacktest one book": (local, "ROIVector"),
    }


def check(markets: Markets, others: Kinds) -> None:
    """Raise when features, quotes, or a best level at a sample point or at the end are not what the references say."""
    given = markets.given
    found = {}
    for name, (feed, depth) in others.items():
        found[name] = np.full((len(given.events), 4), np.nan)
        with hft.ready(feed, depth) as backtest:
            code = hft.tops(backtest, feed.assets, feed.times_ns, found[name])
        if code != hft.END_OF_DATA:
            raise AssertionError(f"{name} fails with {code}")
    computed, step = 0, max(1, len(given.events) // SAMPLES)
    markets.reset()
    for begin in range(0, len(given.events), step):
        end = min(begin + step, len(given.events))
        computed += markets.replay(begin, end)
        _check_top(markets, end - 1, others, found)
    for b in np.unique(given.events[:, BOOK]):
        _check_top(markets, int(np.flatnonzero(given.events[:, BOOK] == b)[-1]), others, found)
    if computed != len(given.events):
        raise AssertionError(f"{len(given.events)} events gave {computed} features rows")
    _check_features(markets)
    _check_quotes(markets)


def _check_top(markets: Markets, k: int, others: Kinds, found: dict[str, np.ndarray]) -> None:
    """Compare the best levels of event ``k``'s book, which stands after that event."""
    b = int(markets.given.events[k, BOOK])
    mine = [int(markets.books.tops[b, word]) for word in (BID_PRICE, BID_SIZE, ASK_PRICE, ASK_SIZE)]
    for name, (feed, _) in others.items():
        tick = int(feed.ticks[b])
        their = found[name][k] * [tick, 1, tick, 1]
        if not np.array_equal(mine, their):
            raise AssertionError(f"{name} has other best levels after event {k}: {their.tolist()}, ours {mine}")


def _check_features(markets: Markets) -> None:
    """Compare what the present book decides of the rows at the end with C on the same books, bit for bit."""
    used = np.unique(markets.given.events[:, BOOK])
    rows = np.zeros_like(markets.rows)
    features.reference()(markets.books, used, rows)
    present = [k for k, each in enumerate(definitions.ALL) if each.kernel == definitions.PRESENT]
    mine, others = markets.rows[used][:, present], rows[used][:, present]
    if not np.array_equal(mine, others, equal_nan=True):
        raise AssertionError(f"C gives other features: {np.argwhere(mine != others)[:5].tolist()}")


def _check_quotes(markets: Markets) -> None:
    """Compare the quotes at the end with those that C makes from the same books at once."""
    quotes = nbbo_state.new(SYMBOLS)
    nbbo.reference()(quotes, markets, np.arange(SYMBOLS), int(markets.times_us[-1]))
    for name in ("price_exp", "bid_price", "ask_price", "bid_size", "ask_size", "bid_exchanges", "ask_exchanges"):
        mine, others = getattr(markets.quotes, name), getattr(quotes, name)
        if not np.array_equal(mine, others):
            raise AssertionError(f"C gives other quotes: {name} {others.tolist()}, ours {mine.tolist()}")


def measured(name: str, markets: Markets, scale: Scale) -> list[Row]:
    """Check, then time books alone, and books with features and NBBO."""
    given, others = markets.given, kinds(markets.given)
    markets.reset()
    level_updates.check(given)
    check(markets, others)
    in_c = level_updates.reference()

    def one(run: Callable[[], object]) -> Callable[[], float]:
        def measure() -> float:
            markets.reset()
            return timed(run, given.updates)

        return measure

    def theirs(feed: hft.Feed, depth: str) -> Callable[[], float]:
        def measure() -> float:
            with hft.ready(feed, depth) as backtest:
                return timed(lambda: backtest.elapse(hft.FOREVER_NS), given.updates)

        return measure

    references = {"c books": one(lambda: in_c(given.books, given.events, given.data))}
    references |= {other: theirs(*kind) for other, kind in others.items()}
    alone = one(lambda: level_updates.drive(given.books, given.events, given.data))
    whole = one(lambda: markets.replay(0, len(given.events)))
    found = [_row(f"{name}, books alone", {"ours": alone} | references, given, scale, None)]
    case = f"{name}, features and NBBO on"
    if others:
        found.append(_row(case, {"ours": whole} | references, given, scale, GOAL))
    else:
        found.append(skipped(case, "hftbacktest is not installed: scripts/setup.sh bench"))
    return found


def _row(case: str, runs: dict[str, Callable[[], float]], given: Input, scale: Scale, goal: float | None) -> Row:
    """Measure one row, with events and level updates a second beside the cost of an update."""
    row = compare(case, UNIT, runs, scale.repeats, goal, REFERENCE)
    costs = {"ours": row["ours"]} | row["references"]
    row["updates_per_s"] = {name: round(1e9 / cost) for name, cost in costs.items()}
    row["events_per_s"] = {name: round(1e9 / cost * len(given.events) / given.updates) for name, cost in costs.items()}
    row["case"] = f"{case}: {row['events_per_s']['ours']:,} events/s, {row['updates_per_s']['ours']:,} updates/s"
    return row


def rows(scale: Scale) -> list[Row]:
    """Measure every case."""
    if Path(level_updates.RECORDINGS).is_dir():
        markets, name = recording(scale.pick(1 << 40, 300)), "recorded"
    else:
        markets, name = made_up(scale.pick(60_000, 300)), "made up"
    events, updates = len(markets.given.events), markets.given.updates
    return measured(f"{name}: {events:,} events of {updates / events:.0f} updates", markets, scale)

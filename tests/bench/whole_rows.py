"""All features at a completed event: what taking in the event, and filling every column, add to applying it."""

from __future__ import annotations

import numpy as np

from libs.book import kernels, state
from libs.book.state import Books
from libs.features import definitions, history
from libs.features.history import History
from libs.features.kernels import complete_row
from libs.features.notes import note_event
from libs.features.trades import note_trade
from libs.jit import kernel
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
)
from tests.bench.runner import timed

DEPTH_LEVELS, LIQUIDITY_BPS = 20, 10
TRADE_EVERY = 4
"""Events between two prints of a book."""


@kernel
def follow(
    h: History, books: Books, events: np.ndarray, data: np.ndarray, times_us: np.ndarray, rows: np.ndarray, whole: bool
) -> int:
    """Apply events as the book thread does, with all features or none; return the rows filled."""
    filled = 0
    for i in range(len(events)):
        e = events[i]
        b = e[BOOK]
        now_us = times_us[i]
        code = kernels.apply_message(
            books, b, e[FLAGS], e[PRICE_EXP], e[SIZE_EXP], e[CUT], data, e[AT], e[BIDS], e[ASKS], i, now_us, now_us
        )
        if code != kernels.EVENT_DONE or not whole:
            continue
        note_event(h, books, b)
        if i % TRADE_EVERY == 0:
            note_trade(h, b, 1 - 2 * (i >> 3 & 1), 1 + (i & 7), -3, i, now_us, False)
        complete_row(h, books, b, DEPTH_LEVELS, LIQUIDITY_BPS, rows[b])
        filled += 1
    return filled


class Followed:
    """Events that are applied from the same start each time.

    Parameters
    ----------
    every_us : int
        Feed time between two events of all books.
    """

    def __init__(self, given: Input, every_us: int) -> None:
        self.given, self.start = given, copy_of(given.books)
        self.history = history.new(len(given.books.prices) - state.STAGES)
        self.times_us = every_us * np.arange(1, len(given.events) + 1, dtype=np.int64)
        self.rows = np.zeros((len(given.books.prices), len(definitions.COLUMNS)))

    def run(self, *, whole: bool) -> int:
        """Apply them; return the rows filled."""
        given = self.given
        return int(follow(self.history, given.books, given.events, given.data, self.times_us, self.rows, whole))

    def cost_ns(self, *, whole: bool) -> float:
        """Return the CPU time of an event."""
        put_back(self.given.books, self.start)
        self.history.heads[...] = 0
        return timed(lambda: self.run(whole=whole), len(self.given.events))

    def features_ns(self) -> float:
        """Return what all features add to an event."""
        return self.cost_ns(whole=True) - self.cost_ns(whole=False)

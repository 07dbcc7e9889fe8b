"""Read a book from another process or thread than its owner's."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from libs.book import state
from libs.book.state import COUNTS, FIRST, KNOWN_SET, NOTHING_CUT, VERSION, WORDS, Books

TRIES = 200
PAUSE_S = 0.0005


@dataclass(frozen=True, slots=True)
class BookView:
    """A book after a completed event; prices and sizes are mantissas, best level first.

    ``bids_cut`` and ``asks_cut`` say that the side goes on below what is known of it.
    """

    flags: int
    sequence: int
    exchange_ts_us: int
    feed_ts_us: int
    valid_since_us: int
    price_exp: int
    size_exp: int
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    bids_cut: bool
    asks_cut: bool


def _side(books: Books, words: np.ndarray, b: int, side: int, depth: int) -> tuple[np.ndarray, np.ndarray]:
    first = int(words[FIRST + side])
    end = first + int(words[COUNTS + side])
    start = max(first, end - depth)
    return books.prices[b, side, start:end][::-1].copy(), books.sizes[b, side, start:end][::-1].copy()


def _pairs(side: tuple[np.ndarray, np.ndarray]) -> tuple[tuple[int, int], ...]:
    return tuple(zip(side[0].tolist(), side[1].tolist(), strict=True))


def snapshot_levels(books: Books, b: int, depth: int) -> BookView | None:
    """Return up to ``depth`` levels a side of a book that another thread or process owns.

    Copies under the book's version and tries again, for about a tenth of a second, while an event is open.

    Returns
    -------
    BookView or None
        None when no copy between two events could be had.
    """
    block = books.words[b * WORDS : (b + 1) * WORDS]
    for _ in range(TRIES):
        before = int(block[VERSION])
        if before % 2 == 0:
            words = block.copy()
            bids, asks = _side(books, words, b, 0, depth), _side(books, words, b, 1, depth)
            if int(block[VERSION]) == before == int(words[VERSION]):
                return _view(words, bids, asks)
        time.sleep(PAUSE_S)
    return None


def _view(words: np.ndarray, bids: tuple[np.ndarray, np.ndarray], asks: tuple[np.ndarray, np.ndarray]) -> BookView:
    return BookView(
        flags=int(words[state.FLAGS]),
        sequence=int(words[state.SEQUENCE]),
        exchange_ts_us=int(words[state.EXCHANGE_TS_US]),
        feed_ts_us=int(words[state.FEED_TS_US]),
        valid_since_us=int(words[state.VALID_SINCE_US]),
        price_exp=int(words[state.PRICE_EXP]),
        size_exp=int(words[state.SIZE_EXP]),
        bids=_pairs(bids),
        asks=_pairs(asks),
        bids_cut=bool(words[KNOWN_SET] != NOTHING_CUT),
        asks_cut=bool(words[KNOWN_SET + 1] != NOTHING_CUT),
    )

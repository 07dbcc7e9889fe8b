"""Feature rows as kernels read them: 64-bit words, the numbers of a row and the small fields within them."""

from __future__ import annotations

import numpy as np

from libs.streams.schemas import FEATURES

WORD = 8
WORDS = FEATURES.itemsize // WORD


def word_of(name: str) -> int:
    """Return the index of the word that a 64-bit column is, or that a smaller one is in."""
    return int(FEATURES.fields[name][1]) // WORD  # type: ignore[index]


def shift_of(name: str) -> int:
    """Return by how many bits a column smaller than its word is shifted in it."""
    return 8 * (int(FEATURES.fields[name][1]) % WORD)  # type: ignore[index]


BEST_BID, BEST_ASK = word_of("best_bid"), word_of("best_ask")
FEED_TS_US, SENT_TS_US = word_of("feed_ts_us"), word_of("sent_ts_us")
BOOK_ID, BOOK_ID_SHIFT, BOOK_ID_MASK = word_of("book_id"), shift_of("book_id"), 2**32 - 1
FLAGS, FLAGS_SHIFT, FLAGS_MASK = word_of("flags"), shift_of("flags"), 2**32 - 1
BYTE = 255
EXCHANGE, EXCHANGE_SHIFT = word_of("exchange"), shift_of("exchange")
VALID, VALID_SHIFT = word_of("valid"), shift_of("valid")
INCOMPLETE, INCOMPLETE_SHIFT = word_of("incomplete"), shift_of("incomplete")


def words_of(rows: np.ndarray) -> np.ndarray:
    """Return contiguous feature rows as int64[n, WORDS]; no copy."""
    return rows.view(np.int64).reshape(len(rows), WORDS)


def values_of(rows: np.ndarray) -> np.ndarray:
    """Return contiguous feature rows as float64[n, WORDS]; no copy. Only columns of numbers make sense so."""
    return rows.view(np.float64).reshape(len(rows), WORDS)

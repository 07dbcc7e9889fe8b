"""Feature rows as words."""

from __future__ import annotations

import numpy as np

from libs.models import rows as layout
from libs.streams.schemas import FEATURES


def test_words_hold_what_the_columns_say() -> None:
    """Every column that kernels read stands where they look, whatever stands beside it in its word."""
    rng = np.random.default_rng(1)
    rows = np.frombuffer(bytearray(rng.bytes(50 * FEATURES.itemsize)), FEATURES)
    words, values = layout.words_of(rows), layout.values_of(rows)
    assert np.array_equal(values[:, layout.BEST_BID], rows["best_bid"], equal_nan=True)
    assert np.array_equal(values[:, layout.BEST_ASK], rows["best_ask"], equal_nan=True)
    assert np.array_equal(words[:, layout.FEED_TS_US], rows["feed_ts_us"])
    assert np.array_equal(words[:, layout.SENT_TS_US], rows["sent_ts_us"])
    for name, word, shift, mask in (
        ("book_id", layout.BOOK_ID, layout.BOOK_ID_SHIFT, layout.BOOK_ID_MASK),
        ("flags", layout.FLAGS, layout.FLAGS_SHIFT, layout.FLAGS_MASK),
        ("exchange", layout.EXCHANGE, layout.EXCHANGE_SHIFT, layout.BYTE),
        ("valid", layout.VALID, layout.VALID_SHIFT, layout.BYTE),
        ("incomplete", layout.INCOMPLETE, layout.INCOMPLETE_SHIFT, layout.BYTE),
    ):
        assert np.array_equal((words[:, word] >> shift) & mask, rows[name].astype(np.int64)), name


def test_views_are_no_copies() -> None:
    """What is written through a view is in the row."""
    rows = np.zeros(2, FEATURES)
    layout.values_of(rows)[1, layout.BEST_BID] = 7.0
    assert rows["best_bid"].tolist() == [0.0, 7.0]
    assert layout.words_of(rows).shape == (2, layout.WORDS)

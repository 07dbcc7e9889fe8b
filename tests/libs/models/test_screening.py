"""Which rows may make a signal: the kernels beside plain Python on the same rows."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from libs.book.flags import CROSSED, HALTED, MUTE, NO_SNAPSHOT, STALE, SUSPECT
from libs.models import screening
from libs.models.rows import values_of, words_of
from libs.streams.schemas import FEATURES

BOOKS = 4
OLDEST_US = 1_000

PRICES = st.sampled_from([99.0, 100.0, 101.0, math.nan, math.inf])
ROW = st.fixed_dictionaries(
    {
        "book_id": st.sampled_from([0, 1, 2, 3, 4, 2**32 - 1]),
        "exchange": st.integers(0, 255),
        "valid": st.sampled_from([0, 1, 1, 1, 2]),
        "incomplete": st.sampled_from([0, 0, 1]),
        "flags": st.sampled_from(
            [0, 0, 0, SUSPECT, HALTED, MUTE, STALE, CROSSED, NO_SNAPSHOT, MUTE | CROSSED, 1 << 31]
        ),
        "sent_ts_us": st.sampled_from([OLDEST_US - 1, OLDEST_US, OLDEST_US + 5]),
        "feed_ts_us": st.integers(0, 3_000),
        "best_bid": PRICES,
        "best_ask": PRICES,
    }
)
BATCH = st.lists(ROW, max_size=12)


def _rows(given_rows: list[dict[str, float]]) -> np.ndarray:
    rows = np.zeros(len(given_rows), FEATURES)
    for row, values in zip(rows, given_rows, strict=True):
        for name, value in values.items():
            row[name] = value
    return rows


def _reason(row: np.void, covered: list[bool], whole_sums: bool, x: np.ndarray) -> str:
    """The first of the reasons in their order, with the age of a row and its prices after the flags."""
    flags, bid, ask = int(row["flags"]), row["best_bid"], row["best_ask"]
    rules = (
        ("capacity", row["book_id"] >= len(covered)),
        ("not_covered", row["book_id"] < len(covered) and not covered[row["book_id"]]),
        ("not_valid", row["valid"] != 1),
        *(
            (name, flags & bit)
            for name, bit in zip(("suspect", "halted", "mute", "stale", "crossed"), FLAGS, strict=True)
        ),
        ("stale", row["sent_ts_us"] < OLDEST_US),
        ("one_sided", not (math.isfinite(bid) and math.isfinite(ask))),
        ("crossed", bid >= ask),
        ("incomplete", whole_sums and row["incomplete"]),
        ("nan_feature", np.isnan(x).any()),
    )
    return next((name for name, holds in rules if holds), "none")


FLAGS = (SUSPECT, HALTED, MUTE, STALE, CROSSED)


@given(BATCH, st.lists(st.booleans(), min_size=BOOKS, max_size=BOOKS), st.booleans(), st.data())
def test_reasons_are_the_first_that_holds(
    batch: list[dict[str, float]], covered: list[bool], whole_sums: bool, data: st.DataObject
) -> None:
    """Reasons, how many are fine, and which inputs were missing where nothing else was wrong."""
    rows = _rows(batch)
    x = np.array([[data.draw(st.sampled_from([0.5, math.nan])) for _ in range(2)] for _ in batch]).reshape(-1, 2)
    at = np.arange(len(rows))
    reasons, missing = np.empty(len(rows), np.int64), np.zeros(2, np.int64)
    fine = screening.screen(
        words_of(rows), values_of(rows), at, np.array(covered), OLDEST_US, int(whole_sums), x, reasons, missing
    )
    expected = [_reason(row, covered, whole_sums, x[i]) for i, row in enumerate(rows)]
    assert [screening.REASONS[code] for code in reasons] == expected
    assert fine == expected.count("none")
    told = [np.isnan(x[i]) for i, reason in enumerate(expected) if reason == "nan_feature"]
    assert missing.tolist() == np.sum(told, axis=0, dtype=int, initial=0).tolist() if told else not missing.any()


@given(BATCH)
def test_the_latest_row_of_each_book(batch: list[dict[str, float]]) -> None:
    """In the order of the batch, a book once; a book beyond the capacity as often as it comes."""
    rows = _rows(batch)
    at, seen = np.empty(len(rows), np.int64), np.zeros(BOOKS, np.int64)
    for stamp in (1, 2):
        found = at[: screening.latest(words_of(rows), seen, stamp, at)].tolist()
        books = rows["book_id"].tolist()
        assert found == [i for i, b in enumerate(books) if b >= BOOKS or b not in books[i + 1 :]]


@given(BATCH, st.lists(st.booleans(), min_size=BOOKS, max_size=BOOKS))
def test_strangers_are_books_not_known(batch: list[dict[str, float]], known: list[bool]) -> None:
    """Those within the capacity; every row of them that is looked at."""
    rows = _rows(batch)
    found = np.empty(len(rows), np.int64)
    count = screening.strangers(words_of(rows), np.arange(len(rows)), np.array(known), found)
    assert found[:count].tolist() == [i for i, b in enumerate(rows["book_id"].tolist()) if b < BOOKS and not known[b]]


@given(st.lists(st.tuples(st.sampled_from([-1, 0, 1]), st.integers(0, 3_000)), max_size=20))
def test_an_action_is_said_at_a_change_and_again_after_a_while(actions: list[tuple[int, int]]) -> None:
    """As a state machine of one book: nothing is never said, a change always, the same after repeat_us."""
    last_action, last_us = np.zeros(BOOKS, np.int64), np.zeros(BOOKS, np.int64)
    state, said_us, feed_us = 0, 0, 0
    for action, step in actions:
        feed_us += step
        rows = _rows([{"book_id": 2, "feed_ts_us": feed_us}])
        emit = np.empty(1, np.bool_)
        count = screening.say(
            words_of(rows), np.zeros(1, np.int64), np.array([action]), 1_000, last_action, last_us, emit
        )
        expected = action != 0 and (action != state or feed_us - said_us > 1_000)
        assert (bool(emit[0]), count) == (expected, int(expected))
        state, said_us = action, feed_us if expected else said_us


@given(BATCH)
def test_columns_for_scoring(batch: list[dict[str, float]]) -> None:
    """Exchange, book and feed time as they are; a mid only of a valid book that is not locked or crossed."""
    rows = _rows(batch)
    exchange, book, feed_us = np.empty((3, len(rows)), np.int64)
    mid = np.empty(len(rows))
    screening.columns(words_of(rows), values_of(rows), exchange, book, feed_us, mid)
    assert exchange.tolist() == rows["exchange"].tolist()
    assert book.tolist() == rows["book_id"].tolist()
    assert feed_us.tolist() == rows["feed_ts_us"].tolist()
    bid, ask = rows["best_bid"], rows["best_ask"]
    expected = np.where((rows["valid"] == 1) & (bid < ask), (bid + ask) / 2.0, np.nan)
    assert np.array_equal(mid, expected, equal_nan=True)


def test_no_rows_are_no_trouble() -> None:
    """Compiling runs every kernel on nothing."""
    screening.warm()

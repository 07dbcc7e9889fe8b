"""Packed records as Arrow tables."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.storage.arrow import Origin, book_rows, scaled, table_of
from libs.streams.schemas import BOOK, FEATURES, NBBO, SCHEMAS, TRADES
from tests.libs.storage.rows import assert_equal, expected, records

TOPS = ("best_bid", "best_ask", "bid_size", "ask_size")


@pytest.mark.parametrize("stream", SCHEMAS)
@given(data=st.data())
def test_tables_say_what_records_say(stream: str, data: st.DataObject) -> None:
    """Every value of every record stands in its column, and no column is without origin in the record."""
    rows = data.draw(records(stream))
    table = table_of(stream, rows)
    wanted = expected(rows)
    assert set(table.column_names) == set(wanted)
    assert_equal(table.to_pydict(), wanted, TOPS if stream == "book" else ())


def test_types_are_the_contract() -> None:
    """Words are dictionary-coded strings, levels lists of int64, times int64, features float64."""
    book, features = table_of("book", np.zeros(1, BOOK)).schema, table_of("features", np.zeros(1, FEATURES)).schema
    assert book.field("bid_prices").type == pa.list_(pa.int64())
    for name in ("symbol", "exchange"):
        assert book.field(name).type == pa.dictionary(pa.int32(), pa.string())
    assert features.field("wap_0ms").type == features.field("best_bid").type == pa.float64()
    assert features.field("feed_ts_us").type == pa.int64()
    assert features.field("valid").type == pa.bool_()
    assert table_of("nbbo", np.zeros(1, NBBO)).schema.field("excluded").type == pa.list_(pa.uint8())


def test_prices_are_rounded_once() -> None:
    """A mantissa below 2^53 and an exponent down to -22 give the nearest float64."""
    rng = np.random.default_rng(7)
    mantissas, exponents = rng.integers(-(2**53), 2**53, 2000), rng.integers(-22, 1, 2000).astype(np.int8)
    found = scaled(mantissas, exponents).tolist()
    assert found == [float(f"{m}e{e}") for m, e in zip(mantissas.tolist(), exponents.tolist(), strict=True)]


def test_an_empty_side_has_no_best() -> None:
    """Without a level a list is empty, and best price and size are NaN."""
    rows = np.zeros(2, BOOK)
    rows["bid_count"], rows["price_exponent"] = [0, 1], -2
    rows["bid_prices"][:, 0] = 6_180_030
    found = table_of("book", rows).to_pydict()
    assert found["bid_prices"] == [[], [6_180_030]]
    assert math.isnan(found["best_bid"][0]) and found["best_bid"][1] == 61_800.30
    assert all(math.isnan(value) for name in ("best_ask", "ask_size") for value in found[name])


def test_a_count_beyond_the_levels_is_cut_to_them() -> None:
    """A damaged count never reads past the levels that a record has."""
    rows = np.zeros(1, BOOK)
    rows["ask_count"] = 65_535
    assert table_of("book", rows).to_pydict()["ask_sizes"] == [[0] * 20]


def test_bytes_that_are_no_text_are_shown_escaped() -> None:
    """A symbol that is not UTF-8 costs no row and stays distinct."""
    rows = np.zeros(2, TRADES)
    rows["symbol"] = [b"A\xff", b"A\xfe"]
    assert table_of("trades", rows).to_pydict()["symbol"] == ["A\\xff", "A\\xfe"]


def test_origin_names_run_shard_and_entry() -> None:
    """Rows carry the run, the shard and the entry that brought them; the recorder's own have none, and a note."""
    rows = np.zeros(3, TRADES)
    origin = Origin("17", "1/2", ["5-0", "5-1"], np.array([0, 1, -1], np.int32), [None, None, "gap"])
    found = table_of("trades", rows, origin).to_pydict()
    assert found["run"] == ["17"] * 3 and found["shard"] == ["1/2"] * 3
    assert found["entry"] == ["5-0", "5-1", None]
    assert found["note"] == [None, None, "gap"]


def test_columns_carry_their_description() -> None:
    """Each field has words and a unit in its metadata."""
    schema = table_of("trades", np.zeros(0, TRADES)).schema
    for field in schema:
        assert set(field.metadata) == {b"description", b"unit"}
        assert field.metadata[b"description"]
    assert schema.field("feed_ts_us").metadata[b"unit"].decode() == "µs since the epoch"


def test_offline_levels_become_book_records() -> None:
    """Levels of a pass, of any depth, make book records with the key of their features row."""
    keys = np.zeros(2, FEATURES)
    keys["symbol"], keys["sequence"], keys["price_exponent"] = b"X", [4, 5], -1
    levels = np.arange(2 * 4 * 3, dtype=np.int64).reshape(2, 4, 3)
    found = table_of("book", book_rows(keys, levels, np.array([[3, 1], [0, 2]]))).to_pydict()
    assert found["sequence"] == [4, 5] and found["symbol"] == ["X", "X"]
    assert found["bid_prices"] == [[0, 1, 2], []] and found["bid_sizes"] == [[3, 4, 5], []]
    assert found["ask_prices"] == [[6], [18, 19]] and found["ask_sizes"] == [[9], [21, 22]]
    assert found["best_ask"] == [0.6, 1.8]

"""Records through Parquet files and back, by pyarrow and by DuckDB."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.storage.arrow import table_of
from libs.storage.parquet import RecordFile, write
from libs.streams.schemas import BOOK, SCHEMAS, TRADES
from tests.libs.storage.rows import assert_equal, expected, records
from tests.libs.storage.test_arrow import TOPS


@pytest.mark.parametrize("stream", SCHEMAS)
@given(data=st.data())
def test_values_survive(tmp_path_factory: pytest.TempPathFactory, stream: str, data: st.DataObject) -> None:
    """NaN, infinities, int64's ends, symbols of 64 bytes, empty sides: all come back from both readers."""
    rows = data.draw(records(stream))
    path = tmp_path_factory.mktemp("rows") / "part.parquet"
    write(path, table_of(stream, rows), {"a": "ü"})
    near = TOPS if stream == "book" else ()
    assert_equal(pq.read_table(path).to_pydict(), expected(rows), near)
    assert pq.read_metadata(path).metadata[b"a"].decode() == "ü"
    with duckdb.connect() as connection:
        relation = connection.read_parquet(str(path))
        columns = zip(*relation.fetchall(), strict=True) if len(rows) else [()] * len(relation.columns)
        found = {name: list(values) for name, values in zip(relation.columns, columns, strict=True)}
    assert_equal(found, expected(rows), near)


def test_files_are_compressed_with_statistics_and_checksums(tmp_path: Path) -> None:
    """Columns are zstd, those of times have their bounds, words are dictionary-coded."""
    rows = np.zeros(1000, BOOK)
    rows["feed_ts_us"] = np.arange(1000)
    write(tmp_path / "x.parquet", table_of("book", rows), {})
    group = pq.read_metadata(tmp_path / "x.parquet").row_group(0)
    columns = {group.column(k).path_in_schema: group.column(k) for k in range(group.num_columns)}
    assert {column.compression for column in columns.values()} == {"ZSTD"}
    assert (columns["feed_ts_us"].statistics.min, columns["feed_ts_us"].statistics.max) == (0, 999)
    assert "RLE_DICTIONARY" in columns["symbol"].encodings
    assert "BYTE_STREAM_SPLIT" in columns["best_bid"].encodings


def _trades(*ids: int) -> np.ndarray:
    rows = np.zeros(len(ids), TRADES)
    rows["trade_id"], rows["symbol"] = ids, [f"S{number % 3}".encode() for number in ids]
    return rows


def test_a_file_is_written_in_row_groups_as_rows_come(tmp_path: Path) -> None:
    """Rows stand in their order, in groups of the size asked for; the array may be used again at once."""
    path = tmp_path / "trades.parquet"
    with RecordFile(path, "trades", row_group_rows=10, notes={"k": "v"}) as file:
        for first in range(0, 35, 5):
            rows = _trades(*range(first, first + 5))
            file.write(rows)
            rows["trade_id"] = 99
            assert not path.exists()
    assert file.rows == 35
    found = pq.ParquetFile(path)
    assert [found.metadata.row_group(k).num_rows for k in range(found.num_row_groups)] == [10, 10, 10, 5]
    assert found.metadata.metadata[b"k"] == b"v"
    table = found.read()
    assert table["trade_id"].to_pylist() == list(range(35))
    assert table["symbol"].to_pylist() == [f"S{number % 3}" for number in range(35)]
    assert [each.name for each in tmp_path.iterdir()] == ["trades.parquet"]


def test_a_file_that_failed_leaves_nothing(tmp_path: Path) -> None:
    """An error on the way leaves neither the file nor its draft, and an older file as it was."""
    path = tmp_path / "trades.parquet"
    with RecordFile(path, "trades") as file:
        file.write(_trades(1))
    with pytest.raises(RuntimeError), RecordFile(path, "trades", row_group_rows=1) as file:
        file.write(_trades(2))
        raise RuntimeError
    assert pq.read_table(path)["trade_id"].to_pylist() == [1]
    assert [each.name for each in tmp_path.iterdir()] == ["trades.parquet"]


def test_no_rows_make_an_empty_file_and_no_write_none(tmp_path: Path) -> None:
    """A file of no rows has the columns; one that was never written to is not made."""
    with RecordFile(tmp_path / "empty.parquet", "trades") as file:
        file.write(_trades())
    assert pq.read_table(tmp_path / "empty.parquet").num_rows == 0
    assert "trade_id" in pq.read_schema(tmp_path / "empty.parquet").names
    with RecordFile(tmp_path / "none.parquet", "trades"):
        pass
    assert not (tmp_path / "none.parquet").exists()


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """What the system says about a disk that takes no more comes through as OSError."""
    (tmp_path / "full.parquet").symlink_to("/dev/full")
    with pytest.raises(OSError, match="space"):
        write(tmp_path / "full.parquet", table_of("trades", _trades(1)), {})

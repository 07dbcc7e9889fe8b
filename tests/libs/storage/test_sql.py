"""The views that stand beside a recording."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from libs.storage.arrow import table_of
from libs.storage.parquet import write
from libs.storage.sql import schema_sql, write_schema
from libs.streams.schemas import SCHEMAS

ALL = {name: table_of(name, np.zeros(2, schema.dtype)) for name, schema in SCHEMAS.items()}


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A recording of every stream, of one part each."""
    for name, table in ALL.items():
        path = tmp_path / name / "date=2024-08-09" / "hour=07" / "part-0000000001-000.parquet"
        path.parent.mkdir(parents=True)
        write(path, table, {})
    write_schema(tmp_path)
    return tmp_path


def test_every_stream_and_column_is_commented(recording: Path) -> None:
    """DuckDB runs the file; each view and each of its columns has its words, with units."""
    with duckdb.connect() as connection:
        connection.execute(f"SET file_search_path = '{recording}'")
        connection.execute((recording / "schema.sql").read_text())
        views = dict(connection.execute("SELECT view_name, comment FROM duckdb_views() WHERE NOT internal").fetchall())
        assert set(views) == set(SCHEMAS) and all(views.values())
        for name, table in ALL.items():
            said = "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = ?"
            comments = dict(connection.execute(said, [name]).fetchall())
            assert list(comments) == [*table.column_names, "date", "hour"]
            assert all(comments.values())
        assert comments["feed_ts_us"] == "Feed time [µs since the epoch]"
        row = connection.execute("SELECT date::VARCHAR, hour FROM book LIMIT 1").fetchone()
        assert row == ("2024-08-09", 7)


def test_hours_are_pruned(recording: Path) -> None:
    """A query of one hour reads the files of that hour alone."""
    with duckdb.connect() as connection:
        connection.execute(f"SET file_search_path = '{recording}'")
        connection.execute((recording / "schema.sql").read_text())
        plan = connection.execute("EXPLAIN SELECT sum(feed_ts_us) FROM trades WHERE hour = 9").fetchall()
        assert "Scanning Files: 0/1" in str(plan)
        assert connection.execute("SELECT count(*) FROM trades WHERE hour = 9").fetchone() == (0,)


def test_parts_with_other_columns_stand_together(recording: Path) -> None:
    """A column that older parts lack is null there."""
    table = ALL["trades"].append_column("fresh", pa.array([1, 2]))
    write(recording / "trades/date=2024-08-09/hour=07/part-0000000002-000.parquet", table, {})
    write_schema(recording)
    with duckdb.connect() as connection:
        connection.execute(f"SET file_search_path = '{recording}'")
        connection.execute((recording / "schema.sql").read_text())
        found = connection.execute("SELECT fresh FROM trades ORDER BY fresh NULLS FIRST").fetchall()
    assert found == [(None,), (None,), (1,), (2,)]


@pytest.mark.parametrize(("mantissa", "exponent"), [(6_180_030, -2), (-1, -22), (7, 3), (2**53 - 1, -8)])
def test_mantissas_have_values(mantissa: int, exponent: int) -> None:
    """decimal_value gives the float64 next to mantissa × 10^exponent."""
    with duckdb.connect() as connection:
        connection.execute(schema_sql({}))
        found = connection.execute(f"SELECT decimal_value({mantissa}, {exponent})").fetchone()
    assert found == (float(f"{mantissa}e{exponent}"),)


def test_names_and_words_are_quoted() -> None:
    """Quotes in a name or in words stay inside their literals."""
    field = pa.field('a"b', pa.int64(), metadata={"description": "it's; DROP", "unit": ""})
    text = schema_sql({'x"y': pa.schema([field])})
    assert 'COMMENT ON COLUMN "x""y"."a""b" IS \'it\'\'s; DROP\';' in text

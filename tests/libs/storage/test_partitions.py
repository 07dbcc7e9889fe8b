"""Places of a recording's parts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.storage.partitions import LAST_HOUR, Place, hours_of, parts_of, read_note
from libs.streams.schemas import FEATURES, NBBO, STATUS, TRADES


@given(st.integers(0, LAST_HOUR), st.integers(0, 10**10 - 1), st.integers(0, 9_999))
def test_a_name_says_its_place(tmp_path_factory: pytest.TempPathFactory, hour: int, group: int, number: int) -> None:
    """A part, and its draft, are found again under the folder of their day and hour."""
    root = tmp_path_factory.mktemp("parts")
    place = Place("trades", hour, group, number)
    for path, drafts in ((place.path, False), (place.draft, True)):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
        assert [found for _, found in parts_of(root, drafts=drafts)] == [place]


def test_folders_are_hours_of_utc() -> None:
    """The folder is the day and the hour of the time, in UTC."""
    hour = int(datetime(2024, 8, 9, 7, tzinfo=UTC).timestamp()) // 3600
    assert Place("book", hour, 3, 1).path == Path("book/date=2024-08-09/hour=07/part-0000000003-001.parquet")


def test_other_files_are_no_parts(tmp_path: Path) -> None:
    """Files of other names, and other folders, are let be."""
    for name in ("x/date=2024-01-01/hour=00/part-1.parquet", "x/date=none/hour=00/part-0000000001-000.parquet"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    assert list(parts_of(tmp_path)) == []


@pytest.mark.parametrize("dtype", [FEATURES, NBBO, STATUS, TRADES])
def test_hours_are_of_feed_time(dtype: np.dtype) -> None:
    """The last microsecond of an hour is in it; times before the epoch or beyond the year 9999 have a folder too."""
    rows = np.zeros(6, dtype)
    rows["feed_ts_us"] = [3_599_999_999, 3_600_000_000, -1, -(2**63), 2**63 - 1, 0]
    assert hours_of(rows).tolist() == [0, 1, 0, 0, LAST_HOUR, 0]


def test_rows_without_feed_time_go_by_the_book_threads_clock() -> None:
    """A break of the writer has no feed time: its hour is that of its clock."""
    rows = np.zeros(1, STATUS)
    rows["book_ts_ns"] = 5 * 3_600_000_000_000 + 7
    assert hours_of(rows).tolist() == [5]


def test_what_is_no_part_has_no_note(tmp_path: Path) -> None:
    """A file that is empty, cut or not there has no note, and raises nothing."""
    (tmp_path / "empty").touch()
    (tmp_path / "cut").write_bytes(b"PAR1 and no more")
    assert [read_note(tmp_path / name) for name in ("empty", "cut", "absent")] == [None] * 3

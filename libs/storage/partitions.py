"""Where the parts of a recording lie: ``<stream>/date=YYYY-MM-DD/hour=HH/part-<group>-<number>.parquet``.

A *group* is what one flush wrote: parts of several streams and hours that hold together. Each part's metadata names
all of them and the entry up to which each stream is recorded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HOUR_US = 3_600_000_000
LAST_HOUR = 70_389_527
"""The last one of the year 9999."""
NOTE = "crossbook"
"""Key of a part's metadata."""

_PART = re.compile(r"(?:\.)?part-(\d{10})-(\d{3,})\.parquet(?:\.tmp)?")


class Place(NamedTuple):
    """A part, relative to the recording's folder."""

    stream: str
    hour: int  # since the epoch
    group: int
    number: int

    @property
    def folder(self) -> Path:
        """The partition."""
        when = datetime.fromtimestamp(self.hour * 3600, UTC)
        return Path(self.stream, f"date={when:%Y-%m-%d}", f"hour={when:%H}")

    @property
    def path(self) -> Path:
        """The complete part."""
        return self.folder / f"part-{self.group:010d}-{self.number:03d}.parquet"

    @property
    def draft(self) -> Path:
        """The part while it is written, which no query sees."""
        return self.folder / f".part-{self.group:010d}-{self.number:03d}.parquet.tmp"


class Note(msgspec.Struct, frozen=True):
    """A part's metadata, as JSON under the key ``crossbook``.

    Attributes
    ----------
    group : int
    parts : list of str
        All parts of the group.
    positions : dict
        By stream, the last entry that is in this group or an earlier one.
    prefix : str
        What the streams' names began with.
    stream, run, shard : str
        Of this part.
    first, last : str
        Its entries.
    """

    group: int
    parts: list[str]
    positions: dict[str, str]
    prefix: str
    stream: str = ""
    run: str = ""
    shard: str = ""
    first: str = ""
    last: str = ""


def hours_of(rows: np.ndarray) -> np.ndarray:
    """Return the hour since the epoch of each row: of its feed time, else of the book thread's clock, else 0."""
    times = rows["feed_ts_us"].astype(np.int64)
    if "book_ts_ns" in (rows.dtype.names or ()):
        times = np.where(times > 0, times, rows["book_ts_ns"] // 1000)
    return np.clip(times // HOUR_US, 0, LAST_HOUR)


def parts_of(root: Path, *, drafts: bool = False) -> Iterator[tuple[Path, Place]]:
    """Yield every part of a recording; ``drafts``: those that were not completed instead.

    Raises
    ------
    OSError
        When the folder cannot be read.
    """
    pattern = ".part-*.parquet.tmp" if drafts else "part-*.parquet"
    for path in root.glob(f"*/date=*/hour=*/{pattern}"):
        place = _place(path)
        if place is not None:
            yield path, place


def _place(path: Path) -> Place | None:
    name = _PART.fullmatch(path.name)
    date, hour = path.parent.parent.name.removeprefix("date="), path.parent.name.removeprefix("hour=")
    try:
        when = datetime.fromisoformat(f"{date}T{hour}:00:00+00:00")
    except ValueError:
        return None
    if name is None:
        return None
    stream = path.parent.parent.parent.name
    return Place(stream, int(when.timestamp()) // 3600, int(name[1]), int(name[2]))


def read_note(path: Path, *, whole: bool = False) -> Note | None:
    """Return a part's metadata; None when it is no complete file of ours.

    Parameters
    ----------
    whole : bool
        Read all of it and check each page, as after a loss of power.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=whole) as file:
            raw: Any = (file.metadata.metadata or {}).get(NOTE.encode())
            if whole:
                for _ in file.iter_batches():
                    pass
        return None if raw is None else msgspec.json.decode(raw, type=Note)
    except (OSError, pa.ArrowException, msgspec.MsgspecError):
        return None

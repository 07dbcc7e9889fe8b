"""Parquet files of packed records: zstd, statistics, encodings by what the columns hold, never seen half written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from libs.storage.arrow import table_of

ROW_GROUP_ROWS = 131_072
COMPRESSION = "zstd"
LEVEL = 3


def writer(target: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Return a writer to a file; words are coded, whole numbers written as steps, floats byte by byte.

    Raises
    ------
    OSError
        When the file cannot be made.
    """
    coded, encodings = _encodings(schema)
    return pq.ParquetWriter(
        target,
        schema,
        compression=COMPRESSION,
        compression_level=LEVEL,
        use_dictionary=coded,
        column_encoding=encodings,
        write_statistics=True,
        write_page_checksum=True,
    )


def _encodings(schema: pa.Schema) -> tuple[list[str], dict[str, str]]:
    coded: list[str] = []
    encodings: dict[str, str] = {}
    for field in schema:
        path, kind = field.name, field.type
        if pa.types.is_list(kind):
            path, kind = f"{path}.list.element", kind.value_type
        if pa.types.is_floating(kind):
            encodings[path] = "BYTE_STREAM_SPLIT"
        elif pa.types.is_integer(kind) and kind.bit_width == 64:
            encodings[path] = "DELTA_BINARY_PACKED"
        else:
            coded.append(path)
    return coded, encodings


def write(target: Path, table: pa.Table, notes: Mapping[str, str]) -> int:
    """Write a table to a file and bring it to the disk; return its bytes.

    Parameters
    ----------
    target : Path
        Not to be read by anybody before this returns.
    notes : mapping
        Into the file's metadata.

    Raises
    ------
    OSError
        When the disk is full, or the folder cannot be written.
    """
    with writer(target, table.schema) as out:
        out.write_table(table, row_group_size=ROW_GROUP_ROWS)
        out.add_key_value_metadata(dict(notes))
    return bring_to_disk(target)


def bring_to_disk(path: Path) -> int:
    """Wait until the disk has a file, or a folder's names; return its size in bytes."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
        return os.fstat(fd).st_size
    finally:
        os.close(fd)


class RecordFile:
    """One Parquet file of one stream's records, written as they come; at its name once it is complete.

    Parameters
    ----------
    path : Path
        Replaced at the end; until then the rows stand in a hidden file beside it.
    stream : str
        Of libs.streams.schemas.SCHEMAS: decides the columns' words.
    row_group_rows : int
        Rows kept in memory until they are written.
    notes : mapping
        Into the file's metadata.

    Attributes
    ----------
    rows : int
        Taken in so far.
    """

    def __init__(
        self,
        path: Path,
        stream: str,
        *,
        row_group_rows: int = ROW_GROUP_ROWS,
        notes: Mapping[str, str] | None = None,
    ) -> None:
        self.path, self.stream = path, stream
        self.rows = 0
        self._part = path.with_name(f".{path.name}.tmp")
        self._row_group_rows, self._notes = row_group_rows, dict(notes or {})
        self._kept: list[np.ndarray] = []
        self._kept_rows = 0
        self._writer: Any = None

    def write(self, rows: np.ndarray) -> None:
        """Take in records; a copy is kept, so the array may be used again.

        Raises
        ------
        OSError
            When the disk is full, or the folder cannot be written.
        """
        self._kept.append(rows.copy())
        self._kept_rows += len(rows)
        self.rows += len(rows)
        if self._kept_rows >= self._row_group_rows:
            self._put()

    def _put(self) -> None:
        table = table_of(self.stream, np.concatenate(self._kept))
        self._kept.clear()
        self._kept_rows = 0
        if self._writer is None:
            self._writer = writer(self._part, table.schema)
        self._writer.write_table(table, row_group_size=self._row_group_rows)

    def close(self) -> None:
        """Complete the file and give it its name. Without a single call of :meth:`write` there is none.

        Raises
        ------
        OSError
            When the disk is full.
        """
        if self._kept and (self._kept_rows or self._writer is None):
            self._put()
        if self._writer is None:
            return
        self._writer.add_key_value_metadata(self._notes)
        self._writer.close()
        self._writer = None
        bring_to_disk(self._part)
        self._part.replace(self.path)
        bring_to_disk(self.path.parent)

    def discard(self) -> None:
        """Leave nothing behind."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._part.unlink(missing_ok=True)

    def __enter__(self) -> RecordFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

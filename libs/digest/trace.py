"""Files of links: what a digest was after every event, so that the first event that differs can be named.

A file is ``MAGIC``, the records of libs.digest.state (five little-endian int64 each), a JSON object with the names of
books and symbols by id, its length in bytes (int64) and ``MAGIC`` again. A file that was cut has no end and is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from libs.digest.chain import text_of
from libs.digest.state import LINK, NAMES, TRACE_WORDS, TRACED_FEED_US, TRACED_HIGH, TRACED_LOW, WHOSE
from libs.errors import CrossbookError

MAGIC = b"XBTRACE1"
NBBO = len(NAMES) - 1
RECORD_BYTES = 8 * TRACE_WORDS


class TraceError(CrossbookError):
    """A file that is no trace, or the beginning of one."""

    exit_status = 2


class TraceWriter:
    """Writes one file; records first, names at the end.

    Parameters
    ----------
    path : Path

    Raises
    ------
    OSError
        When it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = path.open("wb")
        self._file.write(MAGIC)

    def write(self, records: np.ndarray) -> None:
        """Append records (int64[n, TRACE_WORDS])."""
        self._file.write(np.ascontiguousarray(records, "<i8").tobytes())

    def close(self, books: Sequence[str], symbols: Sequence[str], dropped: int) -> None:
        """End the file; ``books`` and ``symbols`` by id, ``dropped`` the records that found no room."""
        names = json.dumps({"books": list(books), "symbols": list(symbols), "dropped": dropped}).encode()
        self._file.write(names + len(names).to_bytes(8, "little") + MAGIC)
        self._file.close()


@dataclass(frozen=True)
class Trace:
    """A file as read.

    Attributes
    ----------
    chains : dict
        (name, kind) to the records of that chain, in order (int64[n, TRACE_WORDS]).
    dropped : int
    """

    chains: Mapping[tuple[str, str], np.ndarray]
    dropped: int


@dataclass(frozen=True)
class Difference:
    """The first link of a chain that is not the same in two traces; None where a trace has no such link."""

    name: str
    kind: str
    link: int
    feed_ts_us: int
    one: str | None
    other: str | None

    def __str__(self) -> str:
        found = " and ".join(each or "nothing" for each in (self.one, self.other))
        return f"{self.name}: {self.kind} {self.link} at feed time {self.feed_ts_us} µs: {found}"


def is_trace(path: Path) -> bool:
    """Return whether a file begins as a trace does."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read_trace(path: Path) -> Trace:
    """Read a file.

    Raises
    ------
    TraceError
        When it is none, or was cut.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(len(MAGIC))
        file.seek(max(0, size - len(MAGIC) - 8))
        tail = file.read()
        length = int.from_bytes(tail[:8], "little")
        records = size - 2 * len(MAGIC) - 8 - length
        if head != MAGIC or tail[8:] != MAGIC or records < 0 or records % RECORD_BYTES:
            found = "a part of one" if head == MAGIC else "another file"
            raise TraceError(f"{path}: expected a whole trace of a digest, found {found}")
        file.seek(len(MAGIC) + records)
        names = json.loads(file.read(length))
    chains = {}
    if records:
        chains = _by_chain(np.memmap(path, "<i8", "r", len(MAGIC), (records // RECORD_BYTES, TRACE_WORDS)), names)
    return Trace(chains, int(names["dropped"]))


_NOTHING = np.zeros((0, TRACE_WORDS), np.int64)


def _by_chain(records: np.ndarray, names: Mapping[str, Any]) -> dict[tuple[str, str], np.ndarray]:
    whose = np.asarray(records[:, WHOSE])
    order = np.argsort(whose, kind="stable")
    found: dict[tuple[str, str], np.ndarray] = {}
    keys, starts = np.unique(whose[order], return_index=True)
    for key, part in zip(keys.tolist(), np.split(order, starts[1:]), strict=True):
        kind, identity = key & 0xFF, key >> 32
        name = names["symbols" if kind == NBBO else "books"][identity]
        found[name, NAMES[kind]] = records[part]
    return found


def differences(one: Trace, other: Trace) -> list[Difference]:
    """Return the first link that differs of every chain that does, the earliest feed time first."""
    found = [
        difference
        for key in {**one.chains, **other.chains}
        if (difference := _first(key, one.chains.get(key, _NOTHING), other.chains.get(key, _NOTHING))) is not None
    ]
    return sorted(found, key=lambda each: (each.feed_ts_us, NAMES.index(each.kind), each.name))


def _first(key: tuple[str, str], one: np.ndarray, other: np.ndarray) -> Difference | None:
    n = min(len(one), len(other))
    unlike = np.flatnonzero((one[:n, LINK:] != other[:n, LINK:]).any(axis=1))
    at = int(unlike[0]) if len(unlike) else n
    if at == len(one) == len(other):
        return None
    rows = [of[at] if at < len(of) else None for of in (one, other)]
    links = [None if row is None else text_of(row[TRACED_HIGH : TRACED_LOW + 1]) for row in rows]
    times = [int(row[TRACED_FEED_US]) for row in rows if row is not None]
    return Difference(*key, at + 1, min(times), links[0], links[1])

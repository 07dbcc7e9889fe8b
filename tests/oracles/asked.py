"""The SQL oracle: a pass recorded as Parquet, every feature computed again from its books and prints by DuckDB.

``python -m tests.oracles.asked [--events N] PATH SYMBOL …`` prints what was compared. The queries (tests/oracles/sql)
come from markets.md and know nothing of the kernels.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import duckdb
import numpy as np

from libs.features.definitions import COLUMNS
from libs.offline.passes import Block, Chunks, Pass
from libs.storage.arrow import book_rows
from libs.storage.parquet import RecordFile
from libs.storage.source import RecordingSource, instruments_of

SQL = Path(__file__).parent / "sql"
LEVELS = 400
ULPS = 4.0
"""Of what whole numbers decide: SQL rounds two or three times where the kernels round once."""
SUMMED = frozenset({"realized_vol_1s", "realized_vol_60s", "total_squared_return"})
RELATIVE = 1e-12
"""Of sums of squared returns."""
STREAMS = ("features", "book", "trades", "status")
Change = Callable[[str], str]


@dataclass
class Count:
    """What was compared: values, those that are numbers, equal to the last bit, left out; and how far the worst was."""

    events: int = 0
    values: int = 0
    defined: int = 0
    equal: int = 0
    left_out: int = 0
    worst: float = 0.0
    where: str = ""
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.events:,} events, {self.values:,} values, {self.defined:,} defined, {self.equal:,} equal to the"
            f" last bit, {self.left_out:,} left out, worst {self.worst:.2f} ulp ({self.where}),"
            f" {len(self.wrong)} disagree"
        )


def record(blocks: Iterator[Block], folder: Path, symbols: frozenset[bytes], events: int) -> None:
    """Write what a pass brings of some symbols: features, book, trades and status, until so many events (0: all)."""
    files = {name: RecordFile(folder / f"{name}.parquet", name) for name in STREAMS}
    taken = 0
    for block in blocks:
        mine = np.isin(block.features["symbol"], list(symbols)) if symbols else np.ones(len(block.features), bool)
        rows = block.features[mine]
        files["features"].write(rows)
        files["book"].write(book_rows(rows, block.levels[mine], block.sides[mine]))
        files["trades"].write(block.trades)
        files["status"].write(block.status)
        taken += len(rows)
        if events and taken >= events:
            break
    for file in files.values():
        file.close()


def ask(folder: Path, levels: int = LEVELS, change: Change = str) -> tuple[np.ndarray, np.ndarray]:
    """Return the recorded features and those of the queries, float64[n, len(COLUMNS)] each, event by event.

    Parameters
    ----------
    levels : int
        Recorded a side, at least 20.
    change : callable
        What is done to the text of the queries first.
    """
    base = duckdb.connect()
    for name in STREAMS:
        base.execute(f"CREATE TABLE {name} AS SELECT * FROM read_parquet('{folder / name}.parquet')")
    script = "".join(path.read_text() for path in sorted(SQL.glob("*.sql"))).replace("$1", str(levels))
    base.execute(change(script))
    names = ", ".join(COLUMNS)
    order = "ORDER BY exchange, symbol, sequence"
    found = []
    for table in ("features", "answer"):
        columns = base.execute(f"SELECT {names} FROM {table} {order}").fetchnumpy()
        found.append(np.column_stack([_filled(columns[name]) for name in COLUMNS]))
    return found[0], found[1]


def _filled(column: np.ndarray) -> np.ndarray:
    """Return a column with infinity where it is NULL: no feature is infinite."""
    return np.ma.filled(np.ma.asarray(column, dtype=np.float64), np.inf)


def compare(mine: np.ndarray, theirs: np.ndarray) -> Count:
    """Compare rows of the kernels with those of the queries."""
    assert mine.shape == theirs.shape, (mine.shape, theirs.shape)
    count = Count(events=len(mine))
    for k, name in enumerate(COLUMNS):
        a, b = mine[:, k], theirs[:, k]
        asked = ~np.isinf(b)
        count.left_out += int((~asked).sum())
        count.values += int(asked.sum())
        both = asked & ~np.isnan(a) & ~np.isnan(b)
        count.defined += int(both.sum())
        count.equal += int((a == b)[both].sum())
        wrong = asked & (np.isnan(a) != np.isnan(b))
        distance = np.zeros(len(a))
        distance[both] = np.abs(a - b)[both]
        with np.errstate(over="ignore"):
            steps = distance / np.spacing(np.maximum(np.abs(a), np.finfo(float).tiny))
        if name in SUMMED:
            wrong |= both & (distance > RELATIVE * np.abs(a))
        else:
            wrong |= both & (steps > ULPS)
            if len(a) and steps[both].max(initial=0.0) > count.worst:
                count.worst, count.where = float(steps[both].max()), name
        count.wrong += [f"{name}[{i}]: kernel {a[i]!r}, SQL {b[i]!r}" for i in np.flatnonzero(wrong)]
    return count


def asked(
    source: Chunks, folder: Path, symbols: frozenset[bytes] = frozenset(), events: int = 0, levels: int = LEVELS
) -> Count:
    """Pass a source, record it, and compare."""
    record(Pass(source, levels=levels, depth=8_192).blocks(), folder, symbols, events)
    return compare(*ask(folder, levels))


def main() -> int:
    """Compare symbols of a recording."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("symbols", nargs="*")
    parser.add_argument("--events", type=int, default=0)
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        source = RecordingSource([given.path], instrument_of=instruments_of(""))
        count = asked(source, Path(folder), frozenset(s.encode() for s in given.symbols), given.events)
    print(f"{given.path.name} {' '.join(given.symbols)}: {count}; {time.monotonic() - began:.0f} s")
    for line in islice(count.wrong, 20):
        print(" ", line)
    return 1 if count.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

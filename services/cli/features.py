"""``crossbook features``: every features row of a symbol of a recording, one a completed event, as Parquet."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from libs.errors import ConfigError, MissingError
from libs.features.definitions import FEATURES as FEATURE_NAMES
from libs.market.exchanges import EXCHANGES
from libs.offline.passes import Pass
from libs.storage.source import RecordingSource, instruments_of

QUOTES = ("best_bid", "best_ask", "bid_size", "ask_size")
FLAGS = ("valid", "incomplete")
TELL_EVERY_S = 0.5


def rows_of(paths: Sequence[str], symbol: str) -> Iterator[np.ndarray]:
    """Yield the rows of a symbol, of every exchange that has it, in order.

    Parameters
    ----------
    paths : sequence of str
        Recordings: files and folders.
    symbol : str
        Canonical, as ``BTC-USDT``.

    Raises
    ------
    MissingError
        When a path is not there.
    ConfigError
        When the recording has no such symbol; names those that it has.
    """
    source = RecordingSource([Path(path) for path in paths], instrument_of=instruments_of(""))
    passed = Pass(source, levels=1)
    wanted = symbol.encode()
    seen: set[bytes] = set()
    found = False
    shows, next_word = sys.stderr.isatty(), time.monotonic() + TELL_EVERY_S
    for block in passed.blocks():
        rows = block.features[block.features["symbol"] == wanted]
        seen.update(np.unique(block.features["symbol"]).tolist())
        found |= len(rows) > 0
        if shows and time.monotonic() >= next_word:
            next_word += TELL_EVERY_S
            print(f"\r{passed.messages:,} messages", end="", file=sys.stderr, flush=True)
        if len(rows):
            yield rows.copy()
    if shows:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    if not found:
        names = ", ".join(sorted(name.decode() for name in seen)) or "no valid book at all"
        raise ConfigError("command line", "--symbol", f"a symbol with rows in the recording ({names})", f'"{symbol}"')


def arrow() -> Any:
    """Return pyarrow.

    Raises
    ------
    MissingError
        When it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingError("features: pyarrow is not installed; install requirements/analysis.txt") from None
    return pyarrow


def table_of(pa: Any, rows: np.ndarray) -> Any:
    """Return rows as an Arrow table with the columns of the command's contract."""
    names = [EXCHANGES[k] for k in rows["exchange"].tolist()]
    columns = {
        "feed_ts_us": pa.array(rows["feed_ts_us"], pa.int64()),
        "exchange": pa.array(names, pa.string()),
        "symbol": pa.array([name.decode() for name in rows["symbol"].tolist()], pa.string()),
        **{name: pa.array(rows[name] != 0, pa.bool_()) for name in FLAGS},
        **{name: pa.array(rows[name], pa.float64()) for name in (*QUOTES, *FEATURE_NAMES)},
    }
    return pa.table(columns)


def target(name: str, endings: Sequence[str]) -> Path:
    """Return a file that may be written.

    Raises
    ------
    ConfigError
        When it has another ending, or its folder is not there.
    """
    path = Path(name)
    if path.suffix not in endings or not path.absolute().parent.is_dir():
        expected = f"a name that ends in {' or '.join(endings)}, in a folder that exists"
        raise ConfigError("command line", "--to", expected, f'"{name}"')
    return path


def run(paths: Sequence[str], symbol: str, to: str) -> int:
    """Write the file; return the exit status."""
    pa = arrow()
    path = target(to, (".parquet",))
    part = path.with_name(f"{path.name}.part")
    writer, count = None, 0
    try:
        for rows in rows_of(paths, symbol):
            table = table_of(pa, rows)
            writer = writer or pa.parquet.ParquetWriter(part, table.schema, compression="zstd")
            writer.write_table(table)
            count += len(rows)
        if writer is not None:
            writer.close()
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    print(f"{path}: {count:,} rows of {symbol}", file=sys.stderr)
    return 0

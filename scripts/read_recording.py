"""What a notebook does with ``crossbook record``: query the folder with polars, and see what was recorded and how well.

    crossbook record recording/ &
    crossbook up --duration 30
    python -m scripts.read_recording recording/ --symbol BTC-USDT

Prints rows and span by stream, what is missing, and for each book its spread, depth and prints; with ``--symbol`` also
the share of time in each state of the NBBO. SQL answers the same: ``cd recording && duckdb -init schema.sql``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import polars as pl

SHOWN: dict[str, Any] = {
    "tbl_rows": 60,
    "tbl_cols": -1,
    "tbl_width_chars": 140,
    "tbl_hide_dataframe_shape": True,
    "tbl_hide_column_data_types": True,
    "float_precision": 4,
}
MISSING = ("break", "lost")


def scan(root: Path, stream: str) -> pl.LazyFrame | None:
    """Return a stream's rows over all its parts; None: there are none."""
    if not any(root.glob(f"{stream}/*/*/part-*.parquet")):
        return None
    return pl.scan_parquet(root / stream / "*/*/part-*.parquet", hive_partitioning=True)


def streams(root: Path) -> pl.DataFrame:
    """Return a line a stream: its rows and the feed times of the first and the last."""
    lines = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        rows = scan(root, folder.name)
        if rows is None:
            continue
        # A row of status that concerns no feed has time 0.
        times = pl.col("feed_ts_us").filter(pl.col("feed_ts_us") > 0)
        lines.append(
            rows.select(
                stream=pl.lit(folder.name),
                rows=pl.len(),
                first=pl.from_epoch(times.min(), time_unit="us"),
                last=pl.from_epoch(times.max(), time_unit="us"),
            ).collect()
        )
    return pl.concat(lines) if lines else pl.DataFrame()


def missing(root: Path) -> pl.DataFrame:
    """Return how often rows or messages are known to be missing, by exchange and kind."""
    status = scan(root, "status")
    if status is None:
        return pl.DataFrame()
    return (
        status.filter(pl.col("kind").is_in(MISSING))
        .group_by("exchange", "kind")
        .agg(pl.len().alias("times"), pl.col("^note$").drop_nulls().first())
        .sort("exchange", "kind")
        .collect()
    )


def books(root: Path, symbol: str) -> pl.DataFrame:
    """Return a line a book: rows, share that is valid, median spread and depth within 10 bps, prints, volume."""
    features, trades = scan(root, "features"), scan(root, "trades")
    if features is None:
        return pl.DataFrame()
    key = ["exchange", "symbol"]
    wanted = pl.col("symbol") == symbol if symbol else pl.lit(True)
    found = (
        features.filter(wanted)
        .group_by(key)
        .agg(
            rows=pl.len(),
            valid=pl.col("valid").mean(),
            spread_bps=pl.col("spread_bps").fill_nan(None).median(),
            bid_10bps=pl.col("bid_volume_10bps").fill_nan(None).median(),
            ask_10bps=pl.col("ask_volume_10bps").fill_nan(None).median(),
        )
    )
    if trades is not None:
        size = pl.col("size") * (10.0 ** pl.col("size_exponent"))
        prints = trades.filter(wanted).group_by(key).agg(prints=pl.len(), volume=size.sum())
        found = found.join(prints, on=key, how="left")
    return found.sort("rows", descending=True).collect()


def states(root: Path, symbol: str) -> pl.DataFrame:
    """Return the share of feed time that the NBBO of a symbol spent in each state."""
    nbbo = scan(root, "nbbo")
    if nbbo is None:
        return pl.DataFrame()
    lasted = pl.col("feed_ts_us").shift(-1) - pl.col("feed_ts_us")
    return (
        nbbo.filter((pl.col("symbol") == symbol) & (pl.col("quotes") == 0))
        .sort("feed_ts_us", maintain_order=True)
        .with_columns(lasted=lasted.fill_null(0))
        .group_by("state")
        .agg(rows=pl.len(), seconds=pl.col("lasted").sum() / 1e6)
        .with_columns(share=pl.col("seconds") / pl.col("seconds").sum())
        .sort("seconds", descending=True)
        .collect()
    )


def main(argv: list[str] | None = None) -> int:
    """Print what a folder holds."""
    parser = argparse.ArgumentParser(prog="read_recording", description="What a recording holds.")
    parser.add_argument("folder", type=Path, help="that crossbook record wrote")
    parser.add_argument("--symbol", default="", help="one symbol, and its NBBO")
    given = parser.parse_args(argv)
    found = streams(given.folder) if given.folder.is_dir() else pl.DataFrame()
    if found.is_empty():
        print(f"read_recording: expected a folder that crossbook record wrote, found {given.folder}", file=sys.stderr)
        return 2
    tables = [found, missing(given.folder), books(given.folder, given.symbol)]
    if given.symbol:
        if tables[2].is_empty():
            print(f"read_recording: no book of {given.symbol} in {given.folder}", file=sys.stderr)
            return 2
        tables.append(states(given.folder, given.symbol))
    with pl.Config(**SHOWN):
        for table in tables:
            if not table.is_empty():
                print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What a notebook does with ``crossbook features``: read the rows with polars, and see what each feature says.

    crossbook features ../shared/data/binance/nexousdt_202407 --symbol NEXO-USDT --to rows.parquet
    python -m scripts.explore_features rows.parquet

For each feature: the share of rows in which it is NaN, its quartiles, and its rank correlation with the return of mid
over the next 15 s, from windows that do not overlap.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import polars as pl

HORIZON_US = 15_000_000
KEYS = ("feed_ts_us", "exchange", "symbol", "valid", "incomplete", "best_bid", "best_ask", "bid_size", "ask_size")

SHOWN: dict[str, Any] = {
    "tbl_rows": -1,
    "tbl_width_chars": 120,
    "tbl_hide_dataframe_shape": True,
    "tbl_hide_column_data_types": True,
    "float_precision": 4,
}


def with_returns(rows: pl.DataFrame, horizon_us: int = HORIZON_US) -> pl.DataFrame:
    """Return one row a horizon, with ``return_bps``: what mid does from its row to the last one a horizon later.

    Parameters
    ----------
    rows : polars.DataFrame
        Of one exchange and symbol, in order, as ``crossbook features`` writes them.
    """
    timed = rows.with_columns(mid=(pl.col("best_bid") + pl.col("best_ask")) / 2)
    later = timed.select(pl.col("feed_ts_us").alias("at"), pl.col("mid").alias("later_mid"))
    found = timed.with_columns(due=pl.col("feed_ts_us") + horizon_us).join_asof(
        later, left_on="due", right_on="at", strategy="backward"
    )
    found = found.filter(pl.col("due") <= pl.col("feed_ts_us").max())
    found = found.with_columns(return_bps=10_000 * (pl.col("later_mid") / pl.col("mid")).log())
    window = (pl.col("feed_ts_us") - pl.col("feed_ts_us").first()) // horizon_us
    return found.group_by(window.alias("window"), maintain_order=True).first()


def summary(rows: pl.DataFrame) -> pl.DataFrame:
    """Return a line a feature: share of NaN, quartiles, rank correlation with the next return, and of how many."""
    sampled = with_returns(rows)
    lines = []
    for name in (column for column in rows.columns if column not in KEYS):
        known = rows[name].fill_nan(None)
        pairs = sampled.select(pl.col(name).fill_nan(None), "return_bps").drop_nulls()
        quartiles = [known.quantile(share) for share in (0.25, 0.5, 0.75)]
        lines.append(
            {
                "feature": name,
                "nan": known.null_count() / max(len(rows), 1),
                **dict(zip(("25%", "median", "75%"), quartiles, strict=True)),
                "rank correlation": pairs.select(pl.corr(name, "return_bps", method="spearman")).item()
                if len(pairs) > 2
                else None,
                "windows": len(pairs),
            }
        )
    return pl.DataFrame(lines)


def main(argv: list[str] | None = None) -> int:
    """Print the summary of a file."""
    arguments = sys.argv[1:] if argv is None else argv
    if len(arguments) != 1 or not Path(arguments[0]).is_file():
        print("explore_features: expected one file that crossbook features wrote", file=sys.stderr)
        return 2
    rows = pl.read_parquet(arguments[0])
    for (exchange, symbol), part in rows.group_by(["exchange", "symbol"], maintain_order=True):
        seconds = (part["feed_ts_us"].max() - part["feed_ts_us"].min()) / 1e6
        print(
            f"{exchange} {symbol}: {len(part):,} rows in {seconds:,.0f} s, incomplete {part['incomplete'].mean():.1%}"
        )
        with pl.Config(**SHOWN):
            print(summary(part))
    return 0


if __name__ == "__main__":
    sys.exit(main())

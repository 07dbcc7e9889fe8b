"""Every feature as data: its name, what it says, and which kernel fills it (markets.md, *Features*).

From these rows come the columns of the features record (libs.streams.schemas), the calls that fill a row
(libs/features/fillers.py) and the page libs/features/README.md, both written by ``scripts.generate_features``, the
comments of DuckDB's columns and the descriptions on dashboards and in Parquet files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

PRESENT = "kernels.compute_row"
"""Fills what the present book decides; a kernel of another name is called with history, books, book and row."""


@dataclass(frozen=True)
class Definition:
    """One column of a features row.

    Attributes
    ----------
    name : str
    formula : str
        In words; b, a are the best prices, qb, qa their sizes, mid = (b + a) / 2, t is the event's feed time.
    unit : str
        ``price`` and ``size`` are the venue's own; ``1``: none.
    window : str
        What of the past it needs; ``-``: nothing.
    source : str
        The paper and where in it, or who defines it.
    nan : str
        When it is NaN.
    kernel : str
        ``module.function`` below libs.features.
    """

    name: str
    formula: str
    unit: str
    window: str
    source: str
    nan: str
    kernel: str = PRESENT

    @property
    def description(self) -> str:
        """All of it as one sentence or two, for people."""
        window = "" if self.window == "-" else f", over {self.window}"
        unit = "without unit" if self.unit == "1" else f"in {self.unit}"
        return f"{self.formula} ({unit}{window}). NaN: {self.nan}. {self.source}."


OURS = "Crossbook, markets.md"
CKS = "Cont, Kukanov, Stoikov (2014), The price impact of order book events, section 2"
XGH = "Xu, Gould, Howison (2019), Multi-level order-flow imbalance in a limit order book, section 2"
STOIKOV = "Stoikov (2018), The micro-price: a high-frequency estimator of future prices"
ABDL = "Andersen, Bollerslev, Diebold, Labys (2003), Modeling and forecasting realized volatility, section 2"
GB = "Gould, Bonart (2016), Queue imbalance as a one-tick-ahead price predictor in a limit order book"

ONE_SIDED = "a side is empty"
EMPTY = "there is no size at all"
YOUNG = "the book became valid less than the window ago; the history overflowed within it"
TRADES_YOUNG = f"{YOUNG}; prints were missed within it; no print with a known aggressor is in it"
NEVER = "never"
SECOND, MINUTE = "1 s", "60 s"

_LAGS = tuple(
    Definition(
        f"wap_{ms}ms", f"wap_0ms in force at t - {ms} ms: of the last event at or before", "price", f"{ms} ms",
        f"{STOIKOV}, weighted mid", f"{ONE_SIDED} in that event; {YOUNG}", "windows.fill_waps",
    )
    for ms in (100, 200, 300)
)  # fmt: skip
_VOLUMES = tuple(
    Definition(
        f"{side}_volume_{bps}bps", f"sum of {side} sizes within {bps} bps of mid, the edge included", "size", "-",
        OURS, ONE_SIDED,
    )
    for bps in (10, 20)
    for side in ("bid", "ask")
)  # fmt: skip
_E = "size at the bid if it rose, its change if it stayed, minus the size before if it fell; less the same of the ask"
_OFI = tuple(
    Definition(f"ofi_l{k}", f"sum of e on the level of rank {k}: {_E}", "size", SECOND, XGH, YOUNG, "windows.fill_flow")
    for k in range(1, 6)
)
_VOLATILITY = tuple(
    Definition(
        f"realized_vol_{short}", "root of the sum of squared log mid returns, one a book event", "1", window, ABDL,
        YOUNG, "windows.fill_returns",
    )
    for short, window in (("1s", SECOND), ("60s", MINUTE))
)  # fmt: skip

DEFINED = (
    Definition("wap_0ms", "(b*qa + a*qb) / (qb + qa)", "price", "-", f"{STOIKOV}, weighted mid", ONE_SIDED),
    *_LAGS,
    Definition(
        "order_book_imbalance", "(bid sizes - ask sizes) / both, over the best depth_levels (20) a side", "1", "-",
        OURS, EMPTY,
    ),
    Definition(
        "liquidity_imbalance", "(bids - asks) / both of price times size, within liquidity_bps (10) of mid", "1", "-",
        OURS, f"{ONE_SIDED}; nothing lies within",
    ),
    Definition("queue_imbalance", "(qb - qa) / (qb + qa)", "1", "-", f"{GB}, definition of I(t)", ONE_SIDED),
    Definition(
        "tick_flow_imbalance", "(buyers' prints - sellers' prints) / both", "1", SECOND, OURS, TRADES_YOUNG,
        "windows.fill_trades",
    ),
    Definition(
        "trade_flow_imbalance", "(bought volume - sold volume) / both, by the aggressor", "1", SECOND, OURS,
        TRADES_YOUNG, "windows.fill_trades",
    ),
    Definition("spread", "a - b", "price", "-", OURS, ONE_SIDED),
    Definition("spread_bps", "10,000 * (a - b) / mid", "bps", "-", OURS, ONE_SIDED),
    *_VOLUMES,
    Definition(
        "order_flow_imbalance", f"sum of e of every event: {_E}", "size", SECOND, CKS, YOUNG, "windows.fill_flow"
    ),
    *_OFI,
    Definition(
        "microprice", "mid + tick * G[imbalance bucket][spread in ticks]; wap_0ms where no table is fitted", "price",
        "-", f"{STOIKOV}, G* of the finite chain", f"{ONE_SIDED}; a table is fitted and b > a", "micro.fill_microprice",
    ),
    *_VOLATILITY,
)  # fmt: skip
"""The features, in the order of the columns."""

_TRADED = tuple(
    Definition(
        f"total_{side}_{what}", f"{text} whose aggressor {verb}, since the consumer's start", unit, "all", OURS, NEVER,
        "windows.fill_trades",
    )
    for what, text, unit in (("trades", "prints", "prints"), ("volume", "volume of prints", "size"))
    for side, verb in (("buy", "bought"), ("sell", "sold"))
)  # fmt: skip
_FLOWED = tuple(
    Definition(f"total_{name}", f"{name} since the consumer's start", "size", "all", source, NEVER, "windows.fill_flow")
    for name, source in (("order_flow", CKS), *((f"ofi_l{k}", XGH) for k in range(1, 6)))
)

SUMMED = (
    *_TRADED,
    *_FLOWED,
    Definition(
        "total_squared_return", "sum of squared log mid returns since the consumer's start", "1", "all", ABDL, NEVER,
        "windows.fill_returns",
    ),
)  # fmt: skip
"""Running totals, from which a reader that missed rows can difference any window. One that its unit became too fine
for begins anew (markets.md does not foresee it: libs/features/flow.py)."""

ALL = DEFINED + SUMMED
FEATURES = tuple(each.name for each in DEFINED)
TOTALS = tuple(each.name for each in SUMMED)
COLUMNS = FEATURES + TOTALS
INDEX = {name: index for index, name in enumerate(COLUMNS)}
BY_NAME = {each.name: each for each in ALL}


def descriptions() -> dict[str, str]:
    """Return what a person is told of each column, by name: on dashboards, in Parquet files, in a database."""
    return {each.name: each.description for each in ALL}


def comments(table: str) -> Iterator[str]:
    """Yield a DuckDB statement a column that puts its description on a table.

    Parameters
    ----------
    table : str
        Its name, as DuckDB reads it.
    """
    for name, text in descriptions().items():
        quoted = text.replace("'", "''")
        yield f"COMMENT ON COLUMN {table}.{name} IS '{quoted}'"


def fillers(definitions: tuple[Definition, ...] = ALL) -> list[str]:
    """Return the kernels that fill a row beside :data:`PRESENT`, each once, in the order of the columns."""
    return list(dict.fromkeys(each.kernel for each in definitions if each.kernel != PRESENT))

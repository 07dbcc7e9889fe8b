"""Model inputs from feature rows.

A model for ``any`` symbol may only name inputs without a dimension: what they say must not depend on a symbol's price
or on the size of its lots. A model for named symbols may also take every published feature as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from libs.features.definitions import FEATURES
from libs.jit import kernel
from libs.models.rows import BEST_ASK, BEST_BID, values_of, word_of
from libs.streams.schemas import FEATURES as LAYOUT

BPS = 10_000.0

AS_IS, FROM_MID, IMBALANCE, OVER_DEPTH = range(4)
"""``a``; its distance from mid in bps; (a − b)/(a + b); a flow of sizes over the mean size at the best prices."""

FORM, A, B = range(3)
BID_SIZE, ASK_SIZE = word_of("bid_size"), word_of("ask_size")


class Input(NamedTuple):
    """How an input comes from columns of a feature row: the form, and the columns that stand for a and b in it."""

    form: int
    a: str
    b: str = "best_bid"


def mid(rows: np.ndarray) -> np.ndarray:
    """Return the mid prices of feature rows (float64[n]); NaN where a side is empty."""
    return (rows["best_bid"] + rows["best_ask"]) / 2.0


def _volumes(bps: int) -> Input:
    return Input(IMBALANCE, f"bid_volume_{bps}bps", f"ask_volume_{bps}bps")


_SHARES = (
    "order_book_imbalance",
    "liquidity_imbalance",
    "queue_imbalance",
    "tick_flow_imbalance",
    "trade_flow_imbalance",
    "spread_bps",
)
_FLOWS = ("order_flow_imbalance", "ofi_l1", "ofi_l2", "ofi_l3", "ofi_l4", "ofi_l5")

DIMENSIONLESS: dict[str, Input] = {
    **{name: Input(AS_IS, name) for name in _SHARES},
    "wap_bps": Input(FROM_MID, "wap_0ms"),
    "wap_100ms_bps": Input(FROM_MID, "wap_100ms"),
    "wap_200ms_bps": Input(FROM_MID, "wap_200ms"),
    "wap_300ms_bps": Input(FROM_MID, "wap_300ms"),
    "microprice_bps": Input(FROM_MID, "microprice"),
    "volume_imbalance_10bps": _volumes(10),
    "volume_imbalance_20bps": _volumes(20),
    **{f"{name}_depth": Input(OVER_DEPTH, name) for name in _FLOWS},
}
"""Inputs that any symbol's rows give alike."""

INPUTS: dict[str, Input] = {name: Input(AS_IS, name) for name in FEATURES} | DIMENSIONLESS
"""Every input that a model may name."""

REACHING = frozenset(
    {"order_book_imbalance", "liquidity_imbalance", "volume_imbalance_10bps", "volume_imbalance_20bps"}
    | {f"{side}_volume_{bps}bps" for side in ("bid", "ask") for bps in (10, 20)}
)
"""Inputs that sum over levels, and so are not what they seem where a row is ``incomplete``."""


def plan(names: Sequence[str]) -> np.ndarray:
    """Return what :func:`fill` reads for inputs of these names (int64[k, 3]: form, words of a and b)."""
    return np.array([(i.form, word_of(i.a), word_of(i.b)) for i in map(INPUTS.__getitem__, names)], np.int64)


@kernel
def fill(values: np.ndarray, at: np.ndarray, wanted: np.ndarray, x: np.ndarray) -> None:
    """Put the inputs of rows ``at`` into x (float64[n, k]): NaN where one is undefined.

    Parameters
    ----------
    values : float64[rows, words]
        Feature rows; see :func:`libs.models.rows.values_of`.
    at : int64[n]
    wanted : int64[k, 3]
        From :func:`plan`.
    """
    for i in range(len(at)):
        row = values[at[i]]
        middle = (row[BEST_BID] + row[BEST_ASK]) / 2.0
        for k in range(len(wanted)):
            form, a = wanted[k, FORM], row[wanted[k, A]]
            if form == FROM_MID:
                a = BPS * (a - middle) / middle
            elif form == IMBALANCE:
                b = row[wanted[k, B]]
                a = (a - b) / (a + b)
            elif form == OVER_DEPTH:
                a = 2.0 * a / (row[BID_SIZE] + row[ASK_SIZE])
            x[i, k] = a if np.isfinite(a) else np.nan


def compute(rows: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return the inputs of feature rows.

    Parameters
    ----------
    rows : structured array of libs.streams.schemas.FEATURES
    names : sequence of str
        Keys of :data:`INPUTS`.

    Returns
    -------
    float64[n, k]
        NaN where an input is undefined.
    """
    x = np.empty((len(rows), len(names)), np.float64)
    fill(values_of(np.ascontiguousarray(rows, LAYOUT)), np.arange(len(rows)), plan(names), x)
    return x

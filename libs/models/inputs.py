"""Model inputs from feature rows.

A model for ``any`` symbol may only name inputs without a dimension: what they say must not depend on a symbol's price
or on the size of its lots. A model for named symbols may also take every published feature as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from libs.features.definitions import FEATURES

Column = Callable[[np.ndarray], np.ndarray]

BPS = 10_000.0


def mid(rows: np.ndarray) -> np.ndarray:
    """Return the mid prices of feature rows (float64[n]); NaN where a side is empty."""
    return (rows["best_bid"] + rows["best_ask"]) / 2.0


def _as_is(name: str) -> Column:
    return lambda rows: rows[name].astype(np.float64)


def _from_mid(name: str) -> Column:
    """Distance of a price from mid, in bps."""
    return lambda rows: BPS * (rows[name] - mid(rows)) / mid(rows)


def _volume_imbalance(bps: int) -> Column:
    def column(rows: np.ndarray) -> np.ndarray:
        bid, ask = rows[f"bid_volume_{bps}bps"], rows[f"ask_volume_{bps}bps"]
        return (bid - ask) / (bid + ask)

    return column


def _over_depth(name: str) -> Column:
    """A flow of sizes over the mean size at the best prices."""
    return lambda rows: 2.0 * rows[name] / (rows["bid_size"] + rows["ask_size"])


DIMENSIONLESS: dict[str, Column] = {
    "order_book_imbalance": _as_is("order_book_imbalance"),
    "liquidity_imbalance": _as_is("liquidity_imbalance"),
    "queue_imbalance": _as_is("queue_imbalance"),
    "tick_flow_imbalance": _as_is("tick_flow_imbalance"),
    "trade_flow_imbalance": _as_is("trade_flow_imbalance"),
    "spread_bps": _as_is("spread_bps"),
    "wap_bps": _from_mid("wap_0ms"),
    "wap_100ms_bps": _from_mid("wap_100ms"),
    "wap_200ms_bps": _from_mid("wap_200ms"),
    "wap_300ms_bps": _from_mid("wap_300ms"),
    "microprice_bps": _from_mid("microprice"),
    "volume_imbalance_10bps": _volume_imbalance(10),
    "volume_imbalance_20bps": _volume_imbalance(20),
    "order_flow_imbalance_depth": _over_depth("order_flow_imbalance"),
    "ofi_l1_depth": _over_depth("ofi_l1"),
    "ofi_l2_depth": _over_depth("ofi_l2"),
    "ofi_l3_depth": _over_depth("ofi_l3"),
    "ofi_l4_depth": _over_depth("ofi_l4"),
    "ofi_l5_depth": _over_depth("ofi_l5"),
}
"""Inputs that any symbol's rows give alike."""

INPUTS: dict[str, Column] = {name: _as_is(name) for name in FEATURES} | DIMENSIONLESS
"""Every input that a model may name."""

REACHING = frozenset(
    {"order_book_imbalance", "liquidity_imbalance", "volume_imbalance_10bps", "volume_imbalance_20bps"}
    | {f"{side}_volume_{bps}bps" for side in ("bid", "ask") for bps in (10, 20)}
)
"""Inputs that sum over levels, and so are not what they seem where a row is ``incomplete``."""


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
    out = np.empty((len(rows), len(names)), np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        for k, name in enumerate(names):
            out[:, k] = INPUTS[name](rows)
    out[~np.isfinite(out)] = np.nan
    return out

"""Signals as the readable fields of the ``signals`` stream."""

from __future__ import annotations

import numpy as np

from libs.market.exchanges import EXCHANGES
from libs.models import decisions
from libs.models.decisions import Sizing
from libs.models.inputs import mid
from services.signals.evaluate import Decision


def signal_records(
    decision: Decision, *, run: str, model: str, costs: str, threshold_bps: float, sizing: Sizing, signal_ts_ns: int
) -> list[dict[str, str]]:
    """Return one record for each signal of a decision.

    Parameters
    ----------
    run : str
        Of the consumer that made the rows.
    model : str
        The model's digest.
    signal_ts_ns : int
        Wall clock.
    """
    at = np.flatnonzero(decision.emit)
    if not len(at):
        return []
    rows = decision.rows[decision.at[at]]
    mean, sigma, cost, net = (values[at] for values in (decision.mean, decision.sigma, decision.cost, decision.net))
    columns = {
        "exchange": [EXCHANGES[exchange] for exchange in rows["exchange"].tolist()],
        "symbol": [symbol.decode() for symbol in rows["symbol"].tolist()],
        **{name: map(str, rows[name].tolist()) for name in _INTEGERS},
        "prediction_bps": _decimals(mean),
        "sigma_bps": _decimals(sigma),
        "cost_bps": _decimals(cost),
        "net_bps": _decimals(net),
        "action": [decisions.ACTIONS[action] for action in decision.action[at].tolist()],
        "confidence": _decimals(decisions.confidence(mean, sigma)),
        "size_fraction": _decimals(decisions.kelly_size(net, sigma, sizing)),
        "mid": map(repr, mid(rows).tolist()),
        "best_bid": map(repr, rows["best_bid"].tolist()),
        "best_ask": map(repr, rows["best_ask"].tolist()),
    }
    common = {
        "run": run,
        "signal_ts_ns": str(signal_ts_ns),
        "threshold_bps": f"{threshold_bps:.6f}",
        "model": model,
        "costs": costs,
    }
    return [dict(zip(columns, values, strict=True)) | common for values in zip(*columns.values(), strict=True)]


_INTEGERS = ("book_id", "session", "sequence", "feed_ts_us", "sent_ts_us", "recv_ts_ns", "book_ts_ns")


def _decimals(values: np.ndarray) -> list[str]:
    return [f"{value:.6f}" for value in values.tolist()]

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
    rows = decision.rows[at]
    mean, sigma, cost, net = (values[at] for values in (decision.mean, decision.sigma, decision.cost, decision.net))
    sure = decisions.confidence(mean, sigma)
    size = decisions.kelly_size(net, sigma, sizing)
    mids = mid(rows)
    common = {
        "run": run,
        "signal_ts_ns": str(signal_ts_ns),
        "threshold_bps": f"{threshold_bps:.6f}",
        "model": model,
        "costs": costs,
    }
    return [
        {
            "exchange": EXCHANGES[row["exchange"]],
            "symbol": row["symbol"].decode(),
            "book_id": str(row["book_id"]),
            "session": str(row["session"]),
            "sequence": str(row["sequence"]),
            "feed_ts_us": str(row["feed_ts_us"]),
            "sent_ts_us": str(row["sent_ts_us"]),
            "recv_ts_ns": str(row["recv_ts_ns"]),
            "book_ts_ns": str(row["book_ts_ns"]),
            "prediction_bps": f"{mean[i]:.6f}",
            "sigma_bps": f"{sigma[i]:.6f}",
            "cost_bps": f"{cost[i]:.6f}",
            "net_bps": f"{net[i]:.6f}",
            "action": decisions.ACTIONS[int(decision.action[k])],
            "confidence": f"{sure[i]:.6f}",
            "size_fraction": f"{size[i]:.6f}",
            "mid": repr(float(mids[i])),
            "best_bid": repr(float(row["best_bid"])),
            "best_ask": repr(float(row["best_ask"])),
            **common,
        }
        for i, (k, row) in enumerate(zip(at.tolist(), rows, strict=True))
    ]

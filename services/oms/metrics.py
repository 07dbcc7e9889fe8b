"""The order service's metrics and status document."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from libs.execution.desk import Desk
from libs.orders.states import State
from libs.risk.denials import Denial
from libs.telemetry.hdr import new_rows, summary
from libs.telemetry.hdr_kernels import record_many
from libs.telemetry.segment import Segment, Series

PATH = "order"
SIDES = ("buy", "sell")
LIMITS = ("position", "gross_exposure", "open_orders", "order_rate", "daily_loss", "drawdown")
READERS = ("status", "market", "signals")
"""The three readers; ``market`` reads books and quotes."""
RECENT = 10


def series() -> list[Series]:
    """Return every series that the service exports, so that each exists from the start."""
    reasons = [*Denial, State.REJECTED]
    return [
        Series("md_e2e_latency_seconds", {"path": PATH}),
        Series("oms_signals_total", {}),
        *(Series("oms_orders_total", {"side": side}) for side in SIDES),
        *(Series("oms_fills_total", {"side": side}) for side in SIDES),
        *(Series("oms_order_rejects_total", {"reason": str(reason)}) for reason in reasons),
        Series("oms_cancels_total", {}),
        Series("oms_open_orders", {}),
        *(Series("oms_pnl_usd", {"kind": kind}) for kind in ("realised", "unrealised", "fees")),
        *(Series("oms_position_notional_usd", {"kind": kind}) for kind in ("gross", "net")),
        *(Series("oms_risk_limit_used_ratio", {"limit": limit}) for limit in LIMITS),
        Series("oms_kill_switch_active", {}),
        Series("oms_illegal_transitions_total", {}),
        Series("oms_duplicate_intents_total", {}),
        Series("oms_reconcile_mismatches_total", {}),
        *(Series("md_redis_reader_lag_seconds", {"stream": stream}) for stream in READERS),
    ]


def limits_used(desk: Desk, now_ns: int) -> dict[str, float]:
    """Return the share of each limit that is used."""
    limits, exposure, marks = desk.settings.limits, desk.exposure, desk.losses.marks
    largest = max((abs(worth) for worth in exposure.by_symbol.values()), default=0)
    pnl = exposure.total.pnl
    return {
        "position": float(largest / limits.max_position_usd),
        "gross_exposure": float((exposure.gross + desk.working.total) / limits.max_gross_usd),
        "open_orders": len(desk.ledger.open) / limits.max_open_orders,
        "order_rate": desk.rate.last_second(now_ns) / limits.max_orders_per_s,
        "daily_loss": max(0.0, float(-desk.losses.today(pnl) / limits.max_daily_loss_usd)),
        "drawdown": max(0.0, float((marks.peak_usd - pnl) / limits.max_drawdown_usd)),
    }


class Metrics:
    """Brings counters, gauges and the status document up to date from what the desk counted.

    Parameters
    ----------
    segment : Segment
        Made with :func:`series`.
    desk : Desk
    """

    def __init__(self, segment: Segment, desk: Desk) -> None:
        self.segment, self.desk = segment, desk
        self.row = segment.row("md_e2e_latency_seconds", path=PATH)
        self.from_signal = new_rows(1)
        self.recent: deque[dict[str, str]] = deque(maxlen=RECENT)

    def note_sent(self, handed_over: list[tuple[int, int]], now_ns: int) -> None:
        """Record the latency of orders handed over just now, from the scheduled send and from the signal."""
        times = np.array(handed_over, np.int64)
        record_many(self.segment.rows, self.row, now_ns - 1000 * times[:, 0])
        record_many(self.from_signal, 0, now_ns - times[:, 1])

    def note_records(self, records: list[tuple[str, dict[str, str]]]) -> None:
        """Remember the orders sent last; each shows its latest state."""
        known = {record["client_order_id"]: record for record in self.recent}
        for stream, record in records:
            if stream != "orders" or not record["client_order_id"]:
                continue
            shown = known.get(record["client_order_id"])
            if shown is not None:
                shown.update(record)
            else:
                self.recent.append(known.setdefault(record["client_order_id"], dict(record)))

    def _set(self, name: str, value: int, **labels: str) -> None:
        self.segment.counters[self.segment.counter(name, **labels)] = value

    def _gauge(self, name: str, value: float, **labels: str) -> None:
        self.segment.gauges[self.segment.gauge(name, **labels)] = value

    def update(self, now_ns: int, lags_s: Mapping[str, float]) -> None:
        """Copy the counts into the exported series."""
        desk = self.desk
        counts, total = desk.ledger.counts, desk.exposure.total
        self._set("oms_signals_total", desk.signals)
        for side in SIDES:
            self._set("oms_orders_total", desk.sent[side], side=side)
            self._set("oms_fills_total", counts[f"fills {side}"], side=side)
        for reason in Denial:
            self._set("oms_order_rejects_total", desk.denied[reason], reason=str(reason))
        self._set("oms_order_rejects_total", counts[State.REJECTED], reason=str(State.REJECTED))
        self._set("oms_cancels_total", counts[State.CANCELLED] + counts[State.EXPIRED])
        self._set("oms_illegal_transitions_total", desk.ledger.illegal)
        self._set("oms_duplicate_intents_total", desk.denied[Denial.DUPLICATE_INTENT])
        self._set("oms_reconcile_mismatches_total", desk.mismatches)
        self._gauge("oms_open_orders", len(desk.ledger.open))
        self._gauge("oms_kill_switch_active", float(desk.switch.on))
        for kind, value in (("realised", total.realised), ("unrealised", total.unrealised), ("fees", total.fees)):
            self._gauge("oms_pnl_usd", float(value), kind=kind)
        self._gauge("oms_position_notional_usd", float(desk.exposure.gross), kind="gross")
        self._gauge("oms_position_notional_usd", float(total.notional), kind="net")
        for limit, ratio in limits_used(desk, now_ns).items():
            self._gauge("oms_risk_limit_used_ratio", ratio, limit=limit)
        for stream, lag in lags_s.items():
            self._gauge("md_redis_reader_lag_seconds", lag, stream=stream)

    def status(self, http_port: int, redis: dict[str, Any]) -> dict[str, Any]:
        """Return the status document."""
        desk = self.desk
        counts, total = desk.ledger.counts, desk.exposure.total
        positions = [position for position in desk.ledger.positions if position.quantity]
        return {
            "service": "oms",
            "orders": {
                "intents": counts["intents"] + sum(desk.denied.values()),
                "sent": sum(desk.sent.values()),
                "filled": counts[State.FILLED],
                "partially_filled": counts[State.PARTIALLY_FILLED],
                "cancelled": counts[State.CANCELLED],
                "expired": counts[State.EXPIRED],
                "rejected": counts[State.REJECTED],
                "denied": {str(code): n for code, n in sorted(desk.denied.items()) if n},
            },
            "signals": desk.signals,
            "open_orders": len(desk.ledger.open),
            "fills": counts["fills"],
            "positions": len(positions),
            "unvalued": len(desk.exposure.unvalued),
            "exposure_usd": {"gross": float(desk.exposure.gross), "net": float(total.notional)},
            "pnl": {
                "realised": float(total.realised),
                "unrealised": float(total.unrealised),
                "fees": float(total.fees),
            },
            "kill_switch": desk.switch.on,
            "kill_reason": desk.switch.kill.reason if desk.switch.kill is not None else "",
            "reconcile_ok": not desk.different,
            "reconcile_differences": desk.different[:RECENT],
            "illegal_transitions": desk.ledger.illegal,
            "journal_bytes": desk.journal.size,
            "latency_ns": {
                "order": summary(self.segment.rows[self.row]),
                "signal_to_order": summary(self.from_signal[0]),
            },
            "redis": redis,
            "http_port": http_port,
            "recent": list(self.recent),
        }

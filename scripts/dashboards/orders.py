"""Orders and risk: what was sent, denied and filled, positions, PnL, limits, the kill switch."""

from __future__ import annotations

from scripts.dashboards.views import LATENCY, SELECT, Board, Query, View, levels, rates, tail

_ORDERS = [
    View(
        "Signals, orders, fills",
        "Read, sent, filled, cancelled or expired.",
        "ops",
        rates(
            ("oms_signals_total", "", "signals"),
            ("oms_orders_total", "side", "orders {{side}}"),
            ("oms_fills_total", "side", "fills {{side}}"),
            ("oms_cancels_total", "", "cancelled or expired"),
        ),
    ),
    View(
        "Denied and rejected",
        "By code; the codes stand in services/oms/README.md.",
        "ops",
        rates(("oms_order_rejects_total", "reason", "{{reason}}")),
        alerts=("OmsRejectRatio",),
    ),
    View("Open orders", "At the venue.", "none", levels(("oms_open_orders", "", "open"))),
    View(
        "UDP to order",
        "From the scheduled send of a message to the order sent because of it.",
        "s",
        tail(LATENCY, ',path="order"'),
    ),
    View(
        "What may not happen",
        "Order transitions refused, intents that came again, differences from the venue's own log.",
        "ops",
        rates(
            ("oms_illegal_transitions_total", "", "illegal transitions"),
            ("oms_duplicate_intents_total", "", "duplicate intents"),
            ("oms_reconcile_mismatches_total", "", "mismatches"),
        ),
        alerts=("OmsReconcileMismatch",),
    ),
    View(
        "Kill switch",
        "On: no order leaves.",
        "bool_on_off",
        (Query(f"max by (instance) (oms_kill_switch_active{{{SELECT}}})", "kill switch"),),
        "states",
        red_above=1.0,
        alerts=("OmsKillSwitch",),
    ),
]

_RISK = [
    View(
        "PnL",
        "Of the paper venue, in the quote currency.",
        "currencyUSD",
        (Query(f"oms_pnl_usd{{{SELECT}}}", "{{kind}}"),),
    ),
    View(
        "Exposure",
        "Gross and net, in the quote currency.",
        "currencyUSD",
        (Query(f"oms_position_notional_usd{{{SELECT}}}", "{{kind}}"),),
    ),
    View(
        "Limits used",
        "Share of each limit; at 1 orders are denied.",
        "percentunit",
        (Query(f"oms_risk_limit_used_ratio{{{SELECT}}}", "{{limit}}"),),
        red_above=0.9,
        alerts=("OmsRiskLimit",),
    ),
]

BOARD = Board("crossbook-orders", "Crossbook: orders and risk", {"Orders": _ORDERS, "Risk": _RISK})

"""Is it healthy, in one look."""

from __future__ import annotations

from scripts.dashboards.views import GOAL_S, LATENCY, SELECT, Board, Query, View, level, quantile, rate, rates, tail

_SIGNAL = ',path="signal"'
_NO_ALERT = 'label_replace(vector(0), "alertname", "none", "", "")'


def _stat(title: str, says: str, unit: str, expression: str, **more: object) -> View:
    return View(title, says, unit, (Query(expression),), "stat", 4)._replace(**more)  # type: ignore[arg-type]


_HEALTH = [
    _stat(
        "Pages firing",
        "Alerts of severity page. Each has a page in prometheus/runbooks.",
        "none",
        'sum(ALERTS{alertstate="firing",severity="page"}) or vector(0)',
        red_above=1.0,
    ),
    _stat(
        "Services ready",
        "Services that say they do their work, of those that were there in the last hour.",
        "percentunit",
        f"sum(md_ready{{{SELECT}}}) / count(max_over_time(up{{{SELECT}}}[1h]) == 1)",
        red_below=1.0,
        alerts=("MdTargetDown", "MdNotReady"),
    ),
    _stat(
        "Valid books",
        "Books without a gap, mute or halt, of all that the feed spoke of.",
        "percentunit",
        f"{level('md_valid_books')} / {level('md_active_symbols')}",
        red_below=0.9,
    ),
    _stat(
        "Updates a second",
        "Level changes and trades applied, over all channels.",
        "ops",
        rate("md_messages_total"),
    ),
    _stat(
        "Lost in 5 min",
        "Messages that were sent and never applied. A percentile means nothing where this is not 0.",
        "none",
        f"sum(increase(md_messages_lost_total{{{SELECT}}}[5m]))",
        red_above=1.0,
        alerts=("MdUnrecoveredLoss",),
    ),
    _stat(
        "Ledger checks failed",
        "Heartbeats at which the ledger of a channel did not balance, in 5 min: a message is unaccounted for.",
        "none",
        f"sum(increase(md_ledger_checks_failed_total{{{SELECT}}}[5m]))",
        red_above=1.0,
        alerts=("MdLedgerBroken",),
    ),
    *(
        _stat(
            f"UDP to signal, p{label}",
            "From the scheduled send of a message to the signal made of it; the line is 5 ms.",
            "s",
            quantile(q, LATENCY, more=_SIGNAL),
            red_above=GOAL_S,
        )
        for q, label in ((0.5, "50"), (0.99, "99"), (0.999, "99.9"))
    ),
    _stat(
        "Crossed symbols",
        "Symbols whose consolidated best bid stands above the best ask.",
        "none",
        f'sum(md_nbbo_symbols{{{SELECT},state=~"crossed.*"}})',
        alerts=("MdNbboCrossed",),
    ),
    _stat(
        "PnL",
        "Realised and unrealised, less fees, of the paper venue; in the quote currency.",
        "currencyUSD",
        f'sum(oms_pnl_usd{{{SELECT},kind=~"realised|unrealised"}}) - sum(oms_pnl_usd{{{SELECT},kind="fees"}})',
    ),
    _stat(
        "Kill switch",
        "1: no order leaves. GET /risk of the oms says who switched it and why.",
        "bool_on_off",
        f"max(oms_kill_switch_active{{{SELECT}}})",
        red_above=1.0,
        alerts=("OmsKillSwitch",),
    ),
]

_NOW = [
    View(
        "UDP to signal",
        "From the scheduled send of a message to the signal made of it; the line is the goal of 5 ms.",
        "s",
        tail(LATENCY, _SIGNAL),
        width=12,
        red_above=GOAL_S,
        alerts=("MdE2eBudgetBurnFast", "MdE2eBudgetBurnSlow"),
    ),
    View(
        "Updates by exchange",
        "Level changes and trades applied. A venue that stops shows here first.",
        "ops",
        rates(("md_messages_total", "exchange", "{{exchange}}")),
        width=12,
    ),
    View(
        "Loss and repair",
        "Holes seen, what closed them, and messages that never came.",
        "ops",
        rates(
            ("md_messages_lost_total", "", "lost"),
            ("md_sequence_gaps_total", "", "gaps"),
            ("md_holes_healed_total", "by", "healed by {{by}}"),
        ),
    ),
    View(
        "NBBO",
        "Symbols by the state of their consolidated quote.",
        "none",
        (Query(level("md_nbbo_symbols", "state"), "{{state}}"),),
    ),
    View(
        "Signals, orders, fills",
        "Emitted, sent, filled, and denied or rejected.",
        "ops",
        rates(
            ("sig_signals_total", "", "signals"),
            ("oms_orders_total", "", "orders"),
            ("oms_fills_total", "", "fills"),
            ("oms_order_rejects_total", "", "denied or rejected"),
        ),
    ),
    View(
        "Ready",
        "Services that say they do their work.",
        "bool_yes_no",
        (Query(f"max by (job) (md_ready{{{SELECT}}})", "{{job}}"),),
        "states",
        12,
        red_below=1.0,
    ),
    View(
        "Alerts firing",
        "By name; prometheus/runbooks has a page for each.",
        "none",
        (Query(f'sum by (alertname) (ALERTS{{alertstate="firing"}}) or {_NO_ALERT}', "{{alertname}}"),),
        "states",
        12,
        red_above=1.0,
    ),
]

BOARD = Board("crossbook-overview", "Crossbook: overview", {"Health": _HEALTH, "Now": _NOW})

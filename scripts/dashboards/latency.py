"""How long each stage takes, where the tail comes from, and what the host did meanwhile."""

from __future__ import annotations

from scripts.dashboards.views import (
    BUDGET_S,
    GOAL_S,
    LATENCY,
    RATE,
    SELECT,
    Board,
    Query,
    View,
    heat,
    quantile,
    rate,
    tail,
)

_STAGES = ',path!~"heal.*|conflation_age"'

_QUANTILES = [
    View(
        f"Latency by stage, p{label}",
        "Cumulative, from the scheduled send of a message to the end of the stage.",
        "s",
        (Query(quantile(q, LATENCY, "path", _STAGES), "{{path}}", exemplars=label == "99"),),
        red_above=BUDGET_S,
        alerts=("MdE2eBudgetBurnFast", "MdE2eBudgetBurnSlow"),
    )
    for q, label in ((0.5, "50"), (0.99, "99"), (0.999, "99.9"))
]

_HEAT = [
    heat("UDP to kernel", "wire", "From the scheduled send to the kernel's time stamp: the sender and the path."),
    heat("UDP to book", "book", "From the scheduled send to the completed event: decoding, sequencing, ring and book."),
    heat("UDP to features", "features", "To features and NBBO of the event."),
    heat("UDP to Redis", "publish", "To the answer of Redis."),
    heat("UDP to signal", "signal", "All signals: a stall shows here even where a percentile hides it."),
    heat("UDP to order", "order", "All orders, from the scheduled send of the message that caused them."),
]

_TAIL = [
    View(
        "The last 10 s, to the tail",
        "Quantiles of an HDR histogram, exact to 3 %; 1 is the longest. The worst packet of each window is an exemplar "
        "of the panels above (sequence, book), and stands in crossbook status.",
        "s",
        (Query(f'max by (quantile) (md_latency_window_seconds{{{SELECT},path="book"}})', "to book, {{quantile}}"),),
    ),
    View(
        "The longest of the last 10 s",
        "By stage. One stall of any thread is seen here, however rare.",
        "s",
        (Query(f'max by (path) (md_latency_window_seconds{{{SELECT},quantile="1"}})', "{{path}}"),),
    ),
    View(
        "The longest since the start",
        "By stage; a first compilation or a start under load stays in it.",
        "s",
        (Query(f"max by (path) ({LATENCY.replace('_seconds', '_max_seconds')}{{{SELECT}}})", "{{path}}"),),
    ),
    View(
        "Slower than 50 ms",
        "Share of updates; one in a thousand is the budget.",
        "percentunit",
        (
            Query("path:md_e2e_slow:ratio_rate5m", "{{path}} 5 min"),
            Query("path:md_e2e_slow:ratio_rate1h", "{{path}} 1 h"),
        ),
        red_above=0.001,
        alerts=("MdE2eBudgetBurnFast", "MdE2eBudgetBurnSlow"),
    ),
    View(
        "Age of what was conflated",
        "From the scheduled send of the oldest event in a published row.",
        "s",
        tail(LATENCY, ',path="conflation_age"'),
    ),
    View(
        "Negative latencies",
        "Messages that came before their scheduled send: two clocks differ. They are in no percentile.",
        "ops",
        (Query(rate("md_negative_latency_total", "path"), "{{path}}"),),
        alerts=("MdNegativeLatency",),
    ),
]

_CAUSES = [
    View(
        "Sender late",
        "Actual minus scheduled send: above 1 ms the sender, and not the pipe, was slow.",
        "s",
        tail("replay_schedule_lag_seconds"),
        red_above=0.001,
        alerts=("ReplayLate",),
    ),
    View(
        "Feeder: receive to multicast",
        "From the venue's message to its datagram.",
        "s",
        tail("feeder_latency_seconds"),
        red_above=0.001,
    ),
    View(
        "Garbage collector, p99",
        "Pauses; a heap that was frozen at the start pays for little.",
        "s",
        (Query(quantile(0.99, "md_gc_pause_seconds", "job"), "{{job}}"),),
        red_above=GOAL_S,
        alerts=("MdGcPause",),
    ),
    View(
        "Main loop late, p99",
        "How late a service came to its report of every 0.2 s: short of CPU, or a long call.",
        "s",
        (Query(quantile(0.99, "md_loop_lag_seconds", "job"), "{{job}}"),),
    ),
    View(
        "CPU time stolen",
        "Cores' worth that the hypervisor gave to others.",
        "percentunit",
        (Query(f"max(rate(md_host_steal_seconds_total{{{SELECT}}}[{RATE}]))", "stolen"),),
        alerts=("MdHostSteal",),
    ),
    View(
        "Clock",
        "The kernel's bound of its error. Between two hosts a latency below it means nothing.",
        "s",
        (Query(f"max(md_clock_max_error_seconds{{{SELECT}}})", "largest error"),),
    ),
    View(
        "Clock synchronised",
        "By the kernel's own word (adjtimex).",
        "bool_yes_no",
        (Query(f"min(md_clock_synchronised{{{SELECT}}})", "synchronised"),),
        "states",
        24,
        red_below=1.0,
        alerts=("MdClockUnsynchronised",),
    ),
]

BOARD = Board(
    "crossbook-latency",
    "Crossbook: latency",
    {"Quantiles": _QUANTILES, "Heatmaps": _HEAT, "The tail": _TAIL, "What it comes from": _CAUSES},
)

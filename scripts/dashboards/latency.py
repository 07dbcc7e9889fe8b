"""The first dashboard: is it up, how fast, how much, what was lost, and what came of it."""

from __future__ import annotations

from scripts.dashboards.panels import SELECT, Query, View, quantile, rate

UID = "crossbook-latency"
TITLE = "Crossbook: latency and throughput"

_LATENCY = "md_e2e_latency_seconds"

_HEALTH = [
    View("Targets up", "Services that answered the last scrape.", "none", (Query(f"sum(up{{{SELECT}}})"),), "stat", 4),
    View(
        "Messages a second",
        "HFTP messages received over all channels.",
        "ops",
        (Query(rate("md_messages_total")),),
        "stat",
        4,
    ),
    View(
        "Lost in 5 min",
        "Messages that were sent and never applied. A percentile means nothing where this is not 0.",
        "none",
        (Query(f"sum(increase(md_messages_lost_total{{{SELECT}}}[5m]))"),),
        "stat",
        4,
        1,
    ),
    View(
        "UDP to signal, p50",
        "From the scheduled send to the signal.",
        "s",
        (Query(quantile(0.5, _LATENCY, more=',path="wire_to_signal"')),),
        "stat",
        4,
        0.005,
    ),
]

ROWS: dict[str, list[View]] = {"Health": _HEALTH}

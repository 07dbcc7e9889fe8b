"""The first dashboard: is it up, how fast, how much, what was lost, and what came of it."""

from __future__ import annotations

from scripts.dashboards.panels import RATE, SELECT, Query, View, quantile, rate

UID = "crossbook-latency"
TITLE = "Crossbook: latency and throughput"

LATENCY = "md_e2e_latency_seconds"
STAGES = ',path!~"heal.*|conflation_age"'


def _level(metric: str, by: str = "") -> str:
    return f"sum{f' by ({by})' if by else ''} ({metric}{{{SELECT}}})"


_HEALTH = [
    View("Targets up", "Services that answered the last scrape.", "none", (Query(_level("up")),), "stat", 4),
    View(
        "Updates a second",
        "Level changes and trades applied, over all channels.",
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
        "From the scheduled send of a message to the signal made of it.",
        "s",
        (Query(quantile(0.5, LATENCY, more=',path="signal"')),),
        "stat",
        4,
        0.005,
    ),
    View(
        "UDP to order, p99",
        "From the scheduled send of a message to the order sent because of it.",
        "s",
        (Query(quantile(0.99, LATENCY, more=',path="order"')),),
        "stat",
        4,
    ),
    View(
        "Crossed books",
        "Symbols whose consolidated best bid stands above the best ask.",
        "none",
        (Query(f'sum(md_nbbo_symbols{{{SELECT},state=~"crossed.*"}})'),),
        "stat",
        4,
    ),
]

_LATENCY_ROW = [
    View(
        f"Latency by stage, p{label}",
        "Cumulative, from the scheduled send of a message to the end of the stage.",
        "s",
        (Query(quantile(q, LATENCY, "path", STAGES), "{{path}}"),),
        width=8,
    )
    for q, label in ((0.5, "50"), (0.99, "99"), (0.999, "99.9"))
] + [
    View(
        "UDP to signal",
        "All signals' latencies: a stall shows here even where a percentile hides it.",
        "s",
        (Query(f'sum by (le) (rate({LATENCY}_bucket{{{SELECT},path="signal"}}[{RATE}]))', "{{le}}"),),
        "heatmap",
    ),
    View(
        "Age of what was conflated, p99",
        "From the scheduled send of the oldest event in a published row.",
        "s",
        (Query(quantile(0.99, LATENCY, more=',path="conflation_age"'), "conflation age"),),
        width=6,
    ),
    View(
        "Sender late, p99",
        "Actual minus scheduled send: above 1 ms the sender, and not the pipe, was slow.",
        "s",
        (Query(quantile(0.99, "replay_schedule_lag_seconds"), "sender late"),),
        width=6,
        red_above=0.001,
    ),
]

_THROUGHPUT = [
    View(
        "Updates by exchange",
        "Level changes and trades applied.",
        "ops",
        (Query(rate("md_messages_total", "exchange, type"), "{{exchange}} {{type}}"),),
    ),
    View(
        "Messages by channel",
        "HFTP messages received.",
        "ops",
        (Query(rate("md_messages_received_total", "channel"), "{{channel}}"),),
    ),
    View(
        "Datagrams by line",
        "The two lines must keep step.",
        "pps",
        (Query(rate("md_packets_received_total", "line"), "line {{line}}"),),
        width=8,
    ),
    View(
        "Bytes by line",
        "As received.",
        "Bps",
        (Query(rate("md_received_bytes_total", "line"), "line {{line}}"),),
        width=8,
    ),
    View(
        "Published",
        "Records written to Redis Streams.",
        "ops",
        (Query(rate("md_redis_publish_total", "stream"), "{{stream}}"),),
        width=8,
    ),
]

_LOSS = [
    View(
        "Loss and repair",
        "Gaps seen, messages never recovered, duplicates of the other line.",
        "ops",
        (
            Query(rate("md_messages_lost_total", "channel"), "lost {{channel}}"),
            Query(rate("md_sequence_gaps_total", "channel"), "gaps {{channel}}"),
            Query(rate("md_holes_healed_total", "by"), "healed by {{by}}"),
        ),
    ),
    View(
        "Refused",
        "Messages that were not applied, by reason.",
        "ops",
        (
            Query(rate("md_messages_refused_total", "reason"), "{{reason}}"),
            Query(rate("md_decode_errors_total", "reason"), "malformed {{reason}}"),
        ),
    ),
    View(
        "Time to heal",
        "How long holes were open: until a line or recovery filled them, or every book had its snapshot.",
        "s",
        tuple(
            Query(quantile(q, LATENCY, "path", ',path=~"heal_by_line|heal_by_snapshot"'), f"{{{{path}}}} p{label}")
            for q, label in ((0.5, "50"), (0.99, "99"))
        ),
        width=8,
    ),
    View(
        "Lines beside each other",
        "Scheduled send to kernel, averaged; a line that lags or falls silent shows here first.",
        "s",
        (Query(f"max by (line) (md_line_transit_seconds{{{SELECT}}})", "line {{line}}"),),
        width=8,
    ),
    View(
        "Silent or lagging lines",
        "Channels whose line brings nothing while the other one speaks, or brings everything 5 ms later.",
        "none",
        (
            Query(f"sum by (line) (md_line_silent{{{SELECT}}})", "silent {{line}}"),
            Query(f"sum by (line) (md_line_lagging{{{SELECT}}})", "lagging {{line}}"),
        ),
        width=8,
    ),
    View(
        "Dropped",
        "By the socket, by a ring, before Redis.",
        "ops",
        (
            Query(rate("md_socket_drops_total", "line"), "socket {{line}}"),
            Query(rate("md_ring_dropped_total", "ring"), "ring {{ring}}"),
            Query(rate("md_redis_dropped_total", "stream"), "redis {{stream}}"),
        ),
        width=8,
    ),
    View(
        "Ring fill",
        "Slots in use of those that are there, and the highest since the start.",
        "percentunit",
        (
            Query(f"md_ring_occupancy_items{{{SELECT}}} / md_ring_capacity_items{{{SELECT}}}", "{{ring}}"),
            Query(f"md_ring_high_watermark_items{{{SELECT}}} / md_ring_capacity_items{{{SELECT}}}", "{{ring}} highest"),
        ),
        width=8,
    ),
    View(
        "Books",
        "Books that are listed, valid, and stale.",
        "none",
        (
            Query(_level("md_active_symbols"), "listed"),
            Query(_level("md_valid_books"), "valid"),
            Query(_level("md_stale_symbols"), "stale"),
        ),
        width=8,
    ),
]

_DECISIONS = [
    View(
        "Signals",
        "Emitted, by side.",
        "ops",
        (Query(rate("sig_signals_total", "model, side"), "{{side}} {{model}}"),),
        width=6,
    ),
    View(
        "Rows without a signal",
        "Feature rows that gave no prediction, by reason.",
        "ops",
        (Query(rate("sig_skipped_total", "reason"), "{{reason}}"),),
        width=6,
    ),
    View(
        "Orders and fills",
        "Sent and filled, and what was denied or rejected, by code.",
        "ops",
        (
            Query(rate("oms_orders_total"), "orders"),
            Query(rate("oms_fills_total"), "fills"),
            Query(rate("oms_order_rejects_total", "reason"), "{{reason}}"),
        ),
        width=6,
    ),
    View(
        "PnL",
        "From the fills of the paper venue, in the quote currency.",
        "none",
        (Query(f"oms_pnl_usd{{{SELECT}}}", "{{kind}}"),),
        width=6,
    ),
]

_PROCESS = [
    View("CPU", "Cores in use.", "none", (Query(f"rate(process_cpu_seconds_total{{{SELECT}}}[{RATE}])", "{{job}}"),)),
    View("Memory", "Resident.", "bytes", (Query(f"process_resident_memory_bytes{{{SELECT}}}", "{{job}}"),)),
]

ROWS: dict[str, list[View]] = {
    "Health": _HEALTH,
    "Latency": _LATENCY_ROW,
    "Throughput": _THROUGHPUT,
    "Loss and fill": _LOSS,
    "Decisions": _DECISIONS,
    "Processes": _PROCESS,
}

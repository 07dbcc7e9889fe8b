"""What arrives, by channel and line: rates, holes and how they heal, refusals, drops, senders and venues."""

from __future__ import annotations

from scripts.dashboards import senders
from scripts.dashboards.views import LATENCY, SELECT, Board, Query, View, levels, quantile, rates

_ARRIVES = [
    View(
        "Datagrams by channel and line",
        "The two lines must keep step.",
        "pps",
        rates(("md_packets_received_total", "channel, line", "{{channel}} {{line}}")),
        alerts=("MdFeedSilent", "MdLineDivergence"),
    ),
    View("Bytes by line", "As received.", "Bps", rates(("md_received_bytes_total", "line", "line {{line}}"))),
    View(
        "Messages by channel",
        "Read with a sequence, and applied: two lines bring everything twice.",
        "ops",
        rates(
            ("md_messages_received_total", "channel", "{{channel}} read"),
            ("md_messages_applied_total", "channel", "{{channel}} applied"),
        ),
    ),
    View(
        "Duplicates and latecomers",
        "What the other line had brought, and what came after it was given up.",
        "ops",
        rates(
            ("md_duplicate_messages_total", "channel", "{{channel}} twice"),
            ("md_late_messages_total", "channel", "{{channel}} late"),
        ),
    ),
    View(
        "Heartbeats and ledger checks",
        "At each heartbeat the ledger of its channel is checked.",
        "ops",
        rates(
            ("md_heartbeats_total", "channel", "{{channel}}"),
            ("md_ledger_checks_total", "", "checks"),
            ("md_ledger_checks_failed_total", "", "failed"),
        ),
        alerts=("MdLedgerBroken",),
    ),
    View(
        "Sessions",
        "A sender that starts again begins one; messages of another are refused.",
        "ops",
        (
            *levels(("md_session_open", "", "open")),
            *rates(
                ("md_sessions_total", "channel", "{{channel}} begun"),
                ("md_foreign_session_total", "channel", "{{channel}} foreign"),
                ("md_sequence_back_total", "channel", "{{channel}} went back"),
                ("md_other_channel_messages_total", "", "left to others"),
            ),
        ),
    ),
]

_HEALING = [
    View(
        "Holes and loss",
        "Holes in the sequence, and messages given up.",
        "ops",
        rates(
            ("md_sequence_gaps_total", "channel", "{{channel}} holes"),
            ("md_messages_lost_total", "channel", "{{channel}} lost"),
        ),
        alerts=("MdUnrecoveredLoss", "MdGapsRecovered"),
    ),
    View(
        "Healing path",
        "What closed holes: the other line, retransmission, a snapshot, or the feed's own refresh.",
        "ops",
        rates(("md_holes_healed_total", "by", "{{by}}"), ("md_requested_ranges_total", "", "ranges asked for")),
    ),
    View(
        "Time to heal",
        "How long holes were open: until a line or recovery filled them, or every book had its snapshot.",
        "s",
        tuple(
            Query(quantile(q, LATENCY, "path", ',path=~"heal_by_line|heal_by_snapshot"'), f"{{{{path}}}} p{label}")
            for q, label in ((0.5, "50"), (0.99, "99"))
        ),
    ),
    View(
        "Recovery",
        "Requests of ranges and snapshots, and how they were answered.",
        "ops",
        rates(
            ("md_recovery_requests_total", "kind", "asked {{kind}}"),
            ("md_recovery_answers_total", "status", "answered {{status}}"),
            ("md_messages_recovered_total", "", "messages"),
            ("md_snapshots_recovered_total", "", "snapshots"),
        ),
    ),
    View(
        "Recovery in trouble",
        "Answers not believed or not in time, connections lost.",
        "ops",
        rates(
            ("md_recovery_refused_total", "reason", "refused {{reason}}"),
            ("md_recovery_dropped_total", "reason", "dropped {{reason}}"),
            ("md_recovery_timeouts_total", "", "late"),
            ("md_recovery_disconnects_total", "", "disconnected"),
        ),
    ),
    View(
        "Recovery servers",
        "Configured and connected.",
        "none",
        levels(("md_recovery_servers", "state", "{{state}}")),
        alerts=("MdRecoveryDown",),
    ),
]

_LINES = [
    View(
        "Lines beside each other",
        "Scheduled send to kernel, averaged; a line that lags or falls silent shows here first.",
        "s",
        (Query(f"max by (line) (md_line_transit_seconds{{{SELECT}}})", "line {{line}}"),),
    ),
    View(
        "First by line",
        "Messages that a line brought before the other.",
        "ops",
        rates(("md_line_first_messages_total", "line", "line {{line}}")),
    ),
    View(
        "Silent or lagging lines",
        "Channels whose line brings nothing while the other one speaks, or everything 5 ms later.",
        "none",
        (
            *levels(("md_line_silent", "line", "silent {{line}}"), ("md_line_lagging", "line", "lagging {{line}}")),
            *rates(("md_line_silences_total", "line", "silences/s {{line}}")),
        ),
        alerts=("MdLineSilent",),
    ),
]

_DROPS = [
    View(
        "Dropped by kernel and ring",
        "Datagrams that found the socket full, messages that found a ring full.",
        "ops",
        rates(("md_socket_drops_total", "line", "socket {{line}}"), ("md_ring_dropped_total", "ring", "ring {{ring}}")),
        alerts=("MdSocketDrops", "MdRingDrops"),
    ),
    View(
        "Socket",
        "Bytes that wait, of what the kernel granted.",
        "bytes",
        levels(
            ("md_socket_receive_queue_bytes", "line", "waiting {{line}}"),
            ("md_socket_receive_buffer_bytes", "line", "granted {{line}}"),
        ),
        alerts=("MdSocketQueueFill",),
    ),
    View(
        "Ring fill",
        "Slots in use of those that are there, and the highest since the start.",
        "percentunit",
        (
            Query(f"md_ring_occupancy_items{{{SELECT}}} / md_ring_capacity_items{{{SELECT}}}", "{{ring}}"),
            Query(f"md_ring_high_watermark_items{{{SELECT}}} / md_ring_capacity_items{{{SELECT}}}", "{{ring}} highest"),
        ),
        red_above=0.5,
        alerts=("MdRingFill",),
    ),
    View(
        "Refused",
        "Messages that were not applied, by reason.",
        "ops",
        rates(("md_messages_refused_total", "reason", "{{reason}}")),
    ),
    View(
        "Malformed",
        "Datagrams whose bytes make no sense, by reason.",
        "ops",
        rates(("md_decode_errors_total", "reason", "{{reason}}")),
        alerts=("MdDecodeErrors",),
    ),
    View(
        "Pending",
        "Messages held, in rings, or in an open event: returns to 0 when the sender pauses.",
        "none",
        levels(("md_messages_pending", "channel", "{{channel}}")),
    ),
]

BOARD = Board(
    "crossbook-feed",
    "Crossbook: feed",
    {
        "What arrives": _ARRIVES,
        "Holes and healing": _HEALING,
        "Lines": _LINES,
        "Drops and refusals": _DROPS,
        "The replay": senders.REPLAY,
        "The feeder": senders.FEEDER,
    },
)

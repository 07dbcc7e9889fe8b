"""Rows of the feed's dashboard: who sends. The replay, and the feeder with its venues."""

from __future__ import annotations

from scripts.dashboards.views import SELECT, Query, View, level, levels, rate, rates


def _recovery(sender: str, width: int) -> View:
    """Return the panel of a sender's recovery server, whose metrics bear its name."""
    return View(
        f"{sender.capitalize()}: recovery server",
        "Requests by what they wanted and got, messages sent again, connections.",
        "ops",
        (
            *rates(
                (f"{sender}_recovery_requests_total", "kind, status", "{{kind}} {{status}}"),
                (f"{sender}_recovery_messages_total", "", "messages"),
                (f"{sender}_recovery_connections_total", "outcome", "connections {{outcome}}"),
            ),
            *levels((f"{sender}_recovery_open_connections", "", "connected")),
        ),
        width=width,
    )


REPLAY = [
    View(
        "Replay",
        "What is offered, and what was sent.",
        "ops",
        (
            Query(level("replay_target_packets_per_second"), "offered"),
            *rates(
                ("replay_sent_messages_total", "", "messages"),
                ("replay_sent_packets_total", "", "datagrams"),
                ("replay_heartbeats_total", "", "heartbeats"),
            ),
        ),
    ),
    View("Replay: bytes", "As sent.", "Bps", rates(("replay_sent_bytes_total", "channel", "{{channel}}"))),
    View(
        "Replay: faults and trouble",
        "What was injected on purpose, refused by the kernel, or could not be read.",
        "ops",
        rates(
            ("replay_injected_total", "kind", "injected {{kind}}"),
            ("replay_send_errors_total", "", "not sent"),
            ("replay_bad_lines_total", "", "bad lines"),
        ),
    ),
    _recovery("replay", 12),
    View(
        "Recovery servers: bytes",
        "Over the connections of receivers.",
        "Bps",
        rates(
            ("replay_recovery_bytes_total", "direction", "replay {{direction}}"),
            ("feeder_recovery_bytes_total", "direction", "feeder {{direction}}"),
        ),
        width=12,
    ),
]

FEEDER = [
    View(
        "Books synchronised",
        "With a snapshot and no gap since, of those that are wanted.",
        "none",
        levels(("feeder_synchronised_symbols", "feed", "{{feed}}"), ("feeder_symbols", "feed", "{{feed}} wanted")),
        alerts=("FeederNotSynchronised",),
    ),
    View(
        "Connections",
        "Open, and without a sign of life.",
        "none",
        levels(
            ("feeder_open_connections", "feed", "{{feed}} open"), ("feeder_mute_connections", "feed", "{{feed}} mute")
        ),
        alerts=("FeederMute",),
    ),
    View(
        "Quiet for",
        "Since the longest quiet connection's last message.",
        "s",
        (Query(f"max by (feed) (feeder_quiet_seconds{{{SELECT}}})", "{{feed}}"),),
    ),
    View(
        "Messages of venues",
        "Read and taken in, by feed.",
        "ops",
        (Query(rate("feeder_core_events_total", "feed", ',event="messages"'), "{{feed}}"),),
    ),
    View(
        "What the cores counted",
        "Over all feeds: level changes, trades, snapshots, gaps, resyncs, checksums.",
        "ops",
        rates(("feeder_core_events_total", "event", "{{event}}")),
    ),
    View(
        "Gaps of venues",
        "Gaps, resyncs, wrong checksums and refused messages, by feed.",
        "ops",
        (
            Query(
                rate("feeder_core_events_total", "feed", ',event=~"gap|trade_gap|resync|checksum_bad|refused"'),
                "{{feed}}",
            ),
        ),
        alerts=("FeederGaps",),
    ),
    View(
        "Feeder: events",
        "Connections opened, refused and closed; REST by outcome; messages refused, waits, mutes.",
        "ops",
        rates(
            ("feeder_connections_total", "event", "connections {{event}}"),
            ("feeder_rest_requests_total", "status", "REST {{status}}"),
            ("feeder_events_total", "event", "{{event}}"),
            ("feeder_inbox_waits_total", "", "inbox full"),
            ("feeder_cut_snapshots_total", "", "snapshots cut"),
        ),
        alerts=("FeederBehind",),
    ),
    View(
        "Feeder: sent",
        "Messages, datagrams, heartbeats, and what the kernel refused.",
        "ops",
        rates(
            ("feeder_sent_messages_total", "channel", "{{channel}} messages"),
            ("feeder_sent_packets_total", "", "datagrams"),
            ("feeder_heartbeats_total", "", "heartbeats"),
            ("feeder_send_errors_total", "", "not sent"),
        ),
    ),
    View(
        "Feeder: inbox",
        "Messages read and not yet parsed, and the most there ever were.",
        "none",
        levels(("feeder_inbox_items", "", "waiting"), ("feeder_inbox_high_water_items", "", "most")),
    ),
    View(
        "Feeder: bytes",
        "Sent, and waiting in the inbox.",
        "bytes",
        (*rates(("feeder_sent_bytes_total", "", "sent/s")), *levels(("feeder_inbox_bytes", "", "inbox"))),
    ),
    View(
        "Feeder: raw messages",
        "Kept on disk, dropped, failed; 0 where raw_dir is empty.",
        "ops",
        rates(("feeder_raw_total", "event", "{{event}}")),
        width=16,
    ),
    _recovery("feeder", 24),
]

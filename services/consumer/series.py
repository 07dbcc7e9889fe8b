"""Every series that the consumer exports."""

from __future__ import annotations

from libs.engine.slots import REFUSALS
from libs.market.exchanges import EXCHANGES
from libs.nbbo.arbitrage import OPENED, PHASES
from libs.nbbo.states import EXCLUSIONS, NOT_VALID, STATES
from libs.sequencing import state as seq
from libs.streams.schemas import SCHEMAS
from libs.telemetry.pulse import with_pulse
from libs.telemetry.segment import Series
from libs.wire.kernels import REASONS

LINES = ("A", "B")
PATHS = ("wire", "heal_by_line", "book", "features", "heal_by_snapshot", "publish", "conflation_age")
"""Labels of the HDR rows, in the order in which the threads own them: receive, book, publisher."""


def series() -> list[Series]:
    """Return every series that the consumer exports."""
    found = [Series("md_e2e_latency_seconds", {"path": path}) for path in PATHS]
    for exchange in EXCHANGES:
        label = {"channel": exchange}
        found += [Series(name, label | {"line": line}) for name in _LINE_SERIES for line in LINES]
        found += [Series(name, label) for name in CHANNEL_COUNTERS]
        found += [Series("md_messages_refused_total", label | {"reason": reason}) for reason in REFUSALS]
        found += [
            Series("md_holes_healed_total", label | {"by": by}) for by in ("line", "retransmission", "snapshot", "feed")
        ]
        found += [Series("md_messages_total", {"exchange": exchange, "type": kind}) for kind in ("book_level", "trade")]
        found += [Series(name, {"exchange": exchange}) for name in ("md_book_updates_total", "md_crossed_events_total")]
        found += [Series(name, {"exchange": exchange}) for name in _EXCHANGE_GAUGES]
        found.append(Series("md_messages_pending", label))
        found += [Series(name, {"ring": exchange}) for name in _RING_GAUGES]
        found.append(Series("md_ring_dropped_total", {"ring": exchange}))
    for line in LINES:
        found += [Series(name, {"line": line}) for name in _SOCKET_SERIES]
    found += [Series("md_decode_errors_total", {"reason": reason}) for reason in _malformed_reasons()]
    found += [
        Series(name, {})
        for name in (
            "md_feature_rows_total",
            "md_feature_rows_cut_total",
            "md_nbbo_updates_total",
            "md_redis_reconnects_total",
        )
    ]
    found += [Series("md_redis_publish_total", {"stream": stream}) for stream in SCHEMAS]
    found += [Series("md_redis_dropped_total", {"stream": stream}) for stream in SCHEMAS]
    found += [
        Series(name, {"state": state}) for name in ("md_nbbo_symbols", "md_nbbo_state_seconds") for state in STATES
    ]
    found += [Series("md_nbbo_excluded", {"reason": reason}) for reason in EXCLUSIONS[NOT_VALID:]]
    found += [Series("md_arbitrage_total", {"phase": phase}) for phase in PHASES[OPENED:]]
    found.append(Series("md_arbitrage_dropped_total", {}))
    found += [Series("md_other_channel_messages_total", {}), Series("md_session_open", {})]
    found += [Series("md_redis_stream_length", {"stream": stream}) for stream in STREAMS]
    found += [Series(name, {}) for name in REDIS_GAUGES]
    return with_pulse(found)


STREAMS = (*SCHEMAS, "signals", "orders", "fills")
REDIS_GAUGES = ("md_redis_memory_bytes", "md_redis_memory_limit_bytes", "md_redis_connected_clients")
_SOCKET_SERIES = (
    "md_received_bytes_total",
    "md_socket_drops_total",
    "md_socket_receive_queue_bytes",
    "md_socket_receive_buffer_bytes",
)
_LINE_SERIES = (
    "md_packets_received_total",
    "md_line_first_messages_total",
    "md_line_silences_total",
    "md_line_silent",
    "md_line_lagging",
    "md_line_transit_seconds",
)
CHANNEL_COUNTERS = {
    "md_messages_received_total": seq.RECEIVED,
    "md_messages_lost_total": seq.LOST,
    "md_duplicate_messages_total": seq.DUPLICATE,
    "md_late_messages_total": seq.LATE,
    "md_sequence_gaps_total": seq.GAPS,
    "md_foreign_session_total": seq.FOREIGN_SESSION,
    "md_sessions_total": seq.SESSIONS,
    "md_heartbeats_total": seq.HEARTBEATS,
    "md_sequence_back_total": seq.SEQUENCE_BACK,
    "md_requested_ranges_total": seq.REQUESTED_RANGES,
    "md_feed_time_back_total": -1,
    "md_messages_applied_total": -1,
    "md_ledger_checks_total": -1,
    "md_ledger_checks_failed_total": -1,
}
_EXCHANGE_GAUGES = ("md_active_symbols", "md_valid_books", "md_stale_symbols", "md_book_last_update_timestamp_seconds")
_RING_GAUGES = ("md_ring_occupancy_items", "md_ring_capacity_items", "md_ring_high_watermark_items")


def _malformed_reasons() -> list[str]:
    return [*REASONS.values(), "foreign_source", "unbelievable_sequence", "foreign_recovery", "text"]

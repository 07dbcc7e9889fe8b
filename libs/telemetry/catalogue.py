"""Every metric that a service may export: name, kind, unit, labels, help, who exports it.

Exporters refuse a metric that is not here, and dashboards and rules are tested against it. Base units; no symbol is
ever a label of a histogram. ``md_e2e_latency_seconds`` runs from the *scheduled* send to the end of the path named.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes
    ----------
    kind : str
        counter, gauge or histogram.
    unit : str
        For people; the name carries the base unit.
    labels : tuple of str
    services : tuple of str
        Who exports it.
    """

    name: str
    kind: str
    unit: str
    labels: tuple[str, ...]
    help: str
    services: tuple[str, ...]


_CONSUMER = ("consumer",)
_REPLAY = ("replay",)
_SIGNALS = ("signals",)
_OMS = ("oms",)
_RECORDER = ("recorder",)
_FEEDER = ("feeder",)
_MEASURED = ("consumer", "signals", "oms")
_READERS = ("signals", "oms")
_ALL = ("replay", "consumer", "signals", "oms", "recorder", "feeder")


def _counter(name: str, unit: str, labels: tuple[str, ...], text: str, services: tuple[str, ...]) -> Metric:
    return Metric(name, "counter", unit, labels, text, services)


def _gauge(name: str, unit: str, labels: tuple[str, ...], text: str, services: tuple[str, ...]) -> Metric:
    return Metric(name, "gauge", unit, labels, text, services)


METRICS: tuple[Metric, ...] = (
    Metric(
        "md_e2e_latency_seconds",
        "histogram",
        "seconds",
        ("path",),
        "Time from the scheduled send to the end of the path",
        _MEASURED,
    ),
    _gauge("md_e2e_latency_max_seconds", "seconds", ("path",), "The longest since the start", _MEASURED),
    _gauge("md_latency_window_seconds", "seconds", ("path", "quantile"), "Quantiles of the last 10 s", _MEASURED),
    _counter("md_negative_latency_total", "events", ("path",), "Times before the scheduled send", _MEASURED),
    Metric("replay_schedule_lag_seconds", "histogram", "seconds", (), "Actual minus scheduled send", _REPLAY),
    # What every service says of itself.
    _gauge("md_ready", "0/1", (), "1 while the service does its work", _ALL),
    _gauge("md_build_info", "1", ("version",), "1; the label says which version runs", _ALL),
    Metric("md_gc_pause_seconds", "histogram", "seconds", (), "Pauses of the garbage collector", _ALL),
    Metric("md_loop_lag_seconds", "histogram", "seconds", (), "How late the main loop came to its report", _ALL),
    _counter("md_thread_cpu_seconds_total", "seconds", ("thread",), "CPU time by name of the thread", _ALL),
    _counter("md_log_suppressed_total", "lines", (), "Log lines left out because they repeated", _ALL),
    # The host, said by one service of it.
    _counter("md_host_steal_seconds_total", "seconds", (), "CPU time that the hypervisor gave to others", _CONSUMER),
    _gauge("md_clock_synchronised", "0/1", (), "1 while the kernel's clock is synchronised", _CONSUMER),
    _gauge("md_clock_max_error_seconds", "seconds", (), "The kernel's bound of the clock's error", _CONSUMER),
    _gauge("md_session_open", "0/1", (), "1 while some channel is in a session", _CONSUMER),
    # What arrives, and what became of it.
    _counter("md_packets_received_total", "datagrams", ("channel", "line"), "Datagrams read", _CONSUMER),
    _counter("md_received_bytes_total", "bytes", ("line",), "Bytes read", _CONSUMER),
    _counter("md_socket_drops_total", "datagrams", ("line",), "Datagrams that the kernel dropped", _CONSUMER),
    _gauge("md_socket_receive_queue_bytes", "bytes", ("line",), "Bytes that wait in the socket", _CONSUMER),
    _gauge("md_socket_receive_buffer_bytes", "bytes", ("line",), "Receive buffer granted", _CONSUMER),
    _counter("md_decode_errors_total", "datagrams", ("reason",), "Datagrams whose bytes make no sense", _CONSUMER),
    _counter("md_messages_received_total", "messages", ("channel",), "Messages read with a sequence", _CONSUMER),
    _counter("md_messages_applied_total", "messages", ("channel",), "Messages applied", _CONSUMER),
    _counter("md_other_channel_messages_total", "messages", (), "Messages of channels left to others", _CONSUMER),
    _counter("md_messages_refused_total", "messages", ("channel", "reason"), "Messages refused", _CONSUMER),
    _counter("md_messages_lost_total", "messages", ("channel",), "Messages given up", _CONSUMER),
    _counter("md_duplicate_messages_total", "messages", ("channel",), "Messages that were here before", _CONSUMER),
    _counter("md_late_messages_total", "messages", ("channel",), "Messages that came after they were lost", _CONSUMER),
    _gauge("md_messages_pending", "messages", ("channel",), "Held, in rings, or in an open event", _CONSUMER),
    _counter("md_sequence_gaps_total", "holes", ("channel",), "Holes opened", _CONSUMER),
    _counter("md_holes_healed_total", "holes", ("channel", "by"), "Holes closed, by what closed them", _CONSUMER),
    _counter("md_foreign_session_total", "messages", ("channel",), "Messages of another session", _CONSUMER),
    _counter("md_sessions_total", "sessions", ("channel",), "Sessions begun", _CONSUMER),
    _counter("md_sequence_back_total", "heartbeats", ("channel",), "Heartbeats that announced too little", _CONSUMER),
    _counter("md_requested_ranges_total", "requests", ("channel",), "Ranges wanted of the recovery server", _CONSUMER),
    _counter("md_line_first_messages_total", "messages", ("channel", "line"), "Messages brought first", _CONSUMER),
    _counter("md_line_silences_total", "silences", ("channel", "line"), "Times that a line fell silent", _CONSUMER),
    _gauge("md_line_silent", "0/1", ("channel", "line"), "1 while a line is silent and the other speaks", _CONSUMER),
    _gauge("md_line_lagging", "0/1", ("channel", "line"), "1 while a line is behind the other", _CONSUMER),
    _gauge("md_line_transit_seconds", "seconds", ("channel", "line"), "Scheduled send to kernel, averaged", _CONSUMER),
    _counter("md_heartbeats_total", "heartbeats", ("channel",), "Heartbeats taken in", _CONSUMER),
    _counter("md_ledger_checks_total", "checks", ("channel",), "Heartbeats at which the ledger was checked", _CONSUMER),
    _counter("md_ledger_checks_failed_total", "checks", ("channel",), "Checks that did not balance", _CONSUMER),
    # Recovery.
    _gauge("md_recovery_servers", "servers", ("state",), "Recovery servers: configured, connected", _CONSUMER),
    _counter("md_recovery_requests_total", "requests", ("kind",), "Requests for ranges and snapshots", _CONSUMER),
    _counter("md_recovery_answers_total", "answers", ("status",), "Answers by what the server says", _CONSUMER),
    _counter("md_recovery_refused_total", "answers", ("reason",), "Answers that were not believed", _CONSUMER),
    _counter("md_recovery_dropped_total", "wants", ("reason",), "Ranges and books that did not come", _CONSUMER),
    _counter("md_recovery_timeouts_total", "requests", (), "Requests without an answer in time", _CONSUMER),
    _counter("md_recovery_disconnects_total", "connections", (), "Connections lost, or not made", _CONSUMER),
    _counter("md_messages_recovered_total", "messages", ("channel",), "Messages that a server gave again", _CONSUMER),
    _counter("md_snapshots_recovered_total", "books", ("channel",), "Snapshots that a server gave", _CONSUMER),
    # Rings and books.
    _gauge("md_ring_occupancy_items", "slots", ("ring",), "Slots in use", _CONSUMER),
    _gauge("md_ring_capacity_items", "slots", ("ring",), "Slots there are", _CONSUMER),
    _gauge("md_ring_high_watermark_items", "slots", ("ring",), "Most slots ever in use", _CONSUMER),
    _counter("md_ring_dropped_total", "messages", ("ring",), "Messages that found the ring full", _CONSUMER),
    _counter("md_messages_total", "updates", ("exchange", "type"), "Level changes and trades applied", _CONSUMER),
    _counter("md_book_updates_total", "events", ("exchange",), "Book events completed", _CONSUMER),
    _counter("md_crossed_events_total", "events", ("exchange",), "Events that left a book crossed", _CONSUMER),
    _gauge("md_active_symbols", "books", ("exchange",), "Books registered", _CONSUMER),
    _gauge("md_valid_books", "books", ("exchange",), "Books that are valid", _CONSUMER),
    _gauge("md_stale_symbols", "books", ("exchange",), "Books that are stale, mute or halted", _CONSUMER),
    _gauge(
        "md_book_last_update_timestamp_seconds",
        "unix seconds",
        ("exchange",),
        "Scheduled send of the last change or trade",
        _CONSUMER,
    ),
    _counter("md_feature_rows_total", "rows", (), "Features rows computed", _CONSUMER),
    _counter("md_feature_rows_cut_total", "rows", (), "Features rows with a window that overflowed", _CONSUMER),
    _counter("md_feed_time_back_total", "messages", ("channel",), "Messages whose feed time went back", _CONSUMER),
    _counter("md_nbbo_updates_total", "rows", (), "Changes of the consolidated quote", _CONSUMER),
    _gauge("md_nbbo_symbols", "symbols", ("state",), "Symbols by state of their consolidated quote", _CONSUMER),
    _gauge("md_nbbo_state_seconds", "seconds", ("state",), "Feed time that quotes spent in each state", _CONSUMER),
    _gauge("md_nbbo_excluded", "books", ("reason",), "Books left out of their consolidated quote", _CONSUMER),
    _counter("md_arbitrage_total", "opportunities", ("phase",), "Opportunities opened, real, closed", _CONSUMER),
    _counter("md_arbitrage_dropped_total", "rows", (), "Rows of opportunities that found their queue full", _CONSUMER),
    # Redis.
    _counter("md_redis_publish_total", "records", ("stream",), "Records published", _CONSUMER),
    _counter("md_redis_dropped_total", "records", ("stream",), "Records dropped while Redis was away", _CONSUMER),
    _counter("md_redis_reconnects_total", "connections", (), "Connections made again", _CONSUMER),
    _gauge("md_redis_reader_lag_seconds", "seconds", ("stream",), "How old what is read is; 0: all is read", _READERS),
    _gauge("md_redis_stream_length", "entries", ("stream",), "Entries that a stream holds", _CONSUMER),
    _gauge("md_redis_memory_bytes", "bytes", (), "Memory that Redis uses", _CONSUMER),
    _gauge("md_redis_memory_limit_bytes", "bytes", (), "Memory that Redis may use; 0: no limit", _CONSUMER),
    _gauge("md_redis_connected_clients", "connections", (), "Connections to Redis", _CONSUMER),
    # The watch list, at most 20 symbols.
    _gauge("md_watch_price", "quote currency", ("symbol", "side"), "Consolidated best price while valid", _CONSUMER),
    _gauge("md_watch_spread_ratio", "ratio", ("symbol",), "Consolidated spread over mid; below 0: crossed", _CONSUMER),
    _gauge("md_watch_feature", "the feature's", ("symbol", "exchange", "feature"), "Features while valid", _CONSUMER),
    # The sender.
    _counter("replay_sent_packets_total", "datagrams", ("channel",), "Datagrams sent", _REPLAY),
    _counter("replay_sent_messages_total", "messages", ("channel",), "Messages that took a sequence", _REPLAY),
    _counter("replay_sent_bytes_total", "bytes", ("channel",), "Bytes sent", _REPLAY),
    _counter("replay_heartbeats_total", "heartbeats", ("channel",), "Heartbeats sent", _REPLAY),
    _counter("replay_send_errors_total", "datagrams", ("channel",), "Datagrams that the kernel refused", _REPLAY),
    _counter("replay_injected_total", "datagrams", ("kind",), "Faults injected on purpose", _REPLAY),
    _counter("replay_bad_lines_total", "lines", (), "Lines of a recording that could not be read", _REPLAY),
    _gauge("replay_target_packets_per_second", "messages/s", (), "Rate that is offered", _REPLAY),
    _counter("replay_recovery_requests_total", "requests", ("kind", "status"), "Recovery requests answered", _REPLAY),
    _counter("replay_recovery_messages_total", "messages", (), "Messages sent again over TCP", _REPLAY),
    _counter("replay_recovery_bytes_total", "bytes", ("direction",), "Bytes over recovery connections", _REPLAY),
    _counter("replay_recovery_connections_total", "connections", ("outcome",), "Taken, refused, given up", _REPLAY),
    _gauge("replay_recovery_open_connections", "connections", (), "Receivers connected", _REPLAY),
    # The feeder.
    Metric("feeder_latency_seconds", "histogram", "seconds", (), "Receive to multicast", _FEEDER),
    _counter("feeder_sent_packets_total", "datagrams", ("channel",), "Datagrams sent", _FEEDER),
    _counter("feeder_sent_messages_total", "messages", ("channel",), "Messages that took a sequence", _FEEDER),
    _counter("feeder_sent_bytes_total", "bytes", ("channel",), "Bytes sent", _FEEDER),
    _counter("feeder_heartbeats_total", "heartbeats", ("channel",), "Heartbeats sent", _FEEDER),
    _counter("feeder_send_errors_total", "datagrams", ("channel",), "Datagrams that the kernel refused", _FEEDER),
    _counter("feeder_core_events_total", "events", ("feed", "event"), "What the cores counted", _FEEDER),
    _counter("feeder_connections_total", "connections", ("feed", "event"), "Opened, refused, closed", _FEEDER),
    _gauge("feeder_open_connections", "connections", ("feed",), "Connections that are open", _FEEDER),
    _gauge("feeder_mute_connections", "connections", ("feed",), "Connections with no sign of life", _FEEDER),
    _gauge("feeder_symbols", "books", ("feed",), "Books that are wanted", _FEEDER),
    _gauge("feeder_synchronised_symbols", "books", ("feed",), "Books with a snapshot and no gap since", _FEEDER),
    _gauge("feeder_quiet_seconds", "seconds", ("feed",), "Since the longest quiet connection's message", _FEEDER),
    _counter("feeder_rest_requests_total", "requests", ("feed", "status"), "REST requests by outcome", _FEEDER),
    _counter("feeder_events_total", "events", ("event",), "Messages refused, waits for the sender, mutes", _FEEDER),
    _counter("feeder_raw_total", "events", ("event",), "Raw messages kept, their bytes, dropped, failures", _FEEDER),
    _gauge("feeder_inbox_items", "messages", (), "Messages read and not yet parsed", _FEEDER),
    _gauge("feeder_inbox_bytes", "bytes", (), "Their bytes", _FEEDER),
    _gauge("feeder_inbox_high_water_items", "messages", (), "The most there ever were", _FEEDER),
    _counter("feeder_inbox_waits_total", "waits", (), "Times that a reader found the inbox full", _FEEDER),
    _counter("feeder_cut_snapshots_total", "snapshots", (), "Snapshots that were cut for the wire", _FEEDER),
    _counter("feeder_recovery_requests_total", "requests", ("kind", "status"), "Recovery requests answered", _FEEDER),
    _counter("feeder_recovery_messages_total", "messages", (), "Messages sent again over TCP", _FEEDER),
    _counter("feeder_recovery_bytes_total", "bytes", ("direction",), "Bytes over recovery connections", _FEEDER),
    _counter("feeder_recovery_connections_total", "connections", ("outcome",), "Taken, refused, given up", _FEEDER),
    _gauge("feeder_recovery_open_connections", "connections", (), "Receivers connected", _FEEDER),
    # Signals.
    _counter("sig_rows_total", "rows", (), "Features rows read", _SIGNALS),
    _counter("sig_signals_total", "signals", ("model", "side"), "Signals emitted", _SIGNALS),
    _counter("sig_skipped_total", "rows", ("reason",), "Rows that gave no prediction, by reason", _SIGNALS),
    _counter("sig_feature_nan_total", "values", ("feature",), "Inputs that were not a number", _SIGNALS),
    _counter("sig_predictions_scored_total", "predictions", ("outcome",), "Predictions 15 s later", _SIGNALS),
    _gauge("sig_rolling_ic_ratio", "ratio", ("model", "horizon"), "Rolling information coefficient", _SIGNALS),
    _gauge("sig_rolling_hit_ratio", "ratio", ("model", "horizon"), "Rolling share of right signs", _SIGNALS),
    _gauge("sig_rolling_calibration_ratio", "ratio", ("model", "horizon"), "Realised over predicted error", _SIGNALS),
    _gauge("sig_watch_prediction_ratio", "ratio", ("symbol", "exchange"), "Latest predicted return", _SIGNALS),
    _counter("sig_reader_breaks_total", "breaks", (), "Breaks seen in the features stream", _SIGNALS),
    _counter("sig_dropped_total", "signals", (), "Signals dropped while Redis was away", _SIGNALS),
    # Orders.
    _counter("oms_signals_total", "signals", (), "Signals read", _OMS),
    _counter("oms_orders_total", "orders", ("side",), "Orders sent", _OMS),
    _counter("oms_fills_total", "fills", ("side",), "Fills", _OMS),
    _counter("oms_order_rejects_total", "orders", ("reason",), "Intents denied and orders rejected, by code", _OMS),
    _counter("oms_cancels_total", "orders", (), "Orders cancelled or expired", _OMS),
    _gauge("oms_open_orders", "orders", (), "Orders that are open", _OMS),
    _gauge("oms_pnl_usd", "quote currency", ("kind",), "Profit and loss: realised, unrealised, fees", _OMS),
    _gauge("oms_position_notional_usd", "quote currency", ("kind",), "Exposure: gross, net", _OMS),
    _gauge("oms_risk_limit_used_ratio", "ratio", ("limit",), "Share of a limit that is used", _OMS),
    _gauge("oms_kill_switch_active", "0/1", (), "1 while the kill switch is on", _OMS),
    _counter("oms_illegal_transitions_total", "transitions", (), "Order transitions refused", _OMS),
    _counter("oms_duplicate_intents_total", "intents", (), "Intents that came again", _OMS),
    _counter("oms_reconcile_mismatches_total", "differences", (), "Differences from the venue's own log", _OMS),
    # Recording.
    _counter("rec_rows_total", "rows", ("stream",), "Rows recorded", _RECORDER),
    _counter("rec_parts_total", "files", ("stream",), "Parquet parts completed", _RECORDER),
    _counter("rec_written_bytes_total", "bytes", ("stream",), "Bytes of completed parts", _RECORDER),
    _counter("rec_gaps_total", "gaps", ("stream",), "Places where Redis had trimmed what was not read", _RECORDER),
    _counter("rec_write_errors_total", "errors", (), "Writes and removals that failed", _RECORDER),
    _counter("rec_removed_parts_total", "files", (), "Oldest parts removed beyond max_bytes", _RECORDER),
    _counter("rec_removed_bytes_total", "bytes", (), "Bytes of parts removed beyond max_bytes", _RECORDER),
    _counter("rec_reader_breaks_total", "breaks", (), "Restarts and breaks of the writers of the streams", _RECORDER),
    _gauge("rec_waiting_rows", "rows", (), "Rows read and not written yet", _RECORDER),
    _gauge("rec_waiting_bytes", "bytes", (), "Bytes of records read and not written yet", _RECORDER),
    _gauge("rec_waiting_seconds", "seconds", (), "How long the oldest of them has waited", _RECORDER),
    _gauge("rec_kept_bytes", "bytes", (), "Bytes of all parts of the recording", _RECORDER),
)

BY_NAME = {metric.name: metric for metric in METRICS}


def kind_of(name: str) -> str:
    """Return counter, gauge or histogram.

    Raises
    ------
    KeyError
        When the metric is not in the catalogue, naming near misses.
    """
    try:
        return BY_NAME[name].kind
    except KeyError:
        near = difflib.get_close_matches(name, BY_NAME, n=3)
        raise KeyError(f"metric {name} is not in the catalogue; near: {', '.join(near) or 'none'}") from None

"""The consumer's metrics and status document, brought up to date by the main thread from the kernels' arrays."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from libs.book.flags import HALTED, INVALID, MUTE, NO_SNAPSHOT, STALE
from libs.engine import columns, report, state, words
from libs.market.exchanges import EXCHANGES
from libs.market.symbol_table import t_name
from libs.multicast.drops import receive_queue
from libs.multicast.receiver import ReceiverSocket
from libs.ring.state import HIGH_WATER
from libs.sequencing import state as seq
from libs.streams.schemas import BOOK, SCHEMAS
from libs.streams.writer import PackedWriter
from libs.telemetry.hdr import summary
from libs.telemetry.segment import Segment
from libs.units import format_decimal
from services.consumer.readiness import Heard
from services.consumer.series import CHANNEL_COUNTERS, LINES, PATHS
from services.consumer.worst import Worst

TOPS = 10


class Metrics:
    """Bring counters, gauges and the status document up to date.

    Parameters
    ----------
    segment : Segment
        Made with :func:`series`.
    arrays : dict
        The engine's arrays.
    """

    def __init__(self, segment: Segment, arrays: Mapping[str, np.ndarray]) -> None:
        self.segment, self.arrays = segment, arrays
        first = [segment.row("md_e2e_latency_seconds", path=path) for path in PATHS]
        if first != list(range(first[0], first[0] + len(PATHS))):
            raise AssertionError("HDR rows are expected in the order of their declaration")
        rows = segment.rows[first[0] : first[0] + len(PATHS)]
        self.receive_rows, self.process_rows, self.publish_rows = rows[0:2], rows[2:5], rows[5:7]
        self.rows = dict(zip(PATHS, rows, strict=True))
        self.text_refused = 0
        self._drop_base: dict[int, int] = {}
        self._rates = _Rates()
        self._worst = Worst()

    def _set(self, name: str, value: int, **labels: str) -> None:
        self.segment.counters[self.segment.counter(name, **labels)] = value

    def _gauge(self, name: str, value: float, **labels: str) -> None:
        self.segment.gauges[self.segment.gauge(name, **labels)] = value

    def update(self, sockets: list[ReceiverSocket], writer: PackedWriter) -> None:
        """Copy what the threads counted into the exported series."""
        for ch, exchange in enumerate(EXCHANGES):
            self._update_channel(ch, exchange)
        counts = self.arrays["receive_counts"]
        for line, opened in zip(LINES, sockets, strict=False):
            at = LINES.index(line)
            self._set("md_received_bytes_total", int(counts[words.BYTES + at]), line=line)
            queue = receive_queue(opened.inode)
            drops = queue.drops if queue is not None else 0
            self._set("md_socket_drops_total", drops or int(counts[words.KERNEL_DROPS + at]), line=line)
            self._gauge("md_socket_receive_queue_bytes", queue.waiting if queue is not None else 0, line=line)
            self._gauge("md_socket_receive_buffer_bytes", opened.rcvbuf, line=line)
        for reason, n in (report.malformed_report(counts) | {"text": self.text_refused}).items():
            self._set("md_decode_errors_total", n, reason=reason)
        totals = self.arrays["totals"]
        self._set("md_feature_rows_total", int(totals[columns.FEATURE_ROWS]))
        self._set("md_feature_rows_cut_total", int(totals[columns.ROWS_CUT]))
        self._set("md_nbbo_updates_total", int(totals[columns.NBBO_ROWS]))
        self._set("md_redis_reconnects_total", writer.reconnects)
        for stream in SCHEMAS:
            self._set("md_redis_publish_total", writer.published_by_stream.get(stream, 0), stream=stream)
            self._set("md_redis_dropped_total", writer.dropped_by_stream.get(stream, 0), stream=stream)
        self._set("md_other_channel_messages_total", int(counts[words.OTHER_CHANNEL]))
        self._update_nbbo()
        self._gauge("md_session_open", float(self._in_session()))
        self._rates.update(self._messages(), self._updates())
        self._take_worst()

    def _take_worst(self) -> None:
        """Note, every 10 s, which message took longest to its book."""
        found = self._worst.take(self.arrays, time.monotonic(), self._table_name)
        if found is not None:
            book = f"{found['exchange']} {found['symbol']}"
            row = self.segment.row("md_e2e_latency_seconds", path="book")
            self.segment.remark(row, found["latency_ns"], found["sequence"], book, time.time_ns())

    def _update_nbbo(self) -> None:
        found = report.nbbo_report(self.arrays)
        for name, n in found["states"].items():
            self._gauge("md_nbbo_symbols", n, state=name)
            self._gauge("md_nbbo_state_seconds", found["state_us"][name] / 1e6, state=name)
        for reason, n in found["excluded"].items():
            self._gauge("md_nbbo_excluded", n, reason=reason)
        for phase, n in found["arbitrage"].items():
            self._set("md_arbitrage_total", n, phase=phase)
        self._set("md_arbitrage_dropped_total", report.output_drops(self.arrays)["arbitrage"])

    def _update_channel(self, ch: int, exchange: str) -> None:
        channel, ledger = self.arrays["sequencer_channels"][ch], self.arrays["ledger"][ch]
        counts = self.arrays["receive_counts"]
        for at, line in enumerate(LINES):
            label = {"channel": exchange, "line": line}
            row = self.arrays["lines"][at, ch]
            self._set("md_packets_received_total", int(counts[words.DATAGRAMS + 8 * at + ch]), **label)
            self._set("md_line_first_messages_total", int(row[words.FIRST]), **label)
            self._set("md_line_silences_total", int(row[words.SILENCES]), **label)
            self._gauge("md_line_silent", float(row[words.SILENT]), **label)
            self._gauge("md_line_lagging", float(row[words.LAGGING]), **label)
            self._gauge("md_line_transit_seconds", row[words.TRANSIT_NS] / 1e9, **label)
        for name, column in CHANNEL_COUNTERS.items():
            if column >= 0:
                self._set(name, int(channel[column]), channel=exchange)
        self._set("md_messages_applied_total", int(ledger[columns.APPLIED]), channel=exchange)
        self._set("md_feed_time_back_total", int(ledger[columns.FEED_BACK]), channel=exchange)
        self._set("md_ledger_checks_total", int(ledger[columns.CHECKS]), channel=exchange)
        self._set("md_ledger_checks_failed_total", int(ledger[columns.CHECKS_FAILED]), channel=exchange)
        for reason, n in report.refusals(channel, ledger).items():
            self._set("md_messages_refused_total", n, channel=exchange, reason=reason)
        said = report.channel_report(channel, ledger, self.arrays["sequencer_holes"][ch])
        for by, n in said["healed_by"].items():
            self._set("md_holes_healed_total", n, channel=exchange, by=by)
        self._gauge("md_messages_pending", said["pending"], channel=exchange)
        self._set("md_messages_total", int(ledger[columns.UPDATES]), exchange=exchange, type="book_level")
        self._set("md_messages_total", int(ledger[columns.TRADES]), exchange=exchange, type="trade")
        self._set("md_book_updates_total", int(ledger[columns.EVENTS]), exchange=exchange)
        self._set("md_crossed_events_total", int(ledger[columns.CROSSED_EVENTS]), exchange=exchange)
        total = int(self.arrays["table_counts"][0])
        mine = (self.arrays["table_book_exchange"][:total] == ch) & (self.arrays["heard"][:total] == 1)
        flags = report.flags_of(self.arrays)[:total][mine]
        self._gauge("md_active_symbols", len(flags), exchange=exchange)
        self._gauge("md_valid_books", int(np.count_nonzero(flags & INVALID == 0)), exchange=exchange)
        self._gauge("md_stale_symbols", int(np.count_nonzero(flags & (STALE | MUTE | HALTED))), exchange=exchange)
        self._gauge("md_book_last_update_timestamp_seconds", ledger[columns.LAST_UPDATE_US] / 1e6, exchange=exchange)
        control = self.arrays["ring_controls"][ch]
        self._gauge("md_ring_occupancy_items", control[0] - control[32], ring=exchange)
        self._gauge("md_ring_capacity_items", self.arrays["rings"].shape[1] // 8, ring=exchange)
        self._gauge("md_ring_high_watermark_items", control[HIGH_WATER], ring=exchange)
        self._set("md_ring_dropped_total", int(control[18]), ring=exchange)

    def heard(self) -> Heard:
        """Return what the feed has said so far."""
        books = report.books_report(self.arrays)
        counts = self.arrays["receive_counts"]
        datagrams = int(counts[words.DATAGRAMS : words.DATAGRAMS + 8 * len(LINES)].sum())
        return Heard(datagrams, books["total"], books["valid"], self._in_session())

    def _in_session(self) -> bool:
        # A session's end takes the snapshot of every book away, and nothing else takes all of them.
        registered = int(self.arrays["table_counts"][0])
        heard = self.arrays["heard"][:registered] == 1
        return bool(np.any(report.flags_of(self.arrays)[:registered][heard] & NO_SNAPSHOT == 0))

    def _messages(self) -> int:
        # With two lines every message is read twice.
        channels = self.arrays["sequencer_channels"]
        return int((channels[:, seq.RECEIVED] - channels[:, seq.DUPLICATE] - channels[:, seq.LATE]).sum())

    def _updates(self) -> int:
        ledger = self.arrays["ledger"]
        return int(ledger[:, columns.UPDATES].sum() + ledger[:, columns.TRADES].sum())

    def stats_line(self) -> dict[str, Any]:
        """Return the figures of the line that is logged every second."""
        books = report.books_report(self.arrays)
        channels = self.arrays["sequencer_channels"]
        ring = report.ring_report(self.arrays)
        return {
            "messages_per_s": round(self._rates.messages),
            "updates_per_s": round(self._rates.updates),
            "trades": int(self.arrays["ledger"][:, columns.TRADES].sum()),
            "lost": int(channels[:, seq.LOST].sum()),
            "valid_books": books["valid"],
            "books": books["total"],
            "ring_high_water": ring["high_water"],
            "ring_dropped": ring["dropped"],
            "book_p99_us": summary(self.rows["book"])["p99_ns"] // 1000,
            "publish_p99_us": summary(self.rows["publish"])["p99_ns"] // 1000,
        }

    def status(self, run_id: int, writer: PackedWriter, port: int) -> dict[str, Any]:
        """Return the status document: everything of the report of cli.md that the consumer knows."""
        ledger, totals = self.arrays["ledger"], self.arrays["totals"]
        latency = {path: summary(self.rows[path]) for path in PATHS if not path.startswith("heal")}
        nbbo = report.nbbo_report(self.arrays)
        latency["heal"] = summary(self.rows["heal_by_line"] + self.rows["heal_by_snapshot"])
        return {
            "run": run_id,
            "joined": True,
            "ready": self.segment.readiness()[0],
            "channels": report.channels_report(self.arrays),
            "malformed": report.malformed_report(self.arrays["receive_counts"]),
            "other_channel_messages": int(self.arrays["receive_counts"][words.OTHER_CHANNEL]),
            "books": report.books_report(self.arrays),
            "updates_applied": int(ledger[:, columns.UPDATES].sum()),
            "trades_applied": int(ledger[:, columns.TRADES].sum()),
            "features_rows": int(totals[columns.FEATURE_ROWS]),
            "nbbo_rows": int(totals[columns.NBBO_ROWS]),
            "latency_ns": latency,
            "worst": self._worst.recent[-1] if self._worst.recent else None,
            "snapshots": report.snapshots_report(self.arrays),
            "ring": report.ring_report(self.arrays),
            "redis": {"published": writer.published, "dropped": writer.dropped, "reconnects": writer.reconnects},
            "output_dropped": report.output_drops(self.arrays),
            "socket_drops": int(sum(self.segment.counters[self._drops_at(line)] for line in LINES)),
            "rss_bytes": rss_bytes(),
            "rates": {"messages_per_s": round(self._rates.messages), "updates_per_s": round(self._rates.updates)},
            "tops": self._tops(),
            "nbbo": nbbo["states"],
            "nbbo_state_us": nbbo["state_us"],
            "arbitrage": nbbo["arbitrage"],
            "http_port": port,
        }

    def _drops_at(self, line: str) -> int:
        return self.segment.counter("md_socket_drops_total", line=line)

    def _tops(self) -> list[dict[str, Any]]:
        heard = np.flatnonzero(self.arrays["heard"])[:TOPS]
        return [top_of(self.arrays, self._table_name(book), book) for book in heard.tolist()]

    def _table_name(self, book: int) -> str:
        return t_name(state.bind_table(self.arrays), book)


def top_of(arrays: Mapping[str, np.ndarray], name: str, book: int) -> dict[str, Any]:
    """Return best bid and ask of a book as decimal strings, from its latest record."""
    row = arrays["out_books"][book].view(BOOK)[0]
    price = int(row["price_exponent"])
    return {
        "exchange": EXCHANGES[int(arrays["table_book_exchange"][book])],
        "symbol": name,
        "valid": bool(row["valid"]),
        "bid": format_decimal(int(row["bid_prices"][0]), price) if row["bid_count"] else None,
        "ask": format_decimal(int(row["ask_prices"][0]), price) if row["ask_count"] else None,
        "bid_size": format_decimal(int(row["bid_sizes"][0]), int(row["size_exponent"])) if row["bid_count"] else None,
        "ask_size": format_decimal(int(row["ask_sizes"][0]), int(row["size_exponent"])) if row["ask_count"] else None,
    }


def rss_bytes() -> int:
    """Return this process's resident memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class _Rates:
    """Messages and updates a second, over about the last second."""

    def __init__(self) -> None:
        self.messages = self.updates = 0.0
        self._last = (time.monotonic(), 0, 0)

    def update(self, messages: int, updates: int) -> None:
        then, old_messages, old_updates = self._last
        now = time.monotonic()
        if now - then >= 0.9:
            self.messages = (messages - old_messages) / (now - then)
            self.updates = (updates - old_updates) / (now - then)
            self._last = (now, messages, updates)

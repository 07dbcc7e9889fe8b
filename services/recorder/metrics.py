"""The recorder's metrics and status document."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

from libs.storage.store import Group, Store
from libs.streams.resumed import Gap
from libs.telemetry.segment import Segment, Series

RECENT = 10
PLAIN = ("rec_write_errors_total", "rec_removed_parts_total", "rec_removed_bytes_total", "rec_reader_breaks_total")
LEVELS = ("rec_waiting_rows", "rec_waiting_bytes", "rec_waiting_seconds", "rec_kept_bytes")
BY_STREAM = ("rec_rows_total", "rec_parts_total", "rec_written_bytes_total", "rec_gaps_total")


def series(streams: Sequence[str]) -> list[Series]:
    """Return every series that the service exports, so that each exists from the start."""
    found = [Series(name, {"stream": stream}) for name in BY_STREAM for stream in streams]
    return found + [Series(name, {}) for name in (*PLAIN, *LEVELS)]


class Metrics:
    """Counts of what was recorded.

    Parameters
    ----------
    segment : Segment
        Made with :func:`series`.
    streams : sequence of str
    store : Store

    Attributes
    ----------
    write_errors : int
    rows, parts, bytes, gaps : Counter
        By stream, since the start.
    """

    def __init__(self, segment: Segment, streams: Sequence[str], store: Store) -> None:
        self.segment, self.streams, self.store = segment, streams, store
        self.write_errors = 0
        self.rows, self.parts, self.bytes, self.gaps = (Counter[str]() for _ in BY_STREAM)
        self.recent_gaps: deque[dict[str, str]] = deque(maxlen=RECENT)

    def written(self, group: Group) -> None:
        """Count a group that is recorded."""
        for place, size, rows in zip(group.places, group.bytes, group.rows, strict=True):
            self.parts[place.stream] += 1
            self.bytes[place.stream] += size
            self.rows[place.stream] += rows

    def gap(self, stream: str, gap: Gap) -> None:
        """Count a gap."""
        self.gaps[stream] += 1
        self.recent_gaps.append({"stream": stream, "after": gap.after, "next": gap.next})

    def update(self, *, waiting_rows: int, waiting_bytes: int, waiting_s: float, breaks: int) -> None:
        """Copy the counts into the exported series."""
        counters, gauges = self.segment.counters, self.segment.gauges
        for name, counts in zip(BY_STREAM, (self.rows, self.parts, self.bytes, self.gaps), strict=True):
            for stream in self.streams:
                counters[self.segment.counter(name, stream=stream)] = counts[stream]
        kept = self.store.kept
        for name, value in zip(PLAIN, (self.write_errors, kept.removed_parts, kept.removed_bytes, breaks), strict=True):
            counters[self.segment.counter(name)] = value
        for name, level in zip(LEVELS, (waiting_rows, waiting_bytes, waiting_s, kept.bytes), strict=True):
            gauges[self.segment.gauge(name)] = float(level)

    def status(self, http_port: int, redis: dict[str, Any], waiting: dict[str, Any]) -> dict[str, Any]:
        """Return the status document."""
        return {
            "service": "recorder",
            "folder": str(self.store.root),
            "rows": sum(self.rows.values()),
            "streams": {
                stream: {
                    "rows": self.rows[stream],
                    "parts": self.parts[stream],
                    "bytes": self.bytes[stream],
                    "gaps": self.gaps[stream],
                    "position": self.store.positions.get(stream, ""),
                }
                for stream in self.streams
            },
            "waiting": waiting,
            "write_errors": self.write_errors,
            "kept_bytes": self.store.kept.bytes,
            "removed_parts": self.store.kept.removed_parts,
            "gaps": sum(self.gaps.values()),
            "recent_gaps": list(self.recent_gaps),
            "redis": redis,
            "http_port": http_port,
        }

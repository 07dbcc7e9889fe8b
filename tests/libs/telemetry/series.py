"""A segment like a service's, for tests."""

from __future__ import annotations

import numpy as np

from libs.telemetry.hdr_kernels import record_many
from libs.telemetry.segment import Segment, Series

SERIES = (
    Series("md_session_open"),
    Series("md_packets_received_total", {"channel": "binance", "line": "a"}),
    Series("md_packets_received_total", {"channel": "binance", "line": "b"}),
    Series("md_ring_occupancy_items", {"ring": "0"}),
    Series("md_e2e_latency_seconds", {"path": "book"}),
    Series("md_e2e_latency_seconds", {"path": "publish"}),
)


def segment() -> Segment:
    """Return a segment with a few series and an array of its own."""
    return Segment.create("consumer", SERIES, {"table": ("<i8", (3, 2)), "pairs": ([("a", "<i4"), ("b", "<f8")], (4,))})


def record(found: Segment, path: str, values_ns: list[int]) -> None:
    """Record latencies of a path."""
    record_many(found.rows, found.row("md_e2e_latency_seconds", path=path), np.array(values_ns, np.int64))

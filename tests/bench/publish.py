"""Packed records to a real Redis: PackedWriter beside the same bytes, encoded beforehand, over the same socket."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from libs.streams.schemas import FEATURES, SCHEMAS
from libs.streams.writer import Entry, PackedWriter
from tests.bench.runner import Row, Scale, compare
from tests.libs.streams.server import Server

WHAT = "packed features records written to a Redis on a unix socket; wall time"
GOAL = 1.43
"""0.7 of the reference's rate."""
MAXLEN = 1_000
LEAST = 2_000
"""Requests of redis-benchmark: fewer take no time that it can see."""
RUN = 1_700_000_000_000_000_000


class Wire:
    """A connection that sends bytes as they are and counts replies, which is the least that a client can do."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)

    def send(self, data: bytes, replies: int) -> None:
        """Send a pipeline and wait for its replies (bulk strings, two lines each)."""
        self.socket.sendall(data)
        lines = 0
        while lines < 2 * replies:
            lines += self.socket.recv(65536).count(b"\r\n")


def encoded(entries: list[Entry]) -> bytes:
    """Return the XADD commands of entries as RESP."""
    found = []
    for stream, n, data in entries:
        words = [
            b"XADD", stream.encode(), b"MAXLEN", b"~", str(MAXLEN).encode(), b"*", b"v",
            str(SCHEMAS[stream].version).encode(), b"run", str(RUN).encode(), b"n", str(n).encode(), b"d", data,
        ]  # fmt: skip
        found.append(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))
    return b"".join(found)


def entries_of(count: int, records: int) -> list[Entry]:
    """Return entries of so many records each."""
    data = np.random.default_rng(1).bytes(FEATURES.itemsize * records)
    return [("features", records, data)] * count


def _measure(pipeline: Callable[[], object], pipelines: int, records: int) -> Callable[[], float]:
    def run() -> float:
        began = time.perf_counter_ns()
        for _ in range(pipelines):
            pipeline()
        return (time.perf_counter_ns() - began) / records

    return run


def _redis_benchmark(path: str, entries: list[Entry], pipelines: int) -> Callable[[], float] | None:
    """Return a run of redis-benchmark with the same commands, or None where it is not installed."""
    program = shutil.which("redis-benchmark")
    if program is None:
        return None
    stream, n, data = entries[0]
    size, total = len(data), max(LEAST, len(entries) * pipelines)
    command = [program, "-s", path, "-c", "1", "-n", str(total), "-P", str(len(entries)), "-q"]
    command += ["XADD", f"rb-{stream}", "MAXLEN", "~", str(MAXLEN), "*", "v", "1", "run", str(RUN), "n", str(n), "d"]
    command.append("x" * size)

    def run() -> float:
        answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found = re.findall(r"([\d.]+) requests per second", answer)
        return 1e9 / (float(found[-1]) * n)

    return run


def rows(scale: Scale) -> list[Row]:
    """Measure one entry a pipeline, many entries a pipeline, many records an entry."""
    found = []
    server = Server()
    try:
        path = f"{server.folder}/redis.sock"
        writer = PackedWriter(server.url, "", RUN, {"features": MAXLEN})
        wire = Wire(path)
        for entries_a_pipeline, records in ((1, 1), (16, 1), (1, 64), (4, 256)):
            entries = entries_of(entries_a_pipeline, records)
            data = encoded(entries)
            pipelines = scale.pick(max(20, 4_000 // (entries_a_pipeline * max(1, records // 8))), 2)
            total = pipelines * entries_a_pipeline * records

            runs = {
                "ours": _measure(partial(writer.write, entries), pipelines, total),
                "encoded beforehand": _measure(partial(wire.send, data, len(entries)), pipelines, total),
            }
            benchmark = _redis_benchmark(path, entries, pipelines)
            against = "encoded beforehand"
            if benchmark is not None:
                runs[against := "redis-benchmark"] = benchmark
            case = f"{entries_a_pipeline} entr{'y' if entries_a_pipeline == 1 else 'ies'} of {records} a pipeline"
            found.append(compare(case, "ns/record", runs, scale.repeats, GOAL, against))
        assert writer.dropped == 0 and writer.connected
        writer.close()
    finally:
        server.close()
    return found

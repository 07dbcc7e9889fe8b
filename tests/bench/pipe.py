"""Latency of every stage from the scheduled send, open loop, at growing load; the Redis hop alone beside it."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import redis

from tests.bench.runner import Disturbance, Row, Scale
from tests.bench.stack import ROOT, Floor, up
from tests.libs.streams.server import Server

WHAT = "500 books, scheduled send to the end of each stage; two lines, all services on this machine"
RATES = (2_500, 12_500, 25_000, 50_000)
SYMBOLS = 100
GOALS_US = {"book p99": 100.0, "signal p50": 700.0, "signal p99": 2_000.0, "signal p99.9": 5_000.0}
AT_RATE = 25_000
"""Messages a second at which the goals are meant: 100,000 updates."""
STAGES = ("book", "features", "publish", "signal", "order")
PERCENTILES = {"p50": "p50_ns", "p99": "p99_ns", "p99.9": "p999_ns"}
HOPS = 2_000


def hop_us(hops: int) -> dict[str, float]:
    """Return percentiles of XADD to the return of a blocking XREAD in another thread, an idle Redis, in µs."""
    server = Server()
    took: list[float] = []
    try:
        reader = redis.Redis.from_url(server.url)

        def read() -> None:
            place = "$"
            while len(took) < hops:
                for _, entries in reader.xread({"hop": place}, block=1000):
                    now = time.perf_counter_ns()
                    for identity, fields in entries:
                        took.append((now - int(fields[b"at"])) / 1e3)
                        place = identity

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        time.sleep(0.2)
        with redis.Redis.from_url(server.url) as writer:
            while thread.is_alive():
                writer.xadd("hop", {"at": time.perf_counter_ns(), "d": b"x" * 500}, maxlen=100, approximate=True)
                time.sleep(0.0005)
        thread.join()
        reader.close()
    finally:
        server.close()
    return {name: round(float(np.percentile(took, at)), 1) for name, at in (("p50", 50), ("p99", 99), ("p99.9", 99.9))}


def rows(scale: Scale) -> list[Row]:
    """Measure each rate once, for 10 s, or 60; the one with goals also with a receive thread that spins."""
    found: list[Row] = []
    hop = hop_us(scale.pick(HOPS, 50))
    seconds = 1 if scale.tiny else 60 if scale.full else 10
    cases = [(rate, "epoll") for rate in RATES[: scale.pick(len(RATES), 1)]]
    cases += [(AT_RATE, "busy")] * (not scale.tiny)
    for rate, wait in cases:
        with tempfile.TemporaryDirectory(prefix="cb-bench-") as folder, Disturbance() as disturbance, Floor() as floor:
            sizes = {"rate": scale.pick(rate, 500), "symbols": scale.pick(SYMBOLS, 2), "duration": seconds}
            options = [word for name, value in sizes.items() for word in (f"--{name}", str(value))]
            report = up("--config", str(_waiting_config(Path(folder), wait)), *options)
        found += _rows_of(rate, wait, report, hop, floor, disturbance)
    return found


def _waiting_config(folder: Path, wait: str) -> Path:
    """Return a copy of the configuration whose receive thread waits in that way."""
    copied = Path(shutil.copytree(ROOT / "config", folder / "config"))
    symbols = copied / "consumer" / "symbols.json"
    document = json.loads(symbols.read_text())
    document["udp_config"]["wait"] = wait
    symbols.write_text(json.dumps(document))
    return copied


def _rows_of(
    rate: int, wait: str, report: dict[str, Any], hop: dict[str, float], floor: Floor, disturbance: Disturbance
) -> list[Row]:
    lost = sum(channel["lost"] for channel in report["channels"].values())
    how = ", busy" if wait == "busy" else ""
    load = f"{rate:,} messages, {report['updates_per_s']:,.0f} updates a second{how}, {lost} lost"
    found = []
    for stage in STAGES:
        for percentile, key in PERCENTILES.items():
            ours = report["latency_ns"][stage][key] / 1e3
            row: Row = {
                "case": f"{load}: {stage} {percentile}",
                "ours": round(ours, 1),
                "unit": "µs",
                "references": {"redis hop": hop[percentile]},
                "ratio": {"redis hop": round(ours / hop[percentile], 2)},
                "floor": floor.document(),
            }
            most = GOALS_US.get(f"{stage} {percentile}")
            if most is not None and rate == AT_RATE and wait == "epoll":
                least = {"p99": floor.p99_us, "p99.9": floor.p999_us}.get(percentile, 0.0)
                row["goal"] = {"most": max(most, 1.5 * least)}
            if disturbance.reason:
                row["disturbed"] = disturbance.reason
            found.append(row)
    late = report["latency_ns"]["sender_late"]
    found.append(
        {
            "case": f"{load}: sender late p99", "ours": round(late["p99_ns"] / 1e3, 1), "unit": "µs",
            "references": {}, "ratio": {}, "floor": floor.document(),
        }
    )  # fmt: skip
    return found

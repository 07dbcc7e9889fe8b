"""CPU of real consumers under one load, with sockets, Redis and publishing: one that takes all, then two shards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.runner import Disturbance, Row
from tests.conftest import ROOT
from tests.services.consumer.running import START_S, Line, OwnRedis, Service, environment, tcp_port

RATE, SYMBOLS, LEVELS = 10_000, 100, 4
SETTLE_S = 4.0
"""Snapshots are over then."""
SIZES = {"max_books": 10_240, "max_symbols": 2_048, "ring_buffer_size": 65_536, "depth": 1_024}


def cpu_s(process: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _start_replay(folder: Path, line: Line, seconds: float) -> subprocess.Popen[bytes]:
    settings = {
        "group": line.group, "port": line.port, "lines": "a", "rate": RATE, "symbols": SYMBOLS, "levels": LEVELS,
        "duration_s": seconds, "http_port": tcp_port(), "recovery_port": tcp_port(), "log_format": "json",
    }  # fmt: skip
    (folder / "replay.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "services.replay", "--config", str(folder / "replay.json")]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=quiet, stderr=quiet)


def used(shares: Sequence[str], seconds: float) -> list[float]:
    """Return the share of a core that each consumer used while all took the same load.

    Raises
    ------
    AssertionError
        When one of them lost a message or cannot account for one.
    """
    folder, redis, line = Path(tempfile.mkdtemp(prefix="cb-shards-")), OwnRedis(), Line(9)
    services: list[Service] = []
    replay = None
    try:
        for at, share in enumerate(shares):
            (folder / str(at)).mkdir()
            text = f'shard = "{share}"\n'
            services.append(Service(folder / str(at), redis.url, line, settings=text, symbols=[], processing=SIZES))
        for service in services:
            service.started()
        replay = _start_replay(folder, line, 4 * SETTLE_S + seconds)
        # A first start of the replay compiles its kernels.
        services[0].wait(lambda: services[0].json("/status")["rates"]["messages_per_s"] > RATE / 2, START_S)
        time.sleep(SETTLE_S)
        before = [cpu_s(service.process.pid) for service in services]
        began = time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - began
        found = [(cpu_s(each.process.pid) - cpu) / took for each, cpu in zip(services, before, strict=True)]
        for service in services:
            channels = service.json("/status")["channels"].values()
            assert channels and not any(channel["lost"] + channel["unaccounted"] for channel in channels)
        return found
    finally:
        for process in [service.process for service in services] + ([replay] if replay else []):
            process.kill()
            process.wait()
        redis.close()
        shutil.rmtree(folder, ignore_errors=True)


def row(seconds: float) -> Row:
    """Return the row: both shards together beside one process, each in a run of its own."""
    with Disturbance() as disturbance:
        (alone,) = used(["1/1"], seconds)
        shards = used(["1/2", "2/2"], seconds)
    ours = sum(shards)
    found: Row = {
        "case": f"two processes at {RATE:,} messages/s, {' + '.join(f'{share:.2f}' for share in shards)} of a core",
        "ours": round(ours, 3),
        "unit": "cores",
        "references": {"takes everything": round(alone, 3)},
        "ratio": {"takes everything": round(ours / alone, 3)},
        "spread": {},
        "repeats": 1,
    }
    if disturbance.reason:
        found["disturbed"] = disturbance.reason
    return found

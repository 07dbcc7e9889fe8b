"""The recorder as a process, what is written to Redis for it, and what its folder then holds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from libs.storage.partitions import parts_of
from libs.streams.schemas import SCHEMAS
from libs.streams.writer import PackedWriter

ROOT = Path(__file__).resolve().parents[3]
WAIT_S = 60.0
START_US = 1_723_161_600_000_000
"""2024-08-09 00:00 UTC."""


class Service:
    """A running recorder."""

    def __init__(self, folder: Path, url: str, port: int, text: str = "", target: Path | None = None) -> None:
        self.port, self.root = port, target or folder / "recording"
        config = folder / "recorder.toml"
        config.write_text(
            f'redis_url = "{url}"\nhttp_port = {port}\npoll_ms = 5\nretry_s = 0.1\nlog_format = "json"\n{text}'
        )
        self.log = folder / "log"
        environment = {k: v for k, v in os.environ.items() if k not in {"REDIS_URL", "HTTP_HOST"}}
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.recorder", str(self.root), "--config", str(config)],
                cwd=ROOT,
                stderr=out,
                env=environment,
            )

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body; 0 while nothing listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def status(self) -> dict[str, Any]:
        """Return the status document."""
        code, text = self.get("/status")
        return dict(json.loads(text)) if code == 200 else {}

    def wait(self, condition: Callable[[], Any]) -> None:
        """Wait until something holds, or fail with the log."""
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)

    def wait_ready(self) -> None:
        """Wait until it does its work."""
        self.wait(lambda: self.get("/readyz")[0] == 200)

    def wait_recorded(self, rows: int) -> None:
        """Wait until so many rows are recorded."""
        self.wait(lambda: self.status().get("rows", 0) >= rows)

    def stop(self) -> int:
        """Stop it gracefully and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    def kill(self) -> None:
        """End it as a crash would, with whoever answers HTTP for it."""
        self.process.kill()
        self.process.wait()


class Numbered:
    """Writes records whose ``feed_ts_us`` numbers them, a second apart, so that an hour has 3,600."""

    def __init__(self, url: str, run: int = 1, **maxlen: int) -> None:
        self.writer = PackedWriter(url, "", run, dict.fromkeys(SCHEMAS, 1_000_000) | maxlen)
        self.next = dict.fromkeys(SCHEMAS, 0)

    def rows(self, stream: str, n: int) -> np.ndarray:
        """Return the next rows of a stream."""
        found = np.zeros(n, SCHEMAS[stream].dtype)
        numbers = self.next[stream] + np.arange(n)
        self.next[stream] += n
        found["symbol"] = [f"S{number % 5}-USDT".encode() for number in numbers]
        found["feed_ts_us"] = START_US + 1_000_000 * numbers
        return found

    def write(self, n: int, rows: int = 3, streams: tuple[str, ...] = tuple(SCHEMAS)) -> None:
        """Write so many entries of each stream."""
        entries = [(stream, rows, self.rows(stream, rows).tobytes()) for _ in range(n) for stream in streams]
        assert self.writer.write(entries)

    def close(self) -> None:
        """Close the connection."""
        self.writer.close()


def numbers(root: Path, stream: str) -> list[int]:
    """Return the numbers of a stream's recorded rows, sorted; the recorder's own rows have none."""
    found: list[int] = []
    for path, place in parts_of(root):
        if place.stream == stream:
            table = pq.read_table(path, columns=["feed_ts_us", "entry"])
            found += [
                (time_us - START_US) // 1_000_000
                for time_us, entry in zip(*(table[name].to_pylist() for name in table.column_names), strict=True)
                if entry is not None
            ]
    return sorted(found)

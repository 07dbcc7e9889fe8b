"""A running order service, what it reads, and how to ask it."""

from __future__ import annotations

import json
import os
import signal as signals
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import redis

from libs.streams.record_writer import RecordWriter
from libs.streams.writer import PackedWriter
from tests.oracles.shown import SESSION, book_row, nbbo_row, status_row

ROOT = Path(__file__).resolve().parents[3]
START_US = 1_000_000
LATENCY_US = 5_000
TIMEOUT_S = 60.0
SETTINGS = """
http_port = 0
stream_prefix = "{prefix}"
log_format = "json"
reconcile_interval_s = 0.2
[orders]
capital_usd = 400
[limits]
price_collar_bps = 200
max_signal_age_ms = 60000

"""


def until(what: Callable[[], Any], timeout_s: float = TIMEOUT_S) -> Any:
    """Return what comes out true, or fail."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {timeout_s} s: {what}")


class Stage:
    """The streams that the service reads, written as the consumer and the signal service do."""

    def __init__(self, url: str, prefix: str) -> None:
        self.client = redis.Redis.from_url(url, decode_responses=True)
        self.prefix = prefix
        self.packed = PackedWriter(url, prefix, 5, {})
        self.records = RecordWriter(url, prefix, {})
        self.sequence = 0

    def show(self, **rows: np.ndarray) -> None:
        """Write rows of the packed streams."""
        assert self.packed.write([(name, len(row), row.tobytes()) for name, row in rows.items()])

    def open_market(self) -> None:
        """Show an instrument, its book and its quote."""
        self.show(status=status_row("instrument"), nbbo=nbbo_row())
        self.book(START_US)

    def book(self, feed_us: int) -> None:
        """Show the book at a feed time, sent just now."""
        now_ns = time.time_ns()
        self.show(book=book_row(feed_us=feed_us, ts_ns=now_ns, sent_us=now_ns // 1000))

    def signal(self, action: str = "buy", sequence: int | None = None) -> None:
        """Write a signal, of a new event unless told of which."""
        self.sequence += 1
        fields = {
            "exchange": "okx",
            "symbol": "BTC-USDT",
            "session": str(SESSION),
            "sequence": str(sequence or self.sequence),
            "feed_ts_us": str(START_US),
            "sent_ts_us": str(time.time_ns() // 1000),
            "signal_ts_ns": str(time.time_ns()),
            "action": action,
            "size_fraction": "0.25",
            "model": "digest",
        }
        assert self.records.write([("signals", fields)])

    def read(self, stream: str) -> list[dict[str, str]]:
        """Everything in one of the streams that the service writes."""
        return [fields for _, fields in self.client.xrange(f"{self.prefix}{stream}")]  # type: ignore[misc]

    def close(self) -> None:
        """Close the connections."""
        self.packed.close()
        self.records.close()
        self.client.close()


class Service:
    """The process."""

    def __init__(self, folder: Path, url: str, prefix: str, **environment: str) -> None:
        self.config = folder / "oms.toml"
        self.config.write_text(SETTINGS.format(prefix=prefix))
        self.log = (folder / "oms.log").open("a+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services.oms", "--config", str(self.config)],
            cwd=ROOT,
            env={**os.environ, "REDIS_URL": url, "CROSSBOOK_STATE_DIR": str(folder / "state"), **environment},
            stderr=self.log,
        )
        self.port = int(until(self._port))
        until(lambda: self.get("/readyz")[0] == 200)

    def _port(self) -> int | None:
        assert self.process.poll() is None, self.said()
        lines = [json.loads(line) for line in self.said().splitlines() if line.startswith("{")]
        ports = [line["http_port"] for line in lines if line["event"] == "started"]
        return ports[0] if ports else None

    def said(self) -> str:
        """What it wrote to its log."""
        return Path(self.log.name).read_text()

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return the HTTP status and the decoded body."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def get(self, path: str) -> tuple[int, Any]:
        """GET."""
        return self.ask("GET", path)

    def status(self) -> dict[str, Any]:
        """Return /status."""
        return self.get("/status")[1]

    def stop(self, number: signals.Signals = signals.SIGTERM) -> int:
        """End it and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(5)
        finally:
            self.log.close()

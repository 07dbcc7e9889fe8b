"""The signal service as a process, with a real Redis."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis

from libs.book.flags import NO_SNAPSHOT
from libs.streams.schemas import FEATURES
from libs.streams.shards import Shard, with_shared_ids
from libs.streams.writer import PackedWriter
from tests.conftest import redis_executable

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
WAIT_S = 60.0


class Service:
    """A running service and where to reach it."""

    def __init__(self, folder: Path, url: str, prefix: str, port: int) -> None:
        self.port = port
        config = folder / "signals.toml"
        config.write_text(
            f'model = "{ROOT / "config/models/default.json"}"\nredis_url = "{url}"\nstream_prefix = "{prefix}"\n'
            f'http_port = {port}\nblock_ms = 20\nlog_format = "json"\n'
        )
        self.log = folder / "log"
        environment = {k: v for k, v in os.environ.items() if k not in {"REDIS_URL", "HTTP_HOST"}}
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.signals", "--config", str(config)],
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
        return dict(json.loads(self.get("/status")[1]))

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds, or fail with the log."""
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)

    def stop(self) -> int:
        """Stop it gracefully and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(5)


@pytest.fixture
def start(tmp_path: Path, free_port: int) -> Iterator[Callable[[str, str], Service]]:
    """Start services that end with the test."""
    running: list[Service] = []

    def begin(url: str, prefix: str) -> Service:
        running.append(Service(tmp_path, url, prefix, free_port))
        return running[-1]

    yield begin
    for service in running:
        if service.process.poll() is None:
            service.process.kill()
            service.process.wait()


def _rows(*imbalances: float, feed_us: int = 1_000_000) -> np.ndarray:
    rows = np.zeros(len(imbalances), FEATURES)
    rows["book_id"] = np.arange(len(rows))
    rows["exchange"] = np.arange(len(rows)) % 5
    rows["symbol"] = [f"S{i}-USDT".encode() for i in range(len(rows))]
    rows["valid"], rows["session"], rows["sequence"] = 1, 77, np.arange(len(rows)) + 100
    rows["best_bid"], rows["best_ask"], rows["wap_0ms"], rows["spread_bps"] = 99.95, 100.05, 100.0, 10.0
    rows["queue_imbalance"], rows["feed_ts_us"], rows["sent_ts_us"] = imbalances, feed_us, time.time_ns() // 1000
    return rows


def _write(writer: PackedWriter, rows: np.ndarray) -> None:
    assert writer.write([("features", len(rows), rows.tobytes())])


def _signals(client: redis.Redis, prefix: str) -> list[dict[str, str]]:
    return [{k.decode(): v.decode() for k, v in fields.items()} for _, fields in client.xrange(f"{prefix}signals")]


def test_rows_become_signals_and_bad_rows_do_not(start: Callable[[str, str], Service], redis_server: str) -> None:
    """Good rows beyond the threshold are signals with the event's identity; the others are counted by reason."""
    prefix = "sigtest:"
    client = redis.Redis.from_url(redis_server)
    writer = PackedWriter(redis_server, prefix, 1, {"features": 1000})
    writer.publish_schemas()
    service = start(redis_server, prefix)
    service.wait(lambda: service.get("/readyz")[0] == 200)
    rows = _rows(0.9, -0.9, 0.01, 0.9, np.nan, 0.9)
    rows["valid"][3], rows["flags"][3] = 0, NO_SNAPSHOT
    rows["sent_ts_us"][5] -= 60_000_000
    _write(writer, rows)
    service.wait(lambda: len(_signals(client, prefix)) == 2)
    bought, sold = _signals(client, prefix)
    assert (bought["exchange"], bought["symbol"], bought["action"]) == ("binance", "S0-USDT", "buy")
    assert (sold["exchange"], sold["symbol"], sold["action"]) == ("bybit", "S1-USDT", "sell")
    assert (bought["session"], bought["sequence"], bought["run"], bought["costs"]) == ("77", "100", "1", "demo")
    assert int(bought["signal_ts_ns"]) > 1000 * int(bought["sent_ts_us"])
    service.wait(lambda: service.status().get("rows") == 6)
    status = service.status()
    assert status["skipped"] == {"not_valid": 1, "nan_feature": 1, "stale": 1}
    assert (status["signals"], status["by_action"]) == (2, {"buy": 1, "sell": 1})
    assert status["latency_ns"]["signal"]["count"] == 6
    assert status["model"]["digest"] == bought["model"]
    assert "90th percentile" in status["threshold_note"]
    assert [signal["symbol"] for signal in status["recent"]] == ["S0-USDT", "S1-USDT"]
    metrics = service.get("/metrics")[1]
    assert 'sig_signals_total{model="default",side="buy"} 1.0' in metrics
    assert 'sig_skipped_total{reason="not_valid"} 1.0' in metrics
    assert 'md_e2e_latency_seconds_count{path="signal"} 6.0' in metrics

    # The consumer starts anew: the same ids are said again, because they mean other books now.
    writer.close()
    writer = PackedWriter(redis_server, prefix, 2, {"features": 1000})
    _write(writer, _rows(0.9))
    service.wait(lambda: len(_signals(client, prefix)) == 3)
    service.wait(lambda: service.status()["redis"]["breaks"] == 1)
    writer.close()

    # Two consumers that share the symbols come in its place: their entries alternate, and neither is a restart.
    writers = [PackedWriter(redis_server, prefix, 3, {"features": 1000}, shard=Shard(number, 2)) for number in (1, 2)]
    for _ in range(3):
        for at, each in enumerate(writers):
            _write(each, with_shared_ids(_rows(0.9), Shard(at + 1, 2)))
    service.wait(lambda: service.status().get("rows") == 13)
    assert len(_signals(client, prefix)) == 5
    for each in writers:
        each.close()
    assert service.stop() == 0
    assert service.log.read_text().count("consumer_restarted") == 2


def test_it_waits_for_a_redis_that_is_not_there(start: Callable[[str, str], Service]) -> None:
    """Without Redis it is alive and not ready, and says why; when Redis comes it works."""
    # A unix socket path may hold 107 bytes, so the directory is a short one of our own.
    folder = Path(tempfile.mkdtemp(prefix="cb-sig-"))
    path = folder / "redis.sock"
    service = start(f"unix://{path}?db=0", "")
    service.wait(lambda: service.get("/readyz")[0] == 503 and "Redis is not readable" in service.get("/readyz")[1])
    assert service.get("/livez")[0] == 200
    server = subprocess.Popen(
        [redis_executable(), "--port", "0", "--unixsocket", str(path), "--dir", str(folder), "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    try:
        service.wait(lambda: service.get("/readyz")[0] == 200)
        writer = PackedWriter(f"unix://{path}?db=0", "", 1, {"features": 1000})
        _write(writer, _rows(0.9))
        client = redis.Redis.from_url(f"unix://{path}?db=0")
        service.wait(lambda: len(_signals(client, "")) == 1)
        assert service.stop() == 0
    finally:
        server.terminate()
        server.wait(5)
        shutil.rmtree(folder, ignore_errors=True)


def test_an_unknown_schema_stops_it_by_name(start: Callable[[str, str], Service], redis_server: str) -> None:
    """Rows of a version that it does not know end the service with a line that names both versions."""
    prefix = "sigschema:"
    client = redis.Redis.from_url(redis_server)
    service = start(redis_server, prefix)
    service.wait(lambda: service.get("/readyz")[0] == 200)
    client.xadd(f"{prefix}features", {"v": "99", "run": "1", "n": "0", "d": b""})
    assert service.process.wait(10) == 1
    assert "expected version 1, found 99" in service.log.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('model = "absent.json"', "absent.json: -: expected a file, found nothing there"),
        ('cost = "demo"', "signals.toml: cost: expected a known key (near: costs)"),
    ],
)
def test_a_wrong_file_ends_with_status_2(tmp_path: Path, text: str, message: str) -> None:
    """A mistake in the settings, or no model, is one line and exit status 2."""
    path = tmp_path / "signals.toml"
    path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "services.signals", "--config", str(path)],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1

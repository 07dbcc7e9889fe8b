"""The consumer when things go wrong: a line loses messages, Redis dies, a port is taken, a file is wrong."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from libs.streams.reader import PackedReader
from libs.streams.schemas import STATUS_KINDS
from services.consumer.__main__ import main
from tests.conftest import ROOT
from tests.libs.engine.harness import LAST, Feed
from tests.services.consumer.running import (
    START_S,
    SYMBOLS,
    Line,
    OwnRedis,
    Service,
    environment,
    feed,
    stop_limit_s,
    tcp_port,
    write_config,
)

pytestmark = pytest.mark.integration


class Run:
    """A consumer on two lines, with a Redis of its own."""

    def __init__(self, folder: Path) -> None:
        self.redis = OwnRedis()
        self.a, self.b = Line(2), Line(3)
        udp = {"line_b": {"group": self.b.group, "port": self.b.port}, "allowed_sources": ["127.0.0.1"]}
        self.service = Service(folder, self.redis.url, self.a, udp=udp)
        self.service.started()

    def open(self, exchange: int) -> Feed:
        """Begin a channel on both lines and return its numbering."""
        sender = feed(exchange)
        for message in (sender.heartbeat(), sender.instrument(), sender.snapshot()):
            self.a.send(message)
            self.b.send(message)
        return sender

    def rows(self, stream: str) -> Any:
        """Return the rows of each entry of a stream, with what the reader noticed."""
        reader = PackedReader(self.redis.url, "", [stream], start="0", block_ms=0)
        found = reader.read()
        reader.close()
        return [row for batch in found for row in batch.rows]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Run one consumer for the module."""
    found = Run(tmp_path_factory.mktemp("consumer"))
    yield found
    found.service.process.kill()
    found.redis.close()


def test_line_b_heals_what_line_a_loses(run: Run) -> None:
    """What one line loses, the other brings: nothing is lost, and each hole counts as healed by a line."""
    sender = run.open(0)
    for i in range(60):
        message = sender.book(LAST, [(9_000 + i, 1 + i)], [])
        on_a, on_b = i % 4 != 3, i % 6 != 4  # never both
        if on_a:
            run.a.send(message)
        if on_b:
            run.b.send(message)
    run.a.send(sender.heartbeat())
    run.b.send(sender.heartbeat())
    run.service.wait_for_sequence("binance/BTC-USDT", sender.next - 1)
    run.service.wait(lambda: run.service.json("/channels")["binance"]["pending"] == 0)
    channel = run.service.json("/channels")["binance"]
    assert channel["sent"] == channel["applied"] == sender.next - 1
    assert (channel["lost"], channel["missing"], channel["unaccounted"], channel["refused"]) == (0, 0, 0, {})
    assert channel["gaps"] == channel["healed_by"]["line"] > 0
    assert channel["duplicate"] == 2 + 60 - 15 - 10
    book = run.service.book("binance/BTC-USDT", 60)
    assert book["valid"] is True
    assert book["bids"][5][0] == "90.59"


def test_redis_may_die_and_come_back(run: Run) -> None:
    """While Redis is away messages are applied; /readyz says why; afterwards the latest state and a break are there."""
    sender = run.open(3)
    run.service.wait_for_sequence("okx/BTC-USDT", 2)
    run.service.wait(lambda: [row for row in run.rows("features") if row["exchange"] == 3])
    run.redis.kill()
    deltas = [sender.book(LAST, [(9_000 + i, 1 + i)], []) for i in range(40)]
    run.a.send(*deltas[:20])
    run.service.wait_for_sequence("okx/BTC-USDT", deltas[19].sequence)
    _, body = run.service.wait(lambda: (found := run.service.get("/readyz"))[0] == 503 and found)
    assert "Redis is not writable" in json.loads(body)["reason"]
    run.a.send(*deltas[20:], sender.trade(), sender.heartbeat())
    run.service.wait_for_sequence("okx/BTC-USDT", deltas[-1].sequence)
    assert run.service.get("/livez")[0] == 200

    run.redis.start()
    run.service.wait(run.service.ready)
    run.service.wait(lambda: [row for row in run.rows("trades") if row["exchange"] == 3])
    kinds = [STATUS_KINDS[row["kind"]] for row in run.rows("status")]
    assert kinds[0] == "break"
    for stream in ("features", "book"):
        newest = [row for row in run.rows(stream) if row["exchange"] == 3][-1]
        assert newest["sequence"] == deltas[-1].sequence
        assert newest["oldest_sent_ts_us"] < newest["sent_ts_us"]
    report = run.service.json("/status")["redis"]
    assert (report["reconnects"], report["dropped"]) == (1, 0)
    channel = run.service.json("/channels")["okx"]
    assert (channel["applied"], channel["unaccounted"]) == (sender.next - 1, 0)


def test_a_stop_without_redis_is_a_stop_too(run: Run) -> None:
    """With Redis away SIGTERM still ends in exit 0 within 2 s, and what could not be written is counted."""
    run.redis.kill()
    status, seconds = run.service.stop()
    assert (status, seconds < stop_limit_s()) == (0, True), run.service.log.read_text()
    assert run.service.lines()[-1]["event"] == "stats"


def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    """A taken HTTP port ends the service with 3 and one line that says what to set."""
    line = Line(4)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        path = write_config(tmp_path, "redis://127.0.0.1:1/0", (line.group, line.port), http_port=port)
        command = [sys.executable, "-m", "services.consumer", "--config", str(path)]
        found = subprocess.run(
            command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=START_S, check=False
        )
    assert found.returncode == 3
    (said,) = found.stderr.splitlines()
    assert said.startswith(f"consumer: cannot listen on 127.0.0.1:{port}: ")
    assert said.endswith("already in use; set another http_port or http_host")


def test_an_interface_that_is_not_there_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group that cannot be joined ends the service with 3 and one line that names group and interface."""
    monkeypatch.setattr("signal.signal", lambda *_: None)
    udp = {"interface": "192.0.2.1"}
    path = write_config(tmp_path, "redis://127.0.0.1:1/0", ("239.192.77.5", 9001), udp=udp)
    assert main(["--config", str(path)]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("consumer: cannot join 239.192.77.5:9001 on 192.0.2.1: ")


BTC = SYMBOLS[0]
WRONG: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "unknown key": ({"settings": "colour = 1\n"}, ("consumer.toml", "colour")),
    "wrong type": ({"settings": 'publish_batch = "many"\n'}, ("consumer.toml", "publish_batch", "int", "many")),
    "negative": ({"settings": "book_interval_ms = -1\n"}, ("consumer.toml", "book_interval_ms", ">= 0", "-1")),
    "address of Redis": ({"url": "localhost:6379"}, ("consumer.toml", "redis_url", "redis://", "localhost:6379")),
    "http port": ({"http_port": 70_000}, ("consumer.toml", "http_port", "65535", "70000")),
    "password of Redis": ({"url": "rediss:/x:secret@h"}, ("consumer.toml", "redis_url", "redis://", "rediss:")),
    "log format": ({"log": "loud"}, ("consumer.toml", "log_format", "json", "loud")),
    "group": ({"udp": {"group": "10.0.0.1"}}, ("symbols.json", "udp_config.group", "multicast", "10.0.0.1")),
    "named group": ({"udp": {"group": "all-hosts"}}, ("symbols.json", "udp_config.group", "all-hosts")),
    "port": ({"udp": {"port": 65_536}}, ("symbols.json", "udp_config.port", "65535", "65536")),
    "same line twice": (
        {"udp": {"line_b": {"group": "239.192.77.6", "port": 9001}}},
        ("symbols.json", "udp_config.line_b", "another", "239.192.77.6"),
    ),
    "tick 0": ({"symbols": [BTC | {"tick_size": "0"}]}, ("symbols.json", "symbols[0].tick_size", "0")),
    "symbol twice": ({"symbols": [BTC, BTC]}, ("symbols.json", "symbols[1].symbol", "once", "symbols[0]")),
    "exchange": ({"symbols": [BTC | {"exchange": "binanse"}]}, ("symbols.json", "symbols[0].exchange", "binance")),
    "ring": ({"processing": {"ring_buffer_size": 5000}}, ("symbols.json", "ring_buffer_size", "power of two", "5000")),
    "unknown key below": ({"processing": {"deep": 5}}, ("symbols.json", "processing_config.deep")),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_file_is_said_in_one_line(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2 and one line that names file, key, what was expected and what was found; nothing is started."""
    monkeypatch.setattr("services.consumer.app.run", lambda *_: 0)
    changes, words = WRONG[what]
    changes = dict(changes)
    url = changes.pop("url", "redis://127.0.0.1:1/0")
    loud = changes.pop("log", None)
    path = write_config(tmp_path, url, ("239.192.77.6", 9001), **({"http_port": tcp_port()} | changes))
    if loud:
        path.write_text(path.read_text().replace('log_format = "json"', f'log_format = "{loud}"'))
    assert main(["--config", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("consumer: ")
    assert "secret" not in line
    assert [word for word in (*words, "expected", "found") if word not in line] == [], line


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2 for a missing settings file, and for a missing symbols file that it names."""
    assert main(["--config", str(tmp_path / "none.toml")]) == 2
    assert "none.toml" in capsys.readouterr().err
    path = write_config(tmp_path, "redis://127.0.0.1:1/0", ("239.192.77.6", 9001))
    (tmp_path / "symbols.json").unlink()
    assert main(["--config", str(path)]) == 2
    assert "symbols.json" in capsys.readouterr().err

"""A consumer as a process, senders on loopback multicast, a Redis that can be killed: support for the tests here."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis

from libs.multicast.sender import open_sender
from libs.wire.messages import Message, encode
from tests.conftest import ROOT, redis_executable
from tests.libs.engine.harness import Feed

WAIT_S = 60.0
START_S = 180.0
"""A first start compiles the kernels."""
GROUP = "239.192.77.{}"
SYMBOLS = [
    {"exchange": exchange, "symbol": symbol, "tick_size": "0.01", "lot_size": "0.001"}
    for exchange in ("binance", "okx")
    for symbol in ("BTC-USDT", "ETH-USDT")
]
# Silence is normal in these tests; a late scheduler must not turn a hole that is healed into a loss.
PROCESSING = {
    "max_books": 64,
    "max_symbols": 32,
    "depth": 64,
    "ring_buffer_size": 4096,
    "heal_timeout_ms": 300,
    "stale_after_ms": dict.fromkeys(("binance", "bybit", "coinbase", "okx", "deribit"), 60_000),
}


def wait(condition: Callable[[], Any], log: Callable[[], str] = str, timeout_s: float = WAIT_S) -> Any:
    """Wait until something holds and return it, or fail with the log."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, log()
        time.sleep(0.02)
    return found


def udp_port() -> int:
    """Return a UDP port that nothing is bound to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tcp_port() -> int:
    """Return a TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stop_limit_s() -> float:
    """Return how long a stop may take: 2 s, and in proportion longer where others want the processors too."""
    return 2.0 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def feed(exchange: int = 0) -> Feed:
    """Return a sender's numbering whose session begins now."""
    return Feed(exchange, time.time_ns())


class Line:
    """One line: a connected multicast socket; a datagram a message unless told otherwise."""

    def __init__(self, number: int = 1) -> None:
        self.group, self.port = GROUP.format(number), udp_port()
        self.socket = open_sender(self.group, self.port, "127.0.0.1")

    def send(self, *messages: Message) -> None:
        """Send messages, a datagram each."""
        for message in messages:
            self.socket.send(encode(message))

    def send_bytes(self, data: bytes) -> None:
        """Send one datagram."""
        self.socket.send(data)


def write_config(folder: Path, url: str, line: tuple[str, int], **changes: Any) -> Path:
    """Write both files and return the first.

    It asks no recovery server. ``changes``: ``settings`` (text added to the TOML), ``udp``, ``processing`` and
    ``symbols`` of the symbols file.
    """
    path = folder / "consumer.toml"
    port = changes.get("http_port") or tcp_port()
    path.write_text(
        f'symbols_file = "symbols.json"\nhttp_port = {port}\nredis_url = "{url}"\nlog_format = "json"\n'
        + changes.get("recovery", "recovery = []\n")
        + changes.get("settings", "")
    )
    symbols = {
        "udp_config": {"group": line[0], "port": line[1], "interface": "127.0.0.1"} | changes.get("udp", {}),
        "symbols": changes.get("symbols", SYMBOLS),
        "processing_config": PROCESSING | changes.get("processing", {}),
    }
    (folder / "symbols.json").write_text(json.dumps(symbols))
    return path


def environment() -> dict[str, str]:
    """Return this process's environment without what would win over the files."""
    names = {"REDIS_URL", "HTTP_HOST", "CONSUMER_CONFIG", "CROSSBOOK_TOKEN"}
    return {name: value for name, value in os.environ.items() if name not in names}


class Service:
    """A running consumer and where to reach it."""

    def __init__(self, folder: Path, url: str, line: Line, **changes: Any) -> None:
        self.port = changes.setdefault("http_port", tcp_port())
        path = write_config(folder, url, (line.group, line.port), **changes)
        self.log = folder / "log"
        command = [sys.executable, "-m", "services.consumer", "--config", str(path)]
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(command, cwd=ROOT, stderr=out, env=environment())

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body; 0 while nothing listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def json(self, path: str) -> Any:
        """Return the document of an answer 200."""
        status, body = self.get(path)
        assert status == 200, (status, body)
        return json.loads(body)

    def book(self, name: str, depth: int = 20) -> dict[str, Any]:
        """Return a book, as in ``binance/BTC-USDT``."""
        return dict(self.json(f"/books/{name}?depth={depth}"))

    def ready(self) -> bool:
        """Return whether /readyz says so."""
        return self.get("/readyz")[0] == 200

    def wait(self, condition: Callable[[], Any], timeout_s: float = WAIT_S) -> Any:
        """Wait until something holds, or fail with the log."""

        def holds() -> Any:
            assert self.process.poll() is None, self.log.read_text()
            return condition()

        return wait(holds, self.log.read_text, timeout_s)

    def started(self) -> None:
        """Wait until it is ready."""
        self.wait(self.ready, START_S)

    def wait_for_sequence(self, name: str, sequence: int) -> None:
        """Wait until a book shows the event that a message completed."""
        self.wait(lambda: self.book(name)["sequence"] >= sequence)

    def stop(self) -> tuple[int, float]:
        """Stop it gracefully; return its exit status and how long that took, in seconds."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(10), time.monotonic() - began
        finally:
            self.process.kill()

    def lines(self) -> list[dict[str, Any]]:
        """Return what it logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


class OwnRedis:
    """A Redis on a unix socket, which may be killed and started again where it was."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cb-consumer-"))
        self.path = self.folder / "r.sock"
        self.url = f"unix://{self.path}?db=0"
        self.start()

    def start(self) -> None:
        """Start it, empty."""
        command = [redis_executable(), "--port", "0", "--unixsocket", str(self.path), "--dir", str(self.folder)]
        self.process = subprocess.Popen([*command, "--save", ""], stdout=subprocess.DEVNULL)
        wait(self._answers)

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

    def kill(self) -> None:
        """End it without a word."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End it and leave nothing behind."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

"""The real services on this machine, so that every metric has somebody who exports it.

`crossbook up` with a replay under load and loss, a recorder beside it, and a second one whose feeder follows five
played venues; only the feeder of that one is scraped.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scripts.observed.server import free_port
from services.cli import redis_server
from services.cli.api import Endpoint
from services.cli.rundir import running

READY_S = 600.0
STOP_S = 20.0
LOAD = ("--symbols", "6", "--rate", "3000", "--loss", "0.005")


@contextlib.contextmanager
def services() -> Iterator[dict[str, str]]:
    """Run everything; give ``host:port`` by job.

    Raises
    ------
    RuntimeError
        When a part does not get ready.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crossbook-dashboards-")))
        replayed = stack.enter_context(_started(folder, "up", [*LOAD, "--state-dir", str(folder / "replay")]))
        note = _note(replayed)
        endpoints = dict(note["http"])
        fed = stack.enter_context(
            _started(folder, "up", ["--feed", "fake", "--state-dir", str(folder / "feed")], "fed")
        )
        endpoints["feeder"] = _note(fed)["http"]["feeder"]
        port = free_port()
        config = folder / "recorder.toml"
        config.write_text(f'http_port = {port}\nredis_url = "{note["redis_url"]}"\n')
        recorded = [str(folder / "recording"), "--config", str(config)]
        stack.enter_context(_started(folder, "record", recorded))
        endpoints["recorder"] = ("127.0.0.1", port)
        for name, (host, each) in endpoints.items():
            _wait_ready(name, Endpoint(str(host), int(each)))
        yield {f"md-{name}": f"{host}:{each}" for name, (host, each) in sorted(endpoints.items())}


class Redis:
    """A Redis of our own, which can be killed and comes back empty, at the same place.

    Parameters
    ----------
    folder : Path
        Short: the path of a unix socket holds 107 bytes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._socket = folder, folder / "redis.sock"
        self.url = redis_server.socket_url(self._socket)
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises
        ------
        RuntimeError
            When it does not.
        """
        command = redis_server.command(redis_server.executable(), self._folder, self._socket)
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        end = time.monotonic() + STOP_S
        while not redis_server.answers(self._socket):
            if time.monotonic() > end:
                raise RuntimeError("redis-server does not answer")
            time.sleep(0.05)

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        return self._process.pid

    def kill(self) -> None:
        """End it at once, with all that it holds."""
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def run(*words: str) -> Iterator[tuple[dict[str, Any], Redis]]:
    """Run `crossbook up` with these words; give the note that it leaves (pid, ``http`` by service) and its Redis."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crossbook-observed-")))
        redis = Redis(folder)
        stack.callback(redis.kill)
        state = ["--state-dir", str(folder / "state")]
        yield _note(stack.enter_context(_started(folder, "up", [*words, *state], REDIS_URL=redis.url))), redis


def jobs(note: dict[str, Any]) -> dict[str, str]:
    """Return ``host:port`` by Prometheus job of what a note says."""
    return {f"md-{name}": f"{host}:{port}" for name, (host, port) in sorted(note["http"].items())}


def children(pid: int) -> list[int]:
    """Return the children of a process, and theirs."""
    try:
        found = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return found + [grandchild for child in found for grandchild in children(child)]


def command_of(pid: int) -> list[str]:
    """Return the command line of a process; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
    except OSError:
        return []


@contextlib.contextmanager
def _started(
    folder: Path, command: str, words: Sequence[str], name: str = "", **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    log = folder / f"{name or command}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.cli", command, *words],
            stdout=out, stderr=subprocess.STDOUT, env=os.environ | environment,
        )  # fmt: skip
    try:
        yield process
    except BaseException:
        print(log.read_text(errors="replace")[-3000:], file=sys.stderr)
        raise
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()


def _note(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Return what a run of `crossbook up` says of itself, once it does."""
    end = time.monotonic() + READY_S
    while time.monotonic() < end and process.poll() is None:
        for note in running():
            if note["pid"] == process.pid and note["http"]:
                return note
        time.sleep(0.2)
    raise RuntimeError(f"crossbook up did not get ready; its status is {process.poll()}")


def _wait_ready(name: str, endpoint: Endpoint) -> None:
    end, reason = time.monotonic() + READY_S, ""
    while time.monotonic() < end:
        ready, reason = endpoint.ready()
        if ready:
            return
        time.sleep(0.2)
    raise RuntimeError(f"{name} did not get ready: {reason}")

"""The stack that a load test is pointed at: one that runs, or one of its own for as long as the test takes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from libs.errors import MissingError
from services.cli.api import Endpoint
from services.cli.arguments import config_folder
from services.cli.children import die_with
from services.cli.configs import endpoints_of
from services.cli.rundir import running

NEEDED = ("replay", "consumer", "signals", "oms")
READY_S = 900.0
"""A first run compiles its kernels."""
STOP_S = 10.0


@dataclass
class Stack:
    """Where the services answer.

    Attributes
    ----------
    endpoints : mapping
    redis_url : str
        As k6 takes it: over TCP.
    prefix : str
        Of the streams' names.
    own : Popen or None
        The run that goes with the test.
    stopped_s : float
        How long it took to end; -1: it did not end by itself, or is not ours.
    """

    endpoints: Mapping[str, Endpoint]
    redis_url: str
    prefix: str = ""
    own: subprocess.Popen[bytes] | None = None
    stopped_s: float = -1.0
    closing: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)


def attach(config: str | None) -> Stack | None:
    """Return the stack that runs here: of the newest `crossbook up`, or at the ports of a configuration.

    Returns
    -------
    Stack or None
        None when not all of replay, consumer, signals and oms answer.
    """
    notes = running() if config is None else []
    for note in notes:
        if all(name in note["http"] for name in NEEDED):
            return of_note(note)
    endpoints = {n: e for n, e in endpoints_of(config_folder(config)).items() if n in NEEDED}
    if all(endpoint.get("/livez") is not None for endpoint in endpoints.values()):
        return Stack(endpoints, os.environ.get("REDIS_URL", "redis://127.0.0.1:6379"))
    return None


def missing(config: str | None) -> MissingError:
    """Return the error that says that there is no stack, and where it was looked for."""
    asked = ", ".join(f"{n} {e}" for n, e in endpoints_of(config_folder(config)).items() if n in NEEDED)
    return MissingError(f"nothing runs here (asked {asked}); start it: crossbook up, or docker compose up")


def of_note(note: dict[str, Any]) -> Stack:
    """Return the stack that a run's note tells of; its Redis is made reachable for k6, which speaks TCP only."""
    endpoints = {name: Endpoint(str(host), int(port)) for name, (host, port) in note["http"].items()}
    stack = Stack(endpoints, str(note["redis_url"]), str(note["stream_prefix"]))
    if stack.redis_url.startswith("unix://"):
        path = stack.redis_url.removeprefix("unix://").partition("?")[0]
        relay = stack.closing.enter_context(Relay(path))
        stack.redis_url = f"redis://127.0.0.1:{relay.port}"
    return stack


@contextlib.contextmanager
def started(folder: Path, words: list[str]) -> Iterator[Stack]:
    """Run `crossbook up` for as long as the context is open.

    Raises
    ------
    MissingError
        When it does not get ready, with the last line that it said.
    """
    log = folder / "up.log"
    command = [sys.executable, "-m", "services.cli", "up", *words, "--state-dir", str(folder / "state")]
    with log.open("wb") as out:
        # A group of its own: the terminal's Ctrl-C is for us, who stop it when all is judged. It never outlives us.
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with(os.getpid()),  # noqa: PLW1509 - there is one thread as yet
            process_group=0,
        )
    try:
        stack = of_note(_note(process, log))
        stack.own = process
        with stack.closing:
            yield stack
    finally:
        began = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
            with contextlib.suppress(UnboundLocalError):
                stack.stopped_s = time.monotonic() - began
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _note(process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    end = time.monotonic() + READY_S
    while time.monotonic() < end and process.poll() is None:
        for note in running():
            if note["pid"] == process.pid:
                return note
        time.sleep(0.1)
    said = log.read_text(errors="replace").strip().splitlines()
    raise MissingError(f"crossbook up did not get ready: {said[-1] if said else 'it said nothing'}")


def redis_of(stack: Stack) -> list[int]:
    """Return the Redis processes of our own run."""
    if stack.own is None:
        return []
    children = Path(f"/proc/{stack.own.pid}/task/{stack.own.pid}/children").read_text().split()
    return [int(pid) for pid in children if "redis-server" in Path(f"/proc/{pid}/cmdline").read_text()]


class Relay:
    """Passes TCP connections of loopback on to a unix socket, while the context is open."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])

    def __enter__(self) -> Relay:
        threading.Thread(target=self._accept, name="relay", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(self.path)
            except OSError:
                near.close()
                continue
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pass_on, args=(source, sink), name="relay", daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)

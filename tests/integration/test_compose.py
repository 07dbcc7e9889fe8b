"""The whole stack in containers, for real: brought up, asked, broken, mended, and gone without a trace.

Run by `make compose` and by CI; not by `make test`, which needs no Docker.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator

import pytest
import redis

from scripts.dashboard_checks import live
from scripts.dashboard_checks.problems import read_boards
from scripts.observed.server import Api
from tests.integration.containers import PORTS, PROJECT, Stack, ask, wait

pytestmark = [pytest.mark.compose, pytest.mark.timeout(900)]

UP_GOAL_S = 30.0
ALL = ("redis", "consumer", "replay", "signals", "oms", "prometheus", "grafana")
CONSUMER, REPLAY = "http://127.0.0.1:9291", "http://127.0.0.1:9290"
WITHOUT_REPLAY = {"REPLAY": "0"}


def inject(**odds: float) -> None:
    """Tell the replay what goes wrong from now on."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{REPLAY}/inject", json.dumps(odds).encode(), headers, method="POST")
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 200


def valid_books() -> int:
    """Return how many books are valid, when all that were heard are."""
    status = ask(f"{CONSUMER}/status")
    books = status["books"] if status else {"valid": 0, "total": 1}
    return int(books["valid"]) if books["valid"] == books["total"] else 0


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    found = Stack()
    found("--profile", "*", "down", "-v", "--remove-orphans")
    found("build", "consumer", "recorder", timeout_s=900)
    try:
        yield found
    finally:
        log = found("logs", "--no-color", "--tail", "30")
        found("--profile", "*", "down", "-v", "--remove-orphans")
        print(log)


@pytest.fixture(scope="module")
def up(stack: Stack) -> tuple[Stack, float]:
    began = time.monotonic()
    stack("up", "-d", "--wait", "--wait-timeout", "120")
    return stack, time.monotonic() - began


def test_state_outlives_a_restart() -> None:
    """What must survive has a volume of its own: the journal of orders, and the recording."""
    services = json.loads(Stack()("--profile", "*", "config", "--format", "json"))["services"]
    kept = {"oms", "recorder"}
    for name, service in services.items():
        own = {v["target"] for v in service.get("volumes", []) if v["type"] == "volume"}
        assert ("/var/lib/crossbook" in own) == (name in kept), name


def test_everything_is_healthy_soon(up: tuple[Stack, float]) -> None:
    """`up --wait` brings every service to health within the goal, and books are valid then."""
    stack, took_s = up
    print(f"compose: up --wait took {took_s:.1f} s (goal {UP_GOAL_S:g} s)")
    assert stack.healths() == dict.fromkeys(ALL, "healthy")
    assert wait("valid books", valid_books, 20) >= 30
    # Machines that run this are shared: the goal is for the note, twice as long for a failure.
    assert took_s < 2 * UP_GOAL_S


@pytest.mark.parametrize(("image", "limit_mb"), [("runtime", 700), ("analysis", 1300)])
def test_images_are_small(up: tuple[Stack, float], image: str, limit_mb: int) -> None:
    """What a user builds and keeps has its limits."""
    command = ["docker", "image", "inspect", "-f", "{{.Size}}", f"crossbook-{image}:local"]
    size_mb = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 1e6
    print(f"compose: {image} image {size_mb:.0f} MB (goal {limit_mb} MB)")
    assert size_mb < limit_mb


def test_a_build_without_changes_is_quick(stack: Stack) -> None:
    """Everything comes from the cache."""
    began = time.monotonic()
    stack("build", "consumer")
    print(f"compose: a build without changes took {time.monotonic() - began:.1f} s")
    assert time.monotonic() - began < 20


def test_signals_and_orders_flow(up: tuple[Stack, float]) -> None:
    """Streams grow, signals are made, and orders leave and are filled."""
    client = redis.Redis(port=PORTS["REDIS_PORT"])
    before = client.xlen("signals")
    assert wait("features", lambda: client.xlen("features") > 10)
    assert wait("signals", lambda: client.xlen("signals") > before)
    oms = f"http://127.0.0.1:{PORTS['OMS_PORT']}/status"
    assert wait("orders", lambda: (ask(oms) or {"orders": {"sent": 0}})["orders"]["sent"])
    client.close()


def test_every_target_is_up_and_every_panel_answers(up: tuple[Stack, float]) -> None:
    """Prometheus scrapes every service across the bridge, and every query about what runs here has an answer."""
    api = Api(f"http://127.0.0.1:{PORTS['PROMETHEUS_PORT']}")
    needed = {"md-replay", "md-consumer", "md-signals", "md-oms", "prometheus"}
    up_now = wait("targets", lambda: needed <= {one["metric"]["job"] for one in api.instant("up == 1")} or None)
    assert up_now
    # Some loss, so that there is something to heal.
    inject(loss=0.01)
    time.sleep(30)
    end = time.time()
    inject(loss=0.0)
    problems = live.ask(read_boards(), api, end - 25, end, scrape_s=2)
    elsewhere = ("feeder_", "rec_", "md_clock_")
    assert [str(problem) for problem in problems if not any(name in problem.what for name in elsewhere)] == []
    rules = api.get("/api/v1/rules")["groups"]
    assert all(rule["health"] == "ok" for group in rules for rule in group["rules"])
    assert ask(f"http://127.0.0.1:{PORTS['GRAFANA_PORT']}/api/health")


def test_k6_says_that_it_holds(up: tuple[Stack, float]) -> None:
    """The smoke test of profile load, in its own container, is green."""
    stack, _ = up
    stack("--profile", "load", "build", "k6", timeout_s=600)
    said = stack("--profile", "load", "run", "--rm", "k6", LOAD_DURATION="20", LOAD_P99_MS="500")
    print(said)
    assert "CROSSED" not in said
    assert "ledger_balanced" in said


def test_a_killed_consumer_comes_back(up: tuple[Stack, float]) -> None:
    """After a kill, `up` brings it back: it joins in the middle of the session and has valid books again."""
    stack, _ = up
    run = ask(f"{CONSUMER}/status")["run"]
    stack("kill", "consumer")
    assert ask(f"{CONSUMER}/status") is None
    stack("up", "-d", "--wait", "--wait-timeout", "120")
    status = wait("another run", lambda: ask(f"{CONSUMER}/status"))
    assert status["run"] != run
    assert wait("valid books", valid_books, 60) >= 30
    unaccounted = sum(channel["unaccounted"] for channel in ask(f"{CONSUMER}/channels").values())
    assert unaccounted == 0 or wait("a balanced ledger", lambda: not _unbalanced())


def _unbalanced() -> int:
    return sum(channel["ledger_checks"]["failed"] for channel in ask(f"{CONSUMER}/channels").values())


def test_a_crash_is_restarted(up: tuple[Stack, float]) -> None:
    """A service that ends by itself is started again by the engine."""
    stack, _ = up
    before = ask(f"{REPLAY}/status")["sent"]["binance"]["session"]
    container = stack("ps", "-q", "replay").strip()
    # By its host's pid: an engine takes a kill of its own for a stop that somebody wants.
    inspected = subprocess.run(
        ["docker", "inspect", "-f", "{{.State.Pid}}", container], capture_output=True, text=True, check=True
    )
    os.kill(int(inspected.stdout), signal.SIGKILL)
    after = wait("another session", lambda: _session() not in (None, before) and _session())
    assert after != before
    assert wait("valid books", valid_books, 60) >= 30


def _session() -> int | None:
    status = ask(f"{REPLAY}/status")
    return status["sent"]["binance"]["session"] if status else None


def test_the_pipe_does_not_notice_who_watches(up: tuple[Stack, float]) -> None:
    """Without Prometheus and Grafana messages are applied as before, and nothing is lost."""
    stack, _ = up
    stack("stop", "-t", "3", "prometheus", "grafana")
    before = ask(f"{CONSUMER}/status")
    time.sleep(3)
    after = ask(f"{CONSUMER}/status")
    assert after["updates_applied"] > before["updates_applied"]
    lost = [sum(channel["lost"] for channel in status["channels"].values()) for status in (before, after)]
    assert lost[0] == lost[1]
    stack("up", "-d", "--wait", "--wait-timeout", "60")


def test_a_recorder_beside_it(up: tuple[Stack, float]) -> None:
    """Profile storage: a recorder takes the streams, and what it took stands as Parquet in its volume."""
    stack, _ = up
    stack("--profile", "storage", "up", "-d", "--wait", "--wait-timeout", "60")
    recorder = f"http://127.0.0.1:{PORTS['RECORDER_PORT']}/status"
    assert wait("recorded rows", lambda: (ask(recorder) or {"waiting": {"rows": 0}})["waiting"]["rows"] > 100)
    stack("stop", "recorder")
    volume = f"{PROJECT}_recording:/recording:ro"
    listing = "import glob; print(*glob.glob('/recording/**/*.parquet', recursive=True))"
    command = ["docker", "run", "--rm", "--network", "none", "-v", volume, "crossbook-analysis:local", "python", "-c"]
    parts = subprocess.run([*command, listing], capture_output=True, text=True, check=True).stdout.split()
    assert {"features", "nbbo", "book"} <= {name for part in parts for name in part.split("/")}, parts


def test_played_venues_instead_of_the_replay(up: tuple[Stack, float]) -> None:
    """Profile feed: the feeder follows five played venues over real WebSockets, and their books become valid."""
    stack, _ = up
    stack("--profile", "feed", "up", "-d", "--wait", "--wait-timeout", "120", **WITHOUT_REPLAY)
    status = wait("a synchronised feeder", _synchronised, 60)
    assert status
    assert "replay" not in stack.healths()
    channels = ask(f"{CONSUMER}/channels")
    assert {name for name, one in channels.items() if one["applied"]} >= {
        "binance",
        "bybit",
        "coinbase",
        "okx",
        "deribit",
    }


def _synchronised() -> bool:
    status = ask("http://127.0.0.1:9294/status")
    if not status or not status["feeds"]:
        return False
    connections = [one for feed in status["feeds"].values() for one in feed["connections"]]
    return bool(connections) and all(one["synchronised"] == one["symbols"] for one in connections)


def test_nothing_is_left() -> None:
    """`down -v` leaves no container, no volume and no network of ours."""
    stack = Stack()
    stack("--profile", "*", "down", "-v")
    for kind in (["ps", "-a"], ["volume", "ls"], ["network", "ls"]):
        command = ["docker", *kind, "-q", "--filter", f"label=com.docker.compose.project={PROJECT}"]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""

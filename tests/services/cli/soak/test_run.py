"""A load test with the real k6 against played services: they are left as they were found, whatever ends it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.cli.soak.plan import KINDS, schedule
from tests.services.cli.soak.answers import Service, serving
from tests.source import ROOT

OFFERED = 777
CHANNEL = {
    "lost": 0, "applied": 90, "unaccounted": 0, "pending": 0, "missing": 0, "sent": 90,
    "ledger_checks": {"failed": 0, "unaccounted": 0},
}  # fmt: skip
METRICS = '# TYPE md_latency_window_seconds gauge\nmd_latency_window_seconds{path="signal",quantile="0.99"} 0.002\n'


@pytest.fixture
def played(tmp_path: Path) -> Iterator[tuple[Path, Service]]:
    """Four services that answer, by the configuration that names their ports; and the one that plays the replay."""
    replay = Service(
        livez="ok", metrics=METRICS,
        status={"lines": 1, "offered_messages_per_s": OFFERED, "sent": {"okx": {"messages": 90}}, "sender_late": {}},
    )  # fmt: skip
    consumer = Service(
        livez="ok", readyz="{}", books=[], metrics=METRICS,
        status={
            "channels": {"okx": CHANNEL}, "books": {"valid": 1, "total": 1}, "ring": {"dropped": 0},
            "redis": {"dropped": 0},
        },
    )  # fmt: skip
    other = {"livez": "ok", "readyz": "{}", "positions": "[]", "risk": "{}", "metrics": METRICS}
    roles = {"replay": replay, "consumer": consumer, "signals": Service(**other), "oms": Service(**other)}
    with contextlib.ExitStack() as stack:
        for name, service in roles.items():
            at = stack.enter_context(serving(service))
            (tmp_path / f"{name}.toml").write_text(f"http_port = {at.port}\n")
        yield tmp_path, replay


def soak(folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "services.cli", "soak", "--config", str(folder), "--report", str(folder / "out")]
    # Nobody answers there: the streams are not what these tests are about.
    environment = os.environ | {"REDIS_URL": "redis://127.0.0.1:1"}
    return subprocess.Popen(
        [*command, *words], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def commands(replay: Service, *paths: str) -> list[tuple[str, dict[str, Any]]]:
    return [(path, body) for path, body in replay.commands if path in paths]


def test_the_sender_gets_its_rate_back(played: tuple[Path, Service]) -> None:
    """After the steps of a load test the rate is the one that was found."""
    folder, replay = played
    running = soak(folder, "--scenario", "load", "--duration", "4", "--rate", "100")
    said, _ = running.communicate(timeout=120)
    assert running.returncode == 1, said  # there is no Redis
    rates = [body["messages_per_s"] for _, body in commands(replay, "/rate")]
    assert rates == [25, 50, 75, 100, OFFERED], said
    verdict = json.loads((folder / "out" / "verdict.json").read_text())
    ledger = [check for check in verdict["checks"] if check["what"] == "k6: ledger_balanced"]
    assert [check["ok"] for check in ledger] == [True], said


def test_a_soak_that_is_ended_mends_what_it_broke(played: tuple[Path, Service]) -> None:
    """Ended within a fault: the fault is taken back, the rate too. Of one line, B cannot die: the schedule knows."""
    folder, replay = played
    seed = next(n for n in range(1, 99) if schedule(n, 60.0, own_stack=False, lines=1)[0].kind == "loss")
    running = soak(folder, "--duration", "60", "--rate", "50", "--faults", "--seed", str(seed))
    deadline = time.monotonic() + 60
    while not commands(replay, "/inject"):
        assert running.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    said, _ = running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGTERM, said
    loss = KINDS["loss"]
    assert commands(replay, "/inject") == [("/inject", loss.begin), ("/inject", loss.end)]
    assert [body["messages_per_s"] for _, body in commands(replay, "/rate")] == [50, OFFERED]

"""`crossbook up` with everything real: Redis, multicast, all services."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from services.cli.arguments import code_root
from tests.integration.runs import Running

pytestmark = [pytest.mark.integration, pytest.mark.slow]
SMALL = ("--symbols", "5", "--rate", "500")


def _sessions_left(run: Running, pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def _descendants(pid: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in path.read_text().split():
            found += [int(child), *_descendants(int(child))]
    return found


def test_a_short_run_holds_every_check(start: Callable[..., Running]) -> None:
    """Five seconds of the generator: nothing lost, nothing unaccounted, signals and orders flow, exit 0."""
    run = start("--duration", "5", *SMALL)
    assert run.wait() == 0, run.said()
    report = json.loads(run.report.read_text())
    assert set(report["channels"]) == {"binance", "bybit", "coinbase", "okx", "deribit"}
    for channel in report["channels"].values():
        assert channel["sent"] == channel["received"] - channel["duplicate"] > 100
        assert {line: state["silent"] for line, state in channel["lines"].items()} == {"A": False, "B": False}
        assert channel["lost"] == channel["pending"] == channel["unaccounted"] == 0
    assert report["books"]["valid"] == report["books"]["total"] == 25
    assert report["malformed"] == {}
    assert 4.5 <= report["duration_s"] < 9
    assert report["messages_per_s"] == pytest.approx(500, rel=0.25)
    for stage in ("wire", "book", "publish", "signal", "sender_late"):
        assert report["latency_ns"][stage]["count"] > 100, stage
    assert report["features_rows"] > 1000
    assert report["signals"] > 0
    assert report["orders"]["intents"] > 0
    assert report["checks_failed"] == []
    assert "All checks held." in run.said()


def test_a_second_run_beside_the_first(start: Callable[..., Running]) -> None:
    """Two runs at once have their own ports, group ports, Redis and state, and both are right; state is not shared."""
    first = start(*SMALL)
    first.until(first.note)
    second = start("--duration", "3", *SMALL)
    refused = subprocess.run(
        [sys.executable, "-m", "services.cli", "up", "--state-dir", str(first.folder / "var")],
        cwd=code_root(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 3
    assert "belongs to another run" in refused.stderr
    assert second.wait() == 0, second.said()
    assert "is taken: this run uses port" in second.said()
    first.process.terminate()
    assert first.wait() == 143, first.said()
    reports = [json.loads(run.report.read_text()) for run in (first, second)]
    assert [report["checks_failed"] for report in reports] == [[], []], first.said() + second.said()
    assert not set(reports[0]["http"].values()) & set(reports[1]["http"].values())


def test_a_killed_service_is_started_again(start: Callable[..., Running]) -> None:
    """A killed signal service comes back; the run goes on, and its exit status does not hide the crash."""
    run = start(*SMALL)
    run.until(run.flows)
    killed = run.children()["services.signals"]
    os.kill(killed, signal.SIGKILL)
    run.until(lambda: run.children().get("services.signals", killed) != killed)
    run.until(lambda: (run.ask("signals", "/status") or {}).get("signals"))
    run.ask("replay", "/stop", {})
    assert run.wait() == 1, run.said()
    assert "signals was killed by SIGKILL; starting it again in 0.5 s" in run.said()
    report = json.loads(run.report.read_text())
    assert report["restarts"]["signals"] == 1
    assert report["checks_failed"] == ["restarts of signals: 1"]
    assert report["signals"] > 0


def test_an_interrupt_leaves_nothing_behind(start: Callable[..., Running]) -> None:
    """Ctrl-C ends the run gracefully: exit 130, a report, and nothing left in processes, sockets, memory or files."""
    memory = set(Path("/dev/shm").iterdir())
    run = start(*SMALL)
    run.until(run.flows)
    pids = _descendants(run.process.pid)
    assert len(pids) >= 9  # Redis, four services, four fronts
    run.process.send_signal(signal.SIGINT)
    assert run.wait() == 130, run.said()
    assert json.loads(run.report.read_text())["stopped_by"] == "SIGINT"
    assert json.loads(run.report.read_text())["checks_failed"] == []
    deadline = time.monotonic() + 30
    while _sessions_left(run, pids):
        assert time.monotonic() < deadline, _sessions_left(run, pids)
        time.sleep(0.05)
    assert list((run.folder / "run").iterdir()) == []
    assert set(Path("/dev/shm").iterdir()) <= memory
    assert {path.name for path in run.folder.iterdir()} == {"run", "report.json", "log", "var"}
    sockets = Path("/proc/net/unix").read_text()
    assert str(run.folder) not in sockets


def test_a_wrong_configuration_is_one_line(start: Callable[..., Running], tmp_path: Path) -> None:
    """A key that no service knows: exit 2 and one line that names the user's own file."""
    folder = tmp_path / "config"
    subprocess.run(["cp", "-r", str(code_root() / "config"), str(folder)], check=True)
    with (folder / "signals.toml").open("r+") as file:
        text = file.read()
        file.seek(0)
        file.write("max_rows = 3\n" + text)
    run = start("--config", str(folder))
    assert run.wait() == 2, run.said()
    (said,) = [line for line in run.said().splitlines() if "is taken" not in line and "compil" not in line]
    assert f"{folder}/signals.toml: max_rows: expected a known key" in said
    assert list((run.folder / "run").iterdir()) == []


def test_the_doctor_finds_a_running_stack_well(start: Callable[..., Running]) -> None:
    """Beside a run the doctor looks at that run's own lines and Redis, finds nothing broken, and disturbs nothing."""
    run = start(*SMALL)
    run.until(run.flows)
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "doctor", "--json", "--timeout", "1"],
        cwd=code_root(), env={**os.environ, "XDG_RUNTIME_DIR": str(run.folder / "run")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert (done.returncode, [check for check in checks.values() if check["state"] == "broken"]) == (0, [])
    assert "running `crossbook up`" in checks["configuration"]["found"]
    assert "the consumer (process" in checks["port_a"]["found"]
    assert {"line_a", "redis", "losses", "clock"} <= set(checks)
    run.ask("replay", "/stop", {})
    assert run.wait() == 0, run.said()

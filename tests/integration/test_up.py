"""`crossbook up` with everything real: Redis, multicast, all services."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.cli.arguments import code_root

pytestmark = [pytest.mark.integration, pytest.mark.slow]
SMALL = ("--symbols", "5", "--rate", "500")
TIMEOUT_S = 150.0


@dataclass
class Running:
    """A run in the background, with its own run directory, state and report."""

    process: subprocess.Popen[str]
    folder: Path
    report: Path
    log: Path

    def wait(self) -> int:
        """Return the exit status."""
        return self.process.wait(TIMEOUT_S)

    def said(self) -> str:
        """Return all that it has printed."""
        return self.log.read_text()

    def until(self, holds: Callable[[], Any]) -> Any:
        """Wait until something holds; return it."""
        deadline = time.monotonic() + TIMEOUT_S
        while not (found := holds()):
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)
        return found

    def note(self) -> dict[str, Any] | None:
        """Return the note of the run directory, once it is there."""
        notes = list((self.folder / "run").glob("crossbook-up-*/run.json"))
        return json.loads(notes[0].read_text()) if notes else None

    def flows(self) -> bool:
        """Return whether lines of figures are coming."""
        return " msg/s" in self.said()

    def children(self) -> dict[str, int]:
        """Return the processes that it started, by the module or program that they run."""
        found = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(path.read_text().rpartition(")")[2].split()[1])
                words = (path.parent / "cmdline").read_text().split("\0")
            except OSError:
                continue
            if parent == self.process.pid and words[0]:  # a dead one has no command line
                module = words[words.index("-m") + 1] if "-m" in words else Path(words[0]).name.split()[0]
                found[module] = int(path.parent.name)
        return found


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """Start runs; whatever is still there at the end is killed."""
    begun: list[Running] = []
    # pytest's own folder is too deep for a unix socket's path.
    top = Path(tempfile.mkdtemp(prefix="cb-up-"))

    def begin(*arguments: str, **environment: str) -> Running:
        folder = top / str(len(begun))
        (folder / "run").mkdir(parents=True)
        report, log = folder / "report.json", folder / "log"
        command = [
            sys.executable,
            "-m",
            "services.cli",
            "up",
            "--state-dir",
            str(folder / "var"),
            "--report",
            str(report),
        ]
        with log.open("w") as out:
            process = subprocess.Popen(
                [*command, *arguments],
                cwd=code_root(),
                env={**os.environ, "XDG_RUNTIME_DIR": str(folder / "run"), **environment},
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
            )
        begun.append(Running(process, folder, report, log))
        return begun[-1]

    yield begin
    for running in begun:
        running.process.kill()
        running.process.wait()
    shutil.rmtree(top, ignore_errors=True)


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
        assert channel["sent"] == channel["received"] > 100
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
    assert [report["checks_failed"] for report in reports] == [[], []]
    assert not set(reports[0]["http"].values()) & set(reports[1]["http"].values())


def test_a_killed_service_is_started_again(start: Callable[..., Running]) -> None:
    """A killed signal service comes back; the run goes on, and its exit status does not hide the crash."""
    run = start("--duration", "7", *SMALL)
    run.until(run.flows)
    killed = run.children()["services.signals"]
    os.kill(killed, signal.SIGKILL)
    run.until(lambda: run.children().get("services.signals", killed) != killed)
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
    deadline = time.monotonic() + 5
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

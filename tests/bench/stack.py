"""Run ``crossbook up`` as a user does, and a probe beside it that shows what the machine itself does to a latency."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from libs.errors import CrossbookError

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 240.0
SPIN_S, REST_S = 0.002, 0.018
"""The probe takes a tenth of a core: one that always spun would be the load that it is to measure."""


def up(*arguments: str) -> dict[str, Any]:
    """Run the whole pipe and return its report.

    Raises
    ------
    CrossbookError
        When there is none; a check that did not hold stands in the report.
    """
    with tempfile.TemporaryDirectory(prefix="cb-bench-") as folder:
        report = Path(folder) / "report.json"
        command = [
            sys.executable,
            "-m",
            "services.cli",
            "up",
            "--report",
            str(report),
            "--state-dir",
            f"{folder}/state",
        ]
        done = subprocess.run(
            [*command, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        if not report.exists():
            raise CrossbookError(f"crossbook up {' '.join(arguments)}: no report; {done.stderr.strip()[-500:]}")
        found: dict[str, Any] = json.loads(report.read_text())
        return found


class Floor:
    """A process that spins, rests, spins, and remembers the longest gap between two looks at the clock of each spin.

    Attributes
    ----------
    p99_us, p999_us : float
        Of the longest gaps of its spins.
    """

    def __init__(self) -> None:
        self.p99_us = self.p999_us = 0.0
        self._ours, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("fork").Process(target=_spin, args=(theirs,), daemon=True)

    def __enter__(self) -> Floor:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.send(None)
        gaps = self._ours.recv()
        self._process.join()
        self.p99_us, self.p999_us = (round(float(value), 1) for value in np.percentile(gaps or [0.0], (99, 99.9)))

    def document(self) -> dict[str, float]:
        """Return it as a row's ``floor``."""
        return {"p99_us": self.p99_us, "p999_us": self.p999_us}


def _spin(ours: Connection) -> None:
    gaps: list[float] = []
    while not ours.poll():
        before = time.perf_counter_ns()
        end = before + int(SPIN_S * 1e9)
        longest = 0
        while before < end:
            now = time.perf_counter_ns()
            longest = max(longest, now - before)
            before = now
        gaps.append(longest / 1e3)
        time.sleep(REST_S)
    ours.send(gaps)

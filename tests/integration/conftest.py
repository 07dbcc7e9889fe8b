"""Runs of `crossbook up` that end with the test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.cli.arguments import code_root
from tests.integration.runs import Running


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """Start runs; whatever is still there at the end of the test is killed."""
    yield from _runs()


@pytest.fixture(scope="module")
def start_for_all() -> Iterator[Callable[..., Running]]:
    """Start runs that several tests of a file share; whatever is still there at the end of the file is killed."""
    yield from _runs()


def _runs() -> Iterator[Callable[..., Running]]:
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

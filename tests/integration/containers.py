"""The stack of docker-compose.yml as a project of the tests' own, and how it is asked."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable
from typing import Any

from tests.source import ROOT

PROJECT = "crossbook-test"
PORTS = {
    "REDIS_PORT": 16379,
    "SIGNALS_PORT": 19292,
    "OMS_PORT": 19293,
    "RECORDER_PORT": 19295,
    "PROMETHEUS_PORT": 19090,
    "GRAFANA_PORT": 13000,
}


class Stack:
    """docker compose for a project of our own."""

    def __init__(self) -> None:
        self.environment = os.environ | {name: str(port) for name, port in PORTS.items()}
        self.files = ["-f", "docker-compose.yml"]
        bundle = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
        if bundle:
            self.environment["PIP_CA_FILE"] = bundle
            self.files += ["-f", "compose.offline.yaml"]

    def __call__(self, *words: str, timeout_s: float = 400.0, **changes: str) -> str:
        """Run a command; return what it says.

        Raises
        ------
        AssertionError
            When it fails, with the end of what it said.
        """
        command = ["docker", "compose", "-p", PROJECT, *self.files, *words]
        environment = self.environment | changes
        ended = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=timeout_s
        )
        assert ended.returncode == 0, f"{' '.join(words)}: {(ended.stdout + ended.stderr)[-3000:]}"
        return ended.stdout

    def healths(self) -> dict[str, str]:
        """Return the health of every container that runs."""
        lines = self("ps", "--format", "json").splitlines()
        return {one["Service"]: one["Health"] for one in map(json.loads, lines)}


def ask(url: str) -> Any:
    """Return the JSON of an address; None while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return None


def wait(what: str, condition: Callable[[], Any], timeout_s: float = 60.0) -> Any:
    """Return what a condition gives once it is true."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.5)
    raise AssertionError(f"{what}: not within {timeout_s:g} s")

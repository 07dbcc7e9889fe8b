"""A real Prometheus of our own on loopback, with the project's configuration and other targets, and its HTTP API."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from scripts.dashboard_checks.problems import ROOT

READY_S = 20.0
ASK_S = 10.0


_DURATION = re.compile(r"((?:for: |\[))(\d+)([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
SHORTEST = {"[": 5, "for: ": 3}
"""Seconds of a window and of a wait: one scrape of 1 s that a busy machine missed is no alert."""


def shortened(rules: str, by: int) -> str:
    """Return rules whose waits and windows are divided, but none shorter than :data:`SHORTEST`, nor made longer."""

    def divide(found: re.Match[str]) -> str:
        seconds = int(found[2]) * _SECONDS[found[3]]
        return f"{found[1]}{max(seconds // by, min(seconds, SHORTEST[found[1]]))}s"

    return rules if by == 1 else _DURATION.sub(divide, rules)


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Api:
    """The HTTP API of a Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def get(self, path: str, **parameters: str | list[str]) -> Any:
        """Return ``data`` of an answer.

        Raises
        ------
        ValueError
            When Prometheus refuses the query, with its reason.
        OSError
            When it does not answer.
        """
        query = urllib.parse.urlencode(parameters, doseq=True)
        try:
            with urllib.request.urlopen(f"{self.url}{path}?{query}", timeout=ASK_S) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error).get("error", str(error))) from None

    def instant(self, expression: str) -> list[dict[str, Any]]:
        """Return the vector of an expression, now."""
        found: list[dict[str, Any]] = self.get("/api/v1/query", query=expression)["result"]
        return found

    def over(self, expression: str, start_s: float, end_s: float, step_s: float) -> list[dict[str, Any]]:
        """Return the matrix of an expression."""
        span = {"start": str(start_s), "end": str(end_s), "step": str(step_s)}
        found: list[dict[str, Any]] = self.get("/api/v1/query_range", query=expression, **span)["result"]
        return found

    def ready(self) -> bool:
        """Return whether it answers queries."""
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


class Server:
    """A Prometheus that runs while the context is open.

    Parameters
    ----------
    targets : mapping
        Job → ``host:port``; others of the configuration are left out.
    scrape_s : int
    shorter : int
        By how much the rules' windows and waits are divided, for a test that has no minutes; 1: as they are.
    """

    def __init__(self, targets: Mapping[str, str], scrape_s: int = 1, shorter: int = 1) -> None:
        self.targets, self.scrape_s, self.shorter = dict(targets), scrape_s, shorter

    def __enter__(self) -> Api:
        self._folder = tempfile.TemporaryDirectory(prefix="crossbook-prometheus-")
        folder = Path(self._folder.name)
        config = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text())
        config["global"] |= {
            "scrape_interval": f"{self.scrape_s}s",
            "scrape_timeout": "1s",
            "evaluation_interval": "1s",
        }
        for path in (ROOT / "prometheus" / "rules").glob("*.yml"):
            (folder / f"rules-{path.name}").write_text(shortened(path.read_text(), self.shorter))
        config["rule_files"] = [f"{folder}/rules-*.yml"]
        known = {each["job_name"]: each for each in config["scrape_configs"]}
        config["scrape_configs"] = [
            {**known.get(job, {}), "job_name": job, "static_configs": [{"targets": [target]}]}
            for job, target in self.targets.items()
        ]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        port = free_port()
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage"],
            stdout=self._log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        api = Api(f"http://127.0.0.1:{port}")
        end = time.monotonic() + READY_S
        while not api.ready():
            if self._process.poll() is not None or time.monotonic() > end:
                text = (folder / "log").read_text()[-2000:]
                self.__exit__(None, None, None)
                raise RuntimeError(f"Prometheus did not get ready:\n{text}")
            time.sleep(0.1)
        return api

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._log.close()
        self._folder.cleanup()

"""Whole runs of `crossbook up` in the background, for tests that look at them from outside."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

    def ask(self, service: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """GET from a service, or POST with a body; return the decoded answer, None when there is none."""
        note = self.note()
        assert note is not None, self.said()
        connection = http.client.HTTPConnection(*note["http"][service], timeout=2.0)
        try:
            connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body))
            return json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

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

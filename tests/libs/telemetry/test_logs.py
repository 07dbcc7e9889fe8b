"""Logs: one JSON object a line on standard error."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import structlog

from libs.telemetry.logs import BURST, WINDOW_S, Repeats

PROGRAM = """
import sys
from libs.telemetry import logs
logs.configure("replay", sys.argv[1])
log = logs.get("replay")
log.debug("not_shown")
log.info("started", port=9001, symbols=["BTC-USDT"])
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
"""


def run(fmt: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PROGRAM, fmt], capture_output=True, text=True, check=True, timeout=60)


def test_lines_are_json_where_nobody_watches() -> None:
    """Each line is an object with event, level, time in UTC, service and its keys; nothing goes to standard output."""
    ended = run("auto")
    assert ended.stdout == ""
    started, failed = map(json.loads, ended.stderr.splitlines())
    assert (started["event"], started["level"], started["service"]) == ("started", "info", "replay")
    assert (started["port"], started["symbols"]) == (9001, ["BTC-USDT"])
    assert started["timestamp"].endswith("Z")
    assert "ZeroDivisionError" in failed["exception"]


def test_console_format_is_for_people() -> None:
    """The console format shows event and keys as text."""
    line = run("console").stderr.splitlines()[0]
    assert "started" in line and "9001" in line
    assert not line.startswith("{")


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _through(repeats: Repeats, event: str, level: str = "warning") -> dict[str, object] | None:
    try:
        return dict(repeats(None, level, {"event": event}))
    except structlog.DropEvent:
        return None


def test_a_fault_that_repeats_is_held_back_and_counted() -> None:
    """Ten lines of an event in ten seconds, then none; the next line of any kind says how many were left out."""
    clock = Clock()
    repeats = Repeats(clock)
    passed = [_through(repeats, "text_refused") for _ in range(1000)]
    assert sum(line is not None for line in passed) == BURST
    assert repeats.suppressed == 1000 - BURST
    assert _through(repeats, "another") == {"event": "another"}
    clock.now = WINDOW_S
    assert _through(repeats, "stats", "info") == {"event": "stats", "suppressed": {"text_refused": 1000 - BURST}}
    assert _through(repeats, "text_refused") == {"event": "text_refused"}


def test_levels_are_told_apart_and_stats_always_come() -> None:
    """An error is not held back by warnings of its name; the line of figures never is."""
    repeats = Repeats(Clock())
    for _ in range(2 * BURST):
        _through(repeats, "gone")
    assert _through(repeats, "gone", "error") is not None
    assert all(_through(repeats, "stats", "info") is not None for _ in range(5 * BURST))


@pytest.mark.parametrize("events", [100, 1000])
def test_what_is_remembered_is_bounded(events: int) -> None:
    """However many names events have, all of them come through and memory stays bounded."""
    repeats = Repeats(Clock())
    assert all(_through(repeats, f"event_{n}") is not None for n in range(events))
    assert len(repeats._windows) <= 256

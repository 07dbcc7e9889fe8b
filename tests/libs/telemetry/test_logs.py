"""Logs: one JSON object a line on standard error."""

from __future__ import annotations

import json
import subprocess
import sys

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

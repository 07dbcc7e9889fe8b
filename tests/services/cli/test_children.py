"""Child processes: their words, their end, and ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from services.cli.children import Child, how_it_ended, readable, stop_all


def _child(code: str) -> Child:
    return Child("child", [sys.executable, "-u", "-c", code], dict(os.environ))


def _wait(child: Child) -> int:
    deadline = time.monotonic() + 30
    while (status := child.ended()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return status


def test_last_words_are_kept_within_bounds() -> None:
    """The last lines of a child are at hand after its end, whole and broken ones, however much it said."""
    child = _child(
        "for i in range(5000): print('line', i)\nprint('x' * 9000)\nprint('the end', end='')\nraise SystemExit(7)"
    )
    assert _wait(child) == 7
    assert child.tail[-1] == "the end"
    assert child.tail[-3] == "line 4999"
    assert max(map(len, child.tail)) <= 2000
    assert len(child.tail) == 200
    child.close()


def test_a_child_that_will_not_end_is_killed() -> None:
    """SIGTERM first; who ignores it is killed when the time is up, or at once when there is a hurry."""
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(60)"
    polite = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); print('up'); time.sleep(60)"
    )
    children = [_child(stubborn), _child(polite)]
    children[1].name = "polite"
    for child in children:
        while not child.drain():
            time.sleep(0.01)
    began = time.monotonic()
    assert stop_all(children, 0.5, lambda: False) == {"child": -signal.SIGKILL, "polite": 0}
    assert time.monotonic() - began < 3
    last = _child(stubborn)
    while not last.drain():
        time.sleep(0.01)
    began = time.monotonic()
    assert stop_all([last], 60, lambda: True) == {"child": -signal.SIGKILL}
    assert time.monotonic() - began < 3


def test_no_child_outlives_its_parent() -> None:
    """When the supervisor is killed with SIGKILL, the kernel kills its children."""
    code = (
        "import os, sys, time; from services.cli.children import Child\n"
        "child = Child('c', [sys.executable, '-c', 'import time; time.sleep(60)'], dict(os.environ))\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    time.sleep(0.1)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 30
    while _alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except OSError:
        return False


def test_log_lines_are_made_readable() -> None:
    """A JSON line of a service becomes its event and figures; other lines stay as they are."""
    line = json.dumps({"event": "thread_died", "level": "error", "timestamp": "now", "thread": "books", "n": 3})
    assert readable(line) == "error: thread_died thread=books n=3"
    assert readable("Traceback (most recent call last):") == "Traceback (most recent call last):"
    assert readable("3") == "3"


def test_ends_are_told_in_words() -> None:
    """An exit status and a signal are told apart."""
    assert how_it_ended(1) == "ended with exit status 1"
    assert how_it_ended(-9) == "was killed by SIGKILL"

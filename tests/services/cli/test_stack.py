"""Processes that are started again, and the ones that are not."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from services.cli import stack as module
from services.cli.stack import ServiceError, Stack

FOREVER = "import time; print('up', flush=True); time.sleep(60)"


@pytest.fixture
def said() -> list[str]:
    """What the stack told a person."""
    return []


@pytest.fixture
def stack(said: list[str]) -> Iterator[Stack]:
    """A stack of small scripts."""
    found = Stack(dict(os.environ), said.append, lambda text: text.replace("/run/x.json", "config/x.toml"))
    yield found
    found.kill()


def _python(code: str) -> list[str]:
    return [sys.executable, "-u", "-c", code]


def _until(stack: Stack, holds: Callable[[list[str]], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds(stack.tick()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_killed_process_is_started_again(stack: Stack, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed comes back after half a second, is counted, and a person is told why."""
    first = stack.start("service", _python(FOREVER))
    first.process.kill()
    began = time.monotonic()
    _until(stack, lambda again: again == ["service"])
    assert 0.45 <= time.monotonic() - began < 5
    second = stack.child("service")
    assert second is not None
    assert second.pid != first.pid
    assert stack.restarts == {"service": 1}
    assert said[0].splitlines()[0] == "service was killed by SIGKILL; starting it again in 0.5 s"


def test_waits_grow_and_end(stack: Stack, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each crash doubles the wait, and who crashes too often in a minute ends the run with its last words."""
    monkeypatch.setattr(module, "BACKOFF_S", 0.01)
    stack.start("service", _python("print('no such thing'); raise SystemExit(4)"))
    with pytest.raises(ServiceError, match=r"(?s)the 6th time within 60 s: giving up\n.*no such thing") as caught:
        _until(stack, lambda again: False)
    assert caught.value.exit_status == 1
    waits = [text.splitlines()[0].split(" in ")[1] for text in said]
    assert waits == ["0.01 s", "0.02 s", "0.04 s", "0.08 s", "0.16 s"]


@pytest.mark.parametrize("status", [2, 3])
def test_a_refusal_at_the_start_is_passed_on(stack: Stack, status: int) -> None:
    """A service that refuses its file ends the start with its one line, of the user's file, and its exit status."""
    stack.start("service", _python(f"print('service: /run/x.json: key: expected'); raise SystemExit({status})"))
    with pytest.raises(ServiceError) as caught:
        stack.wait_ready(["service"], lambda name: False, 10, lambda: None)
    assert str(caught.value) == "service: config/x.toml: key: expected"
    assert caught.value.exit_status == status


def test_a_crash_at_the_start_shows_the_last_words(stack: Stack) -> None:
    """A service that dies before it is ready ends the start, with what it said."""
    stack.start("service", _python("raise RuntimeError('no luck')"))
    with pytest.raises(ServiceError, match=r"(?s)service ended with exit status 1 at its start.*RuntimeError: no luck"):
        stack.wait_ready(["service"], lambda name: False, 10, lambda: None)


def test_who_is_not_ready_in_time_is_named(stack: Stack) -> None:
    """Waiting ends: the late ones are named, with their last words."""
    stack.start("one", _python(FOREVER))
    stack.start("two", _python(FOREVER))
    with pytest.raises(ServiceError, match=r"(?s)^two: not ready within 0 s\n.*up"):
        stack.wait_ready(["one", "two"], lambda name: name == "one", 0.3, lambda: None)


def test_warnings_of_services_are_kept(stack: Stack) -> None:
    """What a service warns of in its log is at hand for the view."""
    line = '{"event": "bad_line", "level": "warning", "file": "a.jsonl"}'
    stack.start("replay", _python(f"print({line!r}); {FOREVER}"))
    _until(stack, lambda again: bool(stack.warnings))
    assert list(stack.warnings) == ["replay warning: bad_line file=a.jsonl"]


def test_stopping_waits_for_the_exit_status(stack: Stack) -> None:
    """Stopped processes leave their exit status behind and are no longer watched."""
    code = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(5)); print('up'); time.sleep(60)"
    )
    child = stack.start("service", _python(code))
    while not child.drain():
        time.sleep(0.01)
    stack.stop("service", "never started")
    assert stack.ended == {"service": 5}
    assert stack.tick() == []

"""Child processes that never outlive us, with the last lines that they said.

Everything here runs in one thread: the kernel sends the death signal when the *thread* that forked ends, and a fork
beside other threads may hang in the child before it executes.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable
from typing import Any

PR_SET_PDEATHSIG = 1
TAIL_LINES = 200
TAIL_LINE_BYTES = 2000
_LIBC = ctypes.CDLL(None)


def die_with(parent: int) -> Callable[[], None]:
    """Return what a child calls between fork and exec, so that the kernel kills it when its parent ends."""

    def before_exec() -> None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return before_exec


class Child:
    """One running process.

    Parameters
    ----------
    name : str
    command : list of str
    environment : dict
        The whole environment of the child.
    """

    def __init__(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        self.name = name
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.started = time.monotonic()
        self._part = b""
        # A group of its own: the terminal's Ctrl-C is for the supervisor, which stops the services in order.
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            preexec_fn=die_with(os.getpid()),  # noqa: PLW1509 - there is one thread, see above
            process_group=0,
        )
        assert self.process.stdout is not None
        self._out = self.process.stdout
        os.set_blocking(self._out.fileno(), False)

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def drain(self) -> list[str]:
        """Take in what the child has said since; return its new whole lines."""
        lines: list[bytes] = []
        while not self._out.closed:
            try:
                data = os.read(self._out.fileno(), 65536)
            except BlockingIOError:
                break
            if not data:
                self._out.close()
                break
            *whole, rest = (self._part + data).split(b"\n")
            lines += whole
            self._part = rest[-TAIL_LINE_BYTES:]
        fresh = [line[:TAIL_LINE_BYTES].decode(errors="replace") for line in lines if line.strip()]
        self.tail.extend(fresh)
        return fresh

    def ended(self) -> int | None:
        """Return the exit status when the child has ended: negative for a signal."""
        status = self.process.poll()
        if status is not None:
            self.drain()
            if self._part.strip():
                self.tail.append(self._part.decode(errors="replace"))
                self._part = b""
        return status

    def signal(self, number: int) -> None:
        """Send a signal, unless the child has ended."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def close(self) -> None:
        """Close our end of what it says."""
        self.drain()
        self._out.close()


def stop_all(children: list[Child], timeout_s: float, hurry: Callable[[], bool]) -> dict[str, int]:
    """Ask children to end; kill those that don't in time, or once there is a hurry; return exit statuses by name."""
    for child in children:
        child.signal(signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    waiting = list(children)
    while waiting and time.monotonic() < deadline and not hurry():
        waiting = [child for child in waiting if (child.drain(), child.ended())[1] is None]
        if waiting:
            time.sleep(0.01)
    for child in waiting:
        child.signal(signal.SIGKILL)
        child.process.wait()
    for child in children:
        child.ended()
        child.close()
    return {child.name: int(child.process.returncode) for child in children}


def how_it_ended(status: int) -> str:
    """Return an exit status in words."""
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"was killed by {name}"


def readable(line: str) -> str:
    """Return one line of a service's log for people; lines that are no JSON stay as they are."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict) or "event" not in entry:
        return line
    skipped = {"event", "level", "timestamp", "ts", "service", "logger"}
    rest = " ".join(f"{key}={_short(value)}" for key, value in entry.items() if key not in skipped)
    return f"{entry.get('level', 'info')}: {entry['event']} {rest}".rstrip()


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 300 else text[:297] + "..."

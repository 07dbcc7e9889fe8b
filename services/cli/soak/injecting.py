"""The thread that breaks a stack by its schedule, and mends it again."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence

from services.cli.soak.plan import KINDS, Fault
from services.cli.soak.stacks import Stack, redis_of


class Injector(threading.Thread):
    """Injects faults at their times.

    Parameters
    ----------
    stack : Stack
    faults : sequence of Fault
    began : float
        Monotonic time of second 0.

    Attributes
    ----------
    failed : list of str
        Faults that could not be injected, and why.
    begun : int
        Faults whose time came.
    """

    def __init__(self, stack: Stack, faults: Sequence[Fault], began: float) -> None:
        super().__init__(name="injector", daemon=True)
        self.stack, self.faults, self.began = stack, tuple(faults), began
        self.failed: list[str] = []
        self.begun = 0
        self._stopping = threading.Event()

    def run(self) -> None:
        """Break and mend, one after the other."""
        for fault in self.faults:
            if self._wait_until(fault.begin_s):
                return
            self.begun += 1
            self._act(fault, begin=True)
            self._wait_until(fault.end_s)
            self._act(fault, begin=False)

    def stop(self) -> None:
        """Stop; a fault that is on is mended first."""
        self._stopping.set()
        self.join(10)

    def _wait_until(self, at_s: float) -> bool:
        return self._stopping.wait(max(0.0, self.began + at_s - time.monotonic()))

    def _act(self, fault: Fault, *, begin: bool) -> None:
        try:
            problem = self._change(fault, begin=begin)
        except OSError as error:
            problem = str(error)
        if problem:
            self.failed.append(f"{fault.kind}: {problem}")

    def _change(self, fault: Fault, *, begin: bool) -> str:
        """Begin or end a fault; return why that did not work, or nothing."""
        kind, replay = KINDS[fault.kind], self.stack.endpoints["replay"]
        if fault.kind == "redis_stall":
            stalled = redis_of(self.stack)
            for pid in stalled:
                os.kill(pid, signal.SIGSTOP if begin else signal.SIGCONT)
            return "" if stalled else "there is no Redis of our own"
        if fault.kind == "pause":
            answer = replay.post("/pause" if begin else "/resume")
        else:
            answer = replay.post("/inject", dict((kind.begin if begin else kind.end) or {}))
        if answer is None:
            return "no answer"
        return "" if answer[0] == 200 else f"HTTP {answer[0]}: {answer[1]}"

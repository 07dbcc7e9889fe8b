"""A kernel as a thread."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import Any

from libs.scheduling import short_turns


class KernelThread(threading.Thread):
    """A kernel that runs until its control word says stop.

    Parameters
    ----------
    name : str
    cpu : int or None
        Core to pin the thread to; None: wherever the scheduler puts it.
    kernel : callable
    arguments : tuple
    """

    def __init__(self, name: str, cpu: int | None, kernel: Any, *arguments: Any) -> None:
        super().__init__(name=name, daemon=True)
        self.cpu, self.kernel, self.arguments = cpu, kernel, arguments
        self.pinned = False
        self.result: int | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """Pin, ask for short turns, then run the kernel."""
        if self.cpu is not None:
            with contextlib.suppress(OSError):
                os.sched_setaffinity(threading.get_native_id(), {self.cpu})
                self.pinned = True
        short_turns()
        try:
            self.result = self.kernel(*self.arguments)
        except BaseException as error:  # noqa: BLE001 - reported by the main thread, which ends the process
            self.error = error

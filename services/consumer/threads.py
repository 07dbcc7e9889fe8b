"""Threads of the consumer: a kernel as a thread, and the one that translates datagrams in text mode."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import Any

from libs.scheduling import name_thread, short_turns
from libs.wire.text import text_to_binary
from services.consumer.metrics import Metrics


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
        name_thread(self.name)
        short_turns()
        try:
            self.result = self.kernel(*self.arguments)
        except BaseException as error:  # noqa: BLE001 - reported by the main thread, which ends the process
            self.error = error


class Translator(threading.Thread):
    """Turns datagrams in text mode into binary ones and gives them back to the receive thread.

    Parameters
    ----------
    text : socket
        Our end; the thread ends when the other one is closed.
    metrics : Metrics
        Counts what is refused.
    log : structlog logger
    """

    def __init__(self, text: socket.socket, metrics: Metrics, log: Any) -> None:
        super().__init__(name="text", daemon=True)
        self.text, self.metrics, self.log = text, metrics, log

    def run(self) -> None:
        """Translate until there is nothing more to read."""
        name_thread(self.name)
        while data := self.text.recv(65536):
            try:
                self.text.send(text_to_binary(data))
            except ValueError as error:
                self.metrics.text_refused += 1
                self.log.warning("text_refused", reason=str(error))

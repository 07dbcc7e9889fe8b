"""Threads that read Redis and put what came into the desk's queue; each owns its connection.

The queue is bounded: where the desk is behind, readers wait, and the streams keep what they have not read yet.
"""

from __future__ import annotations

import threading

from libs.execution.rows import by_run
from libs.scheduling import name_thread, short_turns
from libs.streams.reader import PackedReader, RecordReader
from services.oms.items import Items, Signals

WAIT_S = 0.1


class Feed(threading.Thread):
    """A reading thread.

    Attributes
    ----------
    error : BaseException or None
        What ended it, for the main thread to raise.
    """

    def __init__(self, name: str, items: Items) -> None:
        super().__init__(name=name, daemon=True)
        self.items = items
        self.stopping = threading.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        """Read until stopped."""
        name_thread(self.name)
        short_turns()
        try:
            while not self.stopping.is_set():
                self.read_once()
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which ends the process
            self.error = error

    def read_once(self) -> None:
        """Read and hand over what came."""


class SignalFeed(Feed):
    """Reads the signals stream in a group, and acknowledges what was acted on.

    A batch is acknowledged only when the desk is done with it, so a crash has it delivered again; the desk knows the
    intents that it acted on, and the age of the others.
    """

    def __init__(self, reader: RecordReader, items: Items) -> None:
        super().__init__("signals", items)
        self.reader = reader

    def read_once(self) -> None:
        """Read, wait until the desk is done, acknowledge."""
        records = self.reader.read()
        if not records:
            return
        signals = Signals(records)
        while not self.items.put(signals):
            if self.stopping.wait(WAIT_S):
                return
        while not signals.done.wait(WAIT_S):
            if self.stopping.is_set():
                return
        self.reader.ack(records)


class MarketFeed(Feed):
    """Reads packed streams of the market."""

    def __init__(self, name: str, reader: PackedReader, items: Items) -> None:
        super().__init__(name, items)
        self.reader = reader

    def read_once(self) -> None:
        """Read and hand over."""
        for rows in by_run(self.reader.read()):
            while not self.items.put_rows(rows, WAIT_S):
                if self.stopping.is_set():
                    return

"""The thread that writes orders and fills to Redis, so that the desk never waits for it."""

from __future__ import annotations

import threading
from queue import Empty, Full, Queue

from libs.execution.desk import Outgoing
from libs.scheduling import name_thread
from libs.streams.record_writer import RecordWriter

QUEUE_ITEMS = 4096
WAIT_S = 0.1


class Outbox(threading.Thread):
    """Writes batches of records in their order.

    Parameters
    ----------
    writer : RecordWriter
        Owned by this thread from now on; it keeps what Redis does not take.

    Attributes
    ----------
    error : BaseException or None
        What ended it.
    """

    def __init__(self, writer: RecordWriter) -> None:
        super().__init__(name="outbox", daemon=True)
        self.writer = writer
        self.error: BaseException | None = None
        self._items: Queue[list[Outgoing]] = Queue(QUEUE_ITEMS)
        self._stopping = threading.Event()
        self._refused = 0

    @property
    def dropped(self) -> int:
        """Records given up."""
        return self.writer.dropped + self._refused

    def put(self, records: list[Outgoing]) -> None:
        """Hand over records; where there is no room for more they are counted as dropped."""
        try:
            self._items.put_nowait(records)
        except Full:
            self._refused += len(records)

    def run(self) -> None:
        """Write until stopped, then what is left."""
        name_thread(self.name)
        try:
            while not self._stopping.is_set() or not self._items.empty():
                records = self._next()
                if records or self.writer.waiting or not self.writer.connected:
                    self.writer.write(records)
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which ends the process
            self.error = error
        finally:
            self.writer.close()

    def _next(self) -> list[Outgoing]:
        """Return everything that waits, after a moment if nothing does."""
        found: list[Outgoing] = []
        try:
            found += self._items.get(timeout=WAIT_S)
            while True:
                found += self._items.get_nowait()
        except Empty:
            return found

    def stop(self) -> None:
        """Write what is left, and close the connection."""
        self._stopping.set()
        self.join()

"""From the book thread's output queues to Redis Streams: one pipeline a round, in a thread of its own."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from libs.clock import wall_ns
from libs.engine import outputs
from libs.engine.outputs import take_latest, take_records
from libs.jit import kernel
from libs.memory import load_acquire
from libs.ring.kernels import set_sleeping
from libs.scheduling import name_thread, short_turns
from libs.streams.schemas import ARBITRAGE, BOOK, FEATURES, NBBO, STATUS, TRADES
from libs.streams.shards import WHOLE, Shard, with_shared_ids
from libs.streams.writer import PackedWriter
from libs.telemetry.hdr import new_rows
from libs.telemetry.hdr_kernels import record_many

Arrays = Mapping[str, np.ndarray]

ROW_PUBLISH, ROW_AGE = 0, 1

IDLE_MS = 20


@kernel
def _say_sleeping(wake: np.ndarray, value: int) -> None:
    set_sleeping(wake, value)


@kernel
def _waiting(controls: np.ndarray, queue: int) -> int:
    return load_acquire(controls[queue], outputs.Q_HEAD) - controls[queue, outputs.Q_TAIL]


class _Latest:
    """One kind of latest-state record: its arrays and a buffer to copy into."""

    def __init__(self, arrays: Arrays, stream: str, row: int, size: int) -> None:
        queue, dirty, version, records, dtype = {
            "features": ("feature_queue", "feature_dirty", "book_version", "features", FEATURES),
            "book": ("book_queue", "book_dirty", "book_version", "books", BOOK),
            "nbbo": ("nbbo_queue", "nbbo_dirty", "nbbo_version", "nbbo", NBBO),
        }[stream]
        named = [arrays[f"out_{name}"] for name in (queue, dirty, version, records)]
        self.stream = stream
        self.row = row
        self.dtype = dtype
        self._arrays = (named[0], arrays["out_controls"][row], *named[1:])
        self._buffer = np.zeros((size, named[3].shape[1]), np.int64)
        self._unsent: dict[int, np.ndarray] = {}

    def take(self) -> np.ndarray:
        """Return the latest record of each id in the queue, and of those put back, as a structured array."""
        n = take_latest(*self._arrays, self._buffer)
        rows = self._buffer[:n]
        if self._unsent:
            self._merge(rows.view(self.dtype)[:, 0], rows[:, 0] & 0xFFFFFFFF)
            if self._unsent:
                rows = np.concatenate([rows, np.stack(list(self._unsent.values()))])
                self._unsent.clear()
        return rows.view(self.dtype)[:, 0]

    def _merge(self, newer: np.ndarray, identities: np.ndarray) -> None:
        """Let newer records stand for those of the same id that were put back, their age and their events included."""
        for record, identity in zip(newer, identities.tolist(), strict=True):
            words = self._unsent.pop(identity, None)
            if words is None:
                continue
            older = words.view(self.dtype)[0]
            record["oldest_sent_ts_us"] = min(record["oldest_sent_ts_us"], older["oldest_sent_ts_us"])
            if "events" in (self.dtype.names or ()):
                record["events"] += older["events"]

    def put_back(self, rows: np.ndarray) -> None:
        """Keep records that could not be written; a newer one of the same id replaces each."""
        words = rows.view(np.int64).reshape(len(rows), -1)
        for row in words:
            self._unsent[int(row[0] & 0xFFFFFFFF)] = row.copy()


@dataclass
class _Paced:
    """Records that go out at most every so often."""

    latest: _Latest
    interval_s: float
    due: float = 0.0


class Publisher(threading.Thread):
    """Publish until stopped, then what is still queued.

    Parameters
    ----------
    arrays : mapping
        The engine's; ``out_…`` is what the book thread leaves, ``publisher_wake`` where this thread says that it
        sleeps.
    writer : PackedWriter
        Owned by this thread from now on.
    eventfd : int
        Read from while it sleeps.
    rows : int64[2, ROW]
        HDR rows of this thread: scheduled send to published, and age of the oldest event in a record.
    nbbo_interval_ms, book_interval_ms : int
        0: at once; else at most that often. Features rows come as the book thread queues them.
    batch : int
        Records of one kind in one round at the most.
    shard : Shard
        Whose ids the records carry.
    """

    def __init__(
        self,
        arrays: Arrays,
        writer: PackedWriter,
        eventfd: int,
        rows: np.ndarray,
        *,
        nbbo_interval_ms: int,
        book_interval_ms: int,
        batch: int,
        shard: Shard = WHOLE,
    ) -> None:
        super().__init__(name="publisher", daemon=True)
        self.writer, self.eventfd, self.rows, self.shard = writer, eventfd, rows, shard
        self.wake, self.controls = arrays["publisher_wake"], arrays["out_controls"]
        self.trade_queue, self.status_queue = arrays["out_trades"], arrays["out_status"]
        self.arbitrage_queue = arrays["out_arbitrages"]
        self.features = _Latest(arrays, "features", outputs.FEATURE, batch)
        books, quotes = _Latest(arrays, "book", outputs.BOOKS, batch), _Latest(arrays, "nbbo", outputs.SYMBOLS, batch)
        self.paced = (_Paced(books, book_interval_ms / 1000), _Paced(quotes, nbbo_interval_ms / 1000))
        self.trades = np.zeros((batch, outputs.TRADE_WORDS), np.int64)
        self.status = np.zeros((batch, outputs.STATUS_WORDS), np.int64)
        self.arbitrages = np.zeros((batch, outputs.ARBITRAGE_WORDS), np.int64)
        self.stopping = threading.Event()
        self.error: BaseException | None = None

    def stop(self) -> None:
        """Publish what is queued, then end."""
        self.stopping.set()
        os.eventfd_write(self.eventfd, 1)

    def run(self) -> None:
        """Wait for records, publish them; see :class:`Publisher`."""
        name_thread(self.name)
        short_turns()
        try:
            self._loop()
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which ends the process
            self.error = error

    def _loop(self) -> None:
        poller = select.poll()
        poller.register(self.eventfd, select.POLLIN)
        while True:
            stopping = self.stopping.is_set()
            published = self._round(everything=stopping)
            if stopping and not published:
                return
            if published:
                continue
            _say_sleeping(self.wake, 1)
            if not self._ready() and not self.stopping.is_set() and poller.poll(self._timeout_ms()):
                os.eventfd_read(self.eventfd)
            _say_sleeping(self.wake, 0)

    def _ready(self) -> bool:
        now = time.monotonic()
        at_once = (outputs.FEATURE, outputs.TRADE, outputs.STATE, outputs.ARBITRAGES)
        return any(_waiting(self.controls, queue) > 0 for queue in at_once) or any(
            now >= paced.due and _waiting(self.controls, paced.latest.row) > 0 for paced in self.paced
        )

    def _timeout_ms(self) -> int:
        left = min(paced.due for paced in self.paced) - time.monotonic()
        return max(1, min(IDLE_MS, int(left * 1000) + 1)) if left > 0 else IDLE_MS

    def _round(self, *, everything: bool) -> bool:
        """Publish one pipeline; True when something was taken from a queue and more may wait."""
        now = time.monotonic()
        entries: list[tuple[str, int, bytes]] = []
        n = take_records(self.status_queue, self.controls[outputs.STATE], self.status)
        if n:
            entries.append(self._entry("status", self.status[:n].view(STATUS)[:, 0]))
        taken = self._take_latest(now, everything) if self.writer.ready() else []
        entries += [self._entry(latest.stream, rows) for latest, rows in taken]
        n = take_records(self.arbitrage_queue, self.controls[outputs.ARBITRAGES], self.arbitrages)
        if n:
            entries.append(self._entry("arbitrage", self.arbitrages[:n].view(ARBITRAGE)[:, 0]))
        n = take_records(self.trade_queue, self.controls[outputs.TRADE], self.trades)
        if n:
            entries.append(self._entry("trades", self.trades[:n].view(TRADES)[:, 0]))
        if not entries:
            if not self.writer.connected and self.writer.ready():
                self.writer.write([])
            return False
        written = self.writer.write(entries)
        for latest, rows in taken:
            if not written:
                latest.put_back(rows)
            elif latest is self.features:
                now_ns = wall_ns()
                record_many(self.rows, ROW_PUBLISH, now_ns - rows["sent_ts_us"] * 1000)
                record_many(self.rows, ROW_AGE, now_ns - rows["oldest_sent_ts_us"] * 1000)
        return written

    def _entry(self, stream: str, rows: np.ndarray) -> tuple[str, int, bytes]:
        return stream, len(rows), with_shared_ids(rows, self.shard).tobytes()

    def _take_latest(self, now: float, everything: bool) -> list[tuple[_Latest, np.ndarray]]:
        due: list[_Latest] = []
        for paced in self.paced:
            if everything or now >= paced.due:
                paced.due = now + paced.interval_s
                due.append(paced.latest)
        due.append(self.features)
        taken = [(latest, latest.take()) for latest in due]
        return [(latest, rows) for latest, rows in taken if len(rows)]


def warm_publisher(arrays: Arrays) -> None:
    """Compile or load the kernels of this module by running each over nothing."""
    _say_sleeping(np.zeros(64, np.int64), 0)
    controls = arrays["out_controls"]
    _waiting(controls, 0)
    for stream, row in (("features", outputs.FEATURE), ("book", outputs.BOOKS), ("nbbo", outputs.SYMBOLS)):
        _Latest(arrays, stream, row, 1).take()
    take_records(arrays["out_trades"], controls[outputs.TRADE], np.zeros((0, outputs.TRADE_WORDS), np.int64))
    take_records(
        arrays["out_arbitrages"], controls[outputs.ARBITRAGES], np.zeros((0, outputs.ARBITRAGE_WORDS), np.int64)
    )
    take_records(arrays["out_status"], controls[outputs.STATE], np.zeros((0, outputs.STATUS_WORDS), np.int64))
    record_many(new_rows(1), 0, np.zeros(0, np.int64))


assert TRADES.itemsize % 8 == 0 and STATUS.itemsize % 8 == 0

"""Wire the order service together and run it: reading threads, and one thread that decides."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from decimal import setcontext
from types import FrameType

import numpy as np

from libs.clock import wall_ns
from libs.execution.rows import Rows
from libs.orders.decimals import EXACT
from libs.scheduling import short_turns
from libs.streams.reader import PackedReader, RecordReader
from libs.streams.record_writer import RecordWriter
from libs.telemetry import logs
from libs.telemetry.front import Front
from libs.telemetry.hdr import new_rows
from libs.telemetry.hdr_kernels import record_many
from libs.telemetry.pulse import Pulse, with_pulse
from libs.telemetry.segment import Segment
from services.oms.control import Answers, Control, Routes, application
from services.oms.feeds import MarketFeed, SignalFeed
from services.oms.items import Command, Items, Signals
from services.oms.metrics import READERS, Metrics, series
from services.oms.outbox import Outbox
from services.oms.settings import Settings
from services.oms.state import State

TICK_S = 0.02
REVALUED_A_TICK = 20
REPORT_INTERVAL_S = 0.2
STATS_INTERVAL_S = 1.0
MARKS_INTERVAL_S = 5.0
BLOCK_MS = 100
GROUP = "oms"
SWITCH_INTERVAL_S = 0.0005


class Oms:
    """All parts of the running service.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    MissingError
        When the state directory cannot be written or belongs to another process.
    JournalError
        When the journal or the paper venue's log is damaged.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.log = logs.get("oms")
        self.state = State(settings, self.log)
        self.market, self.desk = self.state.market, self.state.desk
        self.segment = Segment.create("oms", with_pulse(series()))
        self.pulse = Pulse(self.segment, REPORT_INTERVAL_S)
        self.metrics = Metrics(self.segment, self.desk)
        self.items = Items()
        self.stopping = threading.Event()

    def start(self) -> None:
        """Recover, open the HTTP front, start reading."""
        warm()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self.state.recover()
        s = self.settings
        self.control = Control(application(Routes(Answers(self.desk), self.items)), f"\0crossbook-oms-{os.getpid()}")
        self.control.begin()
        self.front = Front.start(
            self.segment, s.http_host, s.http_port, backend=self.control.path, token=os.environ.get("CROSSBOOK_TOKEN")
        )
        maxlen = {"orders": s.orders_maxlen, "fills": s.fills_maxlen}
        self.outbox = Outbox(RecordWriter(s.redis_url, s.stream_prefix, maxlen))
        self.outbox.start()
        # Instruments are said when they change, so their whole history is read; books and quotes come often enough.
        status = PackedReader(s.redis_url, s.stream_prefix, ["status"], start="0", block_ms=BLOCK_MS)
        shown = PackedReader(s.redis_url, s.stream_prefix, ["book", "nbbo"], start="$", block_ms=BLOCK_MS)
        signals = RecordReader(
            s.redis_url, s.stream_prefix, ["signals"], group=GROUP, consumer="1", start="$", block_ms=BLOCK_MS
        )
        self.feeds = [
            MarketFeed("status", status, self.items),
            MarketFeed("market", shown, self.items),
            SignalFeed(signals, self.items),
        ]
        self.readers: list[PackedReader | RecordReader] = [status, shown, signals]
        for feed in self.feeds:
            feed.start()
        self.log.info("started", state_dir=s.state_dir, fsync=s.fsync, http_port=self.front.port)

    def watch(self) -> int:
        """Decide until told to stop; return the exit status."""
        short_turns()
        setcontext(EXACT.copy())
        now = time.monotonic()
        due = dict.fromkeys(("tick", "report", "stats", "marks", "reconcile"), now)
        while not self.stopping.is_set():
            item = self.items.take(TICK_S)
            while item is not None:
                self.handle(item)
                item = self.items.take(0.0)
                if time.monotonic() >= due["tick"]:
                    break
            if item is not None:
                self.handle(item)
            self.publish()
            self._chores(due)
            for error in (*(feed.error for feed in self.feeds), self.outbox.error):
                if error is not None:
                    raise error
        return 0

    def _chores(self, due: dict[str, float]) -> None:
        """Do what is due by the clock."""
        now = time.monotonic()
        chores = {
            "tick": (TICK_S, self._tick),
            "report": (REPORT_INTERVAL_S, self.report),
            "stats": (STATS_INTERVAL_S, self.say_stats),
            "marks": (MARKS_INTERVAL_S, self.state.keep),
            "reconcile": (self.settings.reconcile_interval_s, self.state.reconcile),
        }
        for name, (interval_s, act) in chores.items():
            if now >= due[name]:
                due[name] = now + interval_s
                act()

    def _tick(self) -> None:
        self.desk.value(REVALUED_A_TICK, wall_ns())

    def handle(self, item: Signals | Rows | Command) -> None:
        """Act on one item of the queue."""
        if isinstance(item, Signals):
            for record in item.records:
                self.desk.on_signal(record.fields, wall_ns())
                if self.desk.handed_over:
                    self.metrics.note_sent(self.desk.handed_over, wall_ns())
                    self.desk.handed_over.clear()
            item.done.set()
        elif isinstance(item, Rows):
            self._take_rows(item)
        else:
            try:
                result = item.act()
            except Exception as error:  # noqa: BLE001 - the one who asked is told
                item.answer(None, error)
            else:
                item.answer(result, None)

    def _take_rows(self, rows: Rows) -> None:
        before = self.market.runs.known(rows.shard)
        if self.desk.on_rows(rows, wall_ns()):
            self.log.warning("consumer_restarted", run=rows.run, before=before, shard=str(rows.shard))

    def publish(self) -> None:
        """Hand over what the desk left to be written."""
        if self.desk.out:
            self.outbox.put(self.desk.out)
            self.metrics.note_records(self.desk.out)
            self.desk.out = []

    def report(self) -> None:
        """Bring metrics, readiness and the status document up to date."""
        self.pulse.beat()
        problem = self._problem()
        self.segment.ready(not problem, problem)
        self.metrics.update(wall_ns(), {name: reader.lag_s for name, reader in zip(READERS, self.readers, strict=True)})
        redis = {
            "connected": self.outbox.writer.connected and all(reader.connected for reader in self.readers),
            "published": self.outbox.writer.published,
            "dropped": self.outbox.dropped,
            "breaks": sum(reader.breaks for reader in self.readers if isinstance(reader, PackedReader)),
        }
        self.segment.publish_status(self.metrics.status(self.front.port, redis))

    def _problem(self) -> str:
        for reader in self.readers:
            if not reader.connected:
                return f"Redis is not readable: {reader.last_error}"
        if not self.outbox.writer.connected:
            return f"Redis is not writable: {self.outbox.writer.last_error}"
        return ""

    def say_stats(self) -> None:
        """Write the stats line."""
        status = self.metrics.status(self.front.port, {})
        self.log.info(
            "stats",
            **{key: status["orders"][key] for key in ("intents", "sent", "filled", "denied")},
            fills=status["fills"],
            open_orders=status["open_orders"],
            pnl=status["pnl"],
            p99_ns=status["latency_ns"]["order"]["p99_ns"],
        )

    def stop(self) -> None:
        """Act on nothing more; leave state on the disk and nothing else behind."""
        for feed in self.feeds:
            feed.stopping.set()
        for feed in self.feeds:
            feed.join(2 * BLOCK_MS / 1000 + 1.0)
        self.publish()
        self.outbox.stop()
        self.report()
        self.say_stats()
        for reader in self.readers:
            reader.close()
        self.front.stop()
        self.pulse.close()
        self.control.stop()
        self.state.close()


def warm() -> None:
    """Compile every kernel of the service, for a start, ``--warm`` and image builds."""
    record_many(new_rows(1), 0, np.zeros(0, np.int64))


def run(settings: Settings) -> int:
    """Run the service until SIGTERM or SIGINT.

    Returns
    -------
    int
        0 after a graceful stop.
    """
    logs.configure("oms", settings.log_format)
    service = Oms(settings)

    def on_signal(number: int, frame: FrameType | None) -> None:
        service.stopping.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    service.start()
    gc.collect()
    gc.freeze()
    try:
        return service.watch()
    finally:
        service.stop()

"""Wire the recorder together and run it: one thread that reads, gathers and writes."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType

from libs.clock import wall_ns
from libs.storage.store import Group, Store
from libs.streams.reader import PackedReader
from libs.telemetry import logs
from libs.telemetry.front import Front
from libs.telemetry.pulse import Pulse, with_pulse
from libs.telemetry.segment import Segment
from services.recorder.buffer import Buffer
from services.recorder.metrics import Metrics, series
from services.recorder.settings import Settings

STATUS_INTERVAL_S = 0.2
STATS_INTERVAL_S = 1.0


class Recorder:
    """All parts of the running service.

    Parameters
    ----------
    settings : Settings
    store : Store
        The folder, held.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings, self.store = settings, store
        self.log = logs.get("recorder")
        self.buffer = Buffer()
        self.segment = Segment.create("recorder", with_pulse(series(settings.recorded)))
        self.pulse = Pulse(self.segment, STATUS_INTERVAL_S)
        self.metrics = Metrics(self.segment, settings.recorded, store)
        self.reader = PackedReader(
            settings.redis_url, settings.stream_prefix, settings.recorded, start="0", block_ms=0, resume=store.positions
        )
        self.stopping = threading.Event()
        self.trouble = ""
        self._group: Group | None = None
        self._since = self._next_try = 0.0

    def start(self) -> None:
        """Open the HTTP front."""
        settings = self.settings
        self.front = Front.start(
            self.segment, settings.http_host, settings.http_port, token=os.environ.get("CROSSBOOK_TOKEN")
        )
        self.log.info(
            "started",
            folder=str(self.store.root),
            streams=list(settings.recorded),
            positions=self.store.positions,
            completed_parts=self.store.completed,
            removed_drafts=self.store.removed,
            http_port=self.front.port,
        )

    def watch(self) -> int:
        """Read and write until told to stop; return the exit status."""
        next_status = next_stats = time.monotonic()
        while not self.stopping.is_set():
            if not self.step():
                self.stopping.wait(self.settings.poll_ms / 1000)
            now = time.monotonic()
            if now >= next_status:
                next_status = now + STATUS_INTERVAL_S
                self.report()
            if now >= next_stats:
                next_stats = now + STATS_INTERVAL_S
                self.say_stats()
        return 0 if self.finish() else 1

    def step(self) -> bool:
        """Write what is due, read what there is room for; return whether something came."""
        now = time.monotonic()
        if self._due(now):
            self.flush(now)
        if self._full() or self._group is not None:
            return False
        batches = self.reader.read()
        if batches and not self.buffer.rows:
            self._since = now
        for stream, gap in self.reader.gaps():
            note = f"{stream}: entries after {gap.after} and before {gap.next} may be missing: Redis no longer has them"
            self.buffer.add_gap(note, wall_ns())
            self.metrics.gap(stream, gap)
            self.log.warning("gap", stream=stream, after=gap.after, next=gap.next)
        for batch in batches:
            self.buffer.add(batch)
        return bool(batches)

    def _full(self) -> bool:
        return self.buffer.rows >= self.settings.flush_rows or self.buffer.bytes >= self.settings.flush_bytes

    def _due(self, now: float) -> bool:
        if not self.buffer.rows or now < self._next_try:
            return False
        waited = now - self._since >= self.settings.flush_interval_s
        return self._full() or waited or self._group is not None or bool(self.trouble)

    def flush(self, now: float) -> bool:
        """Write all that waits as one group; return whether it is recorded.

        What cannot be written stays, and with it the positions: it is tried again, and Redis keeps what comes.
        """
        try:
            if self._group is None:
                positions = self.store.positions | self.buffer.positions()
                self._group = self.store.draft(self.buffer.drafts(), positions, self.pulse.beat)
            self.store.publish(self._group)
        except FileNotFoundError as error:
            # Somebody removed what was drafted; what waits is drafted anew.
            self._group = None
            return self._failed(error, now)
        except OSError as error:
            return self._failed(error, now)
        self.metrics.written(self._group)
        self._group = None
        self.buffer.clear()
        if self.trouble:
            self.log.info("writing_again", folder=str(self.store.root))
        self.trouble = ""
        self._trim()
        return True

    def _failed(self, error: OSError, now: float) -> bool:
        self.metrics.write_errors += 1
        self._next_try = now + self.settings.retry_s
        text = f"cannot write in {self.store.root}: {error.strerror or error}"
        if text != self.trouble:
            self.log.error("not_written", reason=text, rows_waiting=self.buffer.rows)
        self.trouble = text
        return False

    def _trim(self) -> None:
        try:
            self.store.trim()
        except OSError as error:
            self.metrics.write_errors += 1
            self.log.error("not_removed", reason=f"{self.store.root}: {error.strerror or error}")

    def finish(self) -> bool:
        """Write what waits; return whether nothing waits any more."""
        return not self.buffer.rows or self.flush(time.monotonic())

    def report(self) -> None:
        """Bring metrics, readiness and the status document up to date."""
        self.pulse.beat()
        problem = self._problem()
        self.segment.ready(not problem, problem)
        waiting = {"rows": self.buffer.rows, "bytes": self.buffer.bytes, "s": round(self._waiting_s(), 3)}
        self.metrics.update(
            waiting_rows=self.buffer.rows,
            waiting_bytes=self.buffer.bytes,
            waiting_s=self._waiting_s(),
            breaks=self.reader.breaks,
        )
        redis = {"connected": self.reader.connected, "breaks": self.reader.breaks}
        self.segment.publish_status(self.metrics.status(self.front.port, redis, waiting))

    def _waiting_s(self) -> float:
        return time.monotonic() - self._since if self.buffer.rows else 0.0

    def _problem(self) -> str:
        if self.trouble:
            full = "; reading has stopped, Redis keeps what comes" if self._full() or self._group else ""
            return f"{self.trouble}; {self.buffer.rows} rows wait{full}"
        if not self.reader.connected:
            return f"Redis is not readable: {self.reader.last_error}"
        return ""

    def say_stats(self) -> None:
        """Write the stats line."""
        metrics = self.metrics
        self.log.info(
            "stats",
            rows=sum(metrics.rows.values()),
            waiting_rows=self.buffer.rows,
            parts=sum(metrics.parts.values()),
            kept_bytes=self.store.kept.bytes,
            gaps=sum(metrics.gaps.values()),
        )

    def stop(self) -> None:
        """Say a last word and leave nothing behind."""
        self.report()
        self.say_stats()
        self.reader.close()
        self.front.stop()
        self.pulse.close()


def run(settings: Settings, folder: Path) -> int:
    """Run the service until SIGTERM or SIGINT.

    Returns
    -------
    int
        0 after a graceful stop; 1 when what waited could not be written.

    Raises
    ------
    ConfigError
        When the folder holds another deployment's recording.
    MissingError
        When the folder cannot be written, or the HTTP port is taken.
    SchemaError
        When a stream has another version; what was read before is written.
    """
    logs.configure("recorder", settings.log_format)
    store = Store(folder, settings.stream_prefix, settings.max_bytes)
    try:
        return _run(Recorder(settings, store))
    finally:
        store.close()


def _run(service: Recorder) -> int:
    def on_signal(number: int, frame: FrameType | None) -> None:
        service.stopping.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    service.start()
    try:
        return service.watch()
    finally:
        service.finish()
        service.stop()

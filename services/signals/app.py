"""Wire the signal service together and run it: one thread that reads, predicts and writes."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType

import numpy as np

from libs.clock import wall_ns
from libs.models import screening
from libs.models.inputs import compute
from libs.models.linear import load_model
from libs.models.protocol import PredictionModel
from libs.models.scoring import new_scoring, score_rows
from libs.pages import populate
from libs.scheduling import short_turns
from libs.streams.reader import Batch, PackedReader
from libs.streams.record_writer import RecordWriter
from libs.streams.schemas import FEATURES
from libs.streams.shards import WHOLE, Shard
from libs.telemetry import logs
from libs.telemetry.front import Front
from libs.telemetry.hdr import new_rows
from libs.telemetry.hdr_kernels import record_many
from libs.telemetry.pulse import Pulse, with_pulse
from libs.telemetry.segment import Segment
from services.signals.evaluate import Decision, Evaluator
from services.signals.metrics import Metrics, series, threshold_note
from services.signals.records import signal_records
from services.signals.settings import Settings
from services.signals.watched import Watched, watch_of

STATUS_INTERVAL_S = 0.2
STATS_INTERVAL_S = 1.0
STREAM = "signals"
BACKLOG_SIGNALS = 256
"""Kept while Redis is away; older ones are too old to act on."""


class Signals:
    """All parts of the running service.

    Parameters
    ----------
    settings : Settings
    model : PredictionModel
    """

    def __init__(self, settings: Settings, model: PredictionModel) -> None:
        self.settings, self.model = settings, model
        self.log = logs.get("signals")
        self.evaluator = Evaluator(model, settings)
        self.segment = Segment.create("signals", with_pulse(series(model)), watch=watch_of(settings.watch))
        self.pulse = Pulse(self.segment, STATUS_INTERVAL_S)
        self.watched = Watched(self.segment, settings.watch, settings.max_books)
        self.metrics = Metrics(self.segment, self.evaluator)
        self.sizing = settings.sizing.limits()
        self.stopping = threading.Event()
        self.runs: dict[Shard, str] = {}

    def start(self) -> None:
        """Compile, back memory, open the HTTP front, the reader and the writer."""
        warm()
        populate(*self.evaluator.scoring)
        self._rehearse()
        self.front = Front.start(
            self.segment,
            self.settings.http_host,
            self.settings.http_port,
            token=os.environ.get("CROSSBOOK_TOKEN"),
        )
        settings = self.settings
        self.reader = PackedReader(
            settings.redis_url, settings.stream_prefix, ["features"], start="$", block_ms=settings.block_ms
        )
        self.writer = RecordWriter(
            settings.redis_url, settings.stream_prefix, {STREAM: settings.signals_maxlen}, BACKLOG_SIGNALS
        )
        self.log.info(
            "started",
            model=self.model.name,
            digest=self.model.digest[:16],
            costs=settings.costs,
            threshold_bps=self.evaluator.threshold_bps,
            note=threshold_note(self.evaluator),
            http_port=self.front.port,
        )

    def _rehearse(self) -> None:
        """Decide once on a row of nothing, so that the first real one does not pay for numpy's first calls."""
        scratch = Evaluator(self.model, self.settings)
        decision, _ = scratch.evaluate(np.zeros(1, FEATURES), 0)
        self._records(decision, "")

    def _records(self, decision: Decision, run: str) -> list[dict[str, str]]:
        return signal_records(
            decision,
            run=run,
            model=self.model.digest,
            costs=self.settings.costs,
            threshold_bps=self.evaluator.threshold_bps,
            sizing=self.sizing,
            signal_ts_ns=wall_ns(),
        )

    def watch(self) -> int:
        """Read, predict and write until told to stop; return the exit status."""
        short_turns()
        next_status = next_stats = time.monotonic()
        while not self.stopping.is_set():
            for rows, run, shard in by_run(self.reader.read()):
                self.take(rows, run, shard)
            now = time.monotonic()
            if now >= next_status:
                next_status = now + STATUS_INTERVAL_S
                self.report()
            if now >= next_stats:
                next_stats = now + STATS_INTERVAL_S
                self.say_stats()
        return 0

    def take(self, rows: np.ndarray, run: str, shard: Shard = WHOLE) -> None:
        """Turn rows of one run of a consumer into signals, and write them in one pipeline."""
        before = self.runs.get(shard, "")
        if run != before:
            self._begin_run(run, before, shard)
        decision, at = self.evaluator.evaluate(rows, wall_ns() // 1000)
        self.watched.take(decision)
        records = self._records(decision, run)
        if records:
            self.writer.write([(STREAM, record) for record in records])
            self.metrics.recent.extend(records[-10:])
        latencies = wall_ns() - 1000 * rows["sent_ts_us"][at].astype(np.int64)
        record_many(self.segment.rows, self.metrics.row, latencies)

    def _begin_run(self, run: str, before: str, shard: Shard) -> None:
        """Forget books whose ids mean others now: a shard's, or all where the symbols are shared anew."""
        anew = any(known.of != shard.of for known in self.runs)
        if anew:
            self.runs.clear()
        if before or anew:
            self.log.warning("consumer_restarted", run=run, before=before, shard=str(shard))
            self.evaluator.restart(WHOLE if anew else shard)
            self.watched.forget()
        self.runs[shard] = run

    def report(self) -> None:
        """Bring metrics, readiness and the status document up to date."""
        self.pulse.beat()
        # Writes what waits, and finds out whether Redis is there when there is nothing to write.
        self.writer.write([])
        problem = self._problem()
        self.segment.ready(not problem, problem)
        self.metrics.update(self.reader.breaks, self.writer.dropped, self.reader.lag_s)
        redis = {
            "connected": self.reader.connected and self.writer.connected,
            "breaks": self.reader.breaks,
            "dropped": self.writer.dropped,
        }
        self.segment.publish_status(self.metrics.status(self.front.port, redis))

    def _problem(self) -> str:
        if not self.reader.connected:
            return f"Redis is not readable: {self.reader.last_error}"
        if not self.writer.connected:
            return f"Redis is not writable: {self.writer.last_error}"
        return ""

    def say_stats(self) -> None:
        """Write the stats line."""
        status = self.metrics.status(self.front.port, {})
        self.log.info(
            "stats",
            rows=status["rows"],
            signals=status["signals"],
            skipped=status["skipped"],
            p99_ns=status["latency_ns"]["signal"]["p99_ns"],
            scored=status["scored"]["settled"],
        )

    def stop(self) -> None:
        """Say a last word and leave nothing behind."""
        self.report()
        self.say_stats()
        self.reader.close()
        self.writer.close()
        self.front.stop()
        self.pulse.close()


def by_run(batches: list[Batch]) -> list[tuple[np.ndarray, str, Shard]]:
    """Return the rows of batches joined as long as a consumer's run stays the same; shards have books of their own."""
    found: list[tuple[list[np.ndarray], str, Shard]] = []
    latest: dict[Shard, int] = {}
    for batch in batches:
        at = latest.get(batch.shard, -1)
        if at < 0 or found[at][1] != batch.run:
            at = latest[batch.shard] = len(found)
            found.append(([], batch.run, batch.shard))
        found[at][0].append(batch.rows)
    return [(_joined(rows), run, shard) for rows, run, shard in found]


def _joined(rows: list[np.ndarray]) -> np.ndarray:
    """Return arrays of one structured dtype as one; np.concatenate compares every field of every pair, 0.4 ms each."""
    if len(rows) == 1:
        return rows[0]
    return np.frombuffer(bytearray().join([part.data for part in rows]), rows[0].dtype)


def warm() -> None:
    """Compile every kernel of the service, for a start, ``--warm`` and image builds."""
    none = np.zeros(0, np.int64)
    score_rows(new_scoring(1, 1), none, none, none, np.zeros(0), np.zeros(0), np.zeros(0), 1)
    compute(np.zeros(0, FEATURES), ["spread_bps"])
    screening.warm()
    record_many(new_rows(1), 0, none)


def run(settings: Settings, model_file: Path) -> int:
    """Run the service until SIGTERM or SIGINT.

    Returns
    -------
    int
        0 after a graceful stop.

    Raises
    ------
    ConfigError
        When the model file is not right.
    MissingError
        When the HTTP port is taken.
    """
    logs.configure("signals", settings.log_format)
    service = Signals(settings, load_model(model_file))

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

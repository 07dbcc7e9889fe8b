"""Wire the replay together and run it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import time
from typing import Any

from aiohttp import web

from libs.errors import MissingError
from libs.market.exchanges import EXCHANGES
from libs.sending import answering, sender
from libs.sending.answering import Recovery
from libs.sending.pace import ACTIVE, BEAT_NS
from libs.sending.transmit import (
    BYTES,
    CHANNELS,
    DATAGRAMS,
    DUPLICATED,
    ERRORS,
    HEARTBEATS,
    LOST,
    MESSAGES,
    REORDERED,
)
from libs.telemetry import logs
from libs.telemetry.front import Front
from libs.telemetry.hdr import new_rows
from libs.telemetry.pulse import Pulse, with_pulse
from libs.telemetry.segment import Segment, Series
from services.replay import producer
from services.replay.control import control_app
from services.replay.playback import Playback
from services.replay.settings import Settings
from services.replay.source import Source, open_source
from services.replay.synthetic.source import SyntheticSource

STATUS_INTERVAL_S = 0.2
_COUNTED = {
    "replay_sent_packets_total": DATAGRAMS,
    "replay_sent_messages_total": MESSAGES,
    "replay_sent_bytes_total": BYTES,
    "replay_heartbeats_total": HEARTBEATS,
    "replay_send_errors_total": ERRORS,
}
_INJECTED = {"loss": LOST, "duplicate": DUPLICATED, "reorder": REORDERED}


def series(channels: list[int]) -> list[Series]:
    """Return the metrics of a replay of these channels."""
    found = [Series(name, {"channel": EXCHANGES[c]}) for name in _COUNTED for c in channels]
    found += [Series("replay_injected_total", {"kind": kind}) for kind in _INJECTED]
    found += [Series("replay_bad_lines_total", {}), Series("replay_target_packets_per_second", {})]
    return [*found, *answering.series("replay"), Series("replay_schedule_lag_seconds", {})]


class Replay:
    """The running service.

    Parameters
    ----------
    settings : Settings
    source : Source
    """

    def __init__(self, settings: Settings, source: Source) -> None:
        self.settings = settings
        self.log = logs.get("replay")
        self.segment = Segment.create("replay", with_pulse(series(source.channels)))
        self.pulse = Pulse(self.segment, STATUS_INTERVAL_S)
        row = self.segment.row("replay_schedule_lag_seconds")
        self.playback = Playback(settings, source, self.segment.rows[row : row + 1])
        self.recovery = Recovery(settings, self.playback.history, len(source.listing.rows), "replay")
        self.stopping = asyncio.Event()
        self._began = 0.0
        self._said: dict[str, int] = {"messages": 0, "bad": 0}
        self._done_said = self._broken_said = False

    def end_session(self) -> None:
        """Ask the sender to stop without waiting for it; the process stays."""
        asyncio.get_running_loop().run_in_executor(None, self.playback.stop)

    async def serve(self) -> int:
        """Run until SIGTERM or SIGINT; return the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        runner = web.AppRunner(control_app(self.playback, self.recovery, self.end_session), access_log=None)
        await runner.setup()
        backend = f"\0crossbook-replay-{os.getpid()}"
        await web.UnixSite(runner, backend).start()
        s = self.settings
        front = Front.start(
            self.segment, s.http_host, s.http_port, backend=backend, token=os.environ.get("CROSSBOOK_TOKEN")
        )
        try:
            self.playback.prepare()
            self.recovery.start()
            self.log.info(
                "ready",
                source=self.playback.source.name,
                targets=s.targets,
                http_port=front.port,
                recovery_port=self.recovery.listener.port,
            )
            if not s.start_paused:
                self.playback.resume()
            await self._watch()
        finally:
            await asyncio.to_thread(self.playback.stop)
            self._report()
            self.log.info("stats", **self._stats())
            self.recovery.stop()
            self.playback.close()
            front.stop()
            self.pulse.close()
            await runner.cleanup()
        return self.exit_status()

    def exit_status(self) -> int:
        """Return 1 when lines were bad, a datagram could not be sent, or a thread died; else 0."""
        for error in (self.playback.error, self.playback.producer.error):
            if error is not None:
                self.log.error("thread_died", error=repr(error))
                return 1
        failed = int(self.playback.sender.lines.stats[:, ERRORS].sum())
        return 1 if self.playback.source.bad.count or failed else 0

    async def _watch(self) -> None:
        said = time.monotonic()
        while not self.stopping.is_set():
            self._report()
            if self.playback.error is not None or self.playback.producer.error is not None:
                return
            if time.monotonic() - said >= 1.0 and self.playback.state != "done":
                said = time.monotonic()
                self.log.info("stats", **self._stats())
            self._mind_duration()
            try:
                await asyncio.wait_for(self.stopping.wait(), STATUS_INTERVAL_S)
            except TimeoutError:
                continue

    def _mind_duration(self) -> None:
        state = self.playback.state
        if state == "waiting":
            return
        self._began = self._began or time.monotonic()
        if 0 < self.settings.duration_s <= time.monotonic() - self._began and state != "done":
            self.end_session()
        if state == "done" and not self._done_said:
            self._done_said = True
            self.log.info("done", **self._stats())

    def _report(self) -> None:
        """Bring metrics, readiness and the status document up to date; name new bad lines."""
        seg, playback = self.segment, self.playback
        stats = playback.sender.lines.stats
        for name, column in _COUNTED.items():
            for c in playback.source.channels:
                seg.counters[seg.counter(name, channel=EXCHANGES[c])] = stats[c, column]
        for kind, column in _INJECTED.items():
            seg.counters[seg.counter("replay_injected_total", kind=kind)] = stats[:, column].sum()
        bad = playback.source.bad
        seg.counters[seg.counter("replay_bad_lines_total")] = bad.count
        seg.gauges[seg.gauge("replay_target_packets_per_second")] = playback.offered_messages_per_s
        for line in bad.examples[self._said["bad"] :]:
            self.log.warning("bad_line", file=line.file, line=line.line, reason=line.reason, text=line.text)
        self._said["bad"] = len(bad.examples)
        self.recovery.report(seg)
        if self.recovery.error is not None and not self._broken_said:
            # Receivers heal by REFRESH without it: the session goes on.
            self._broken_said = True
            self.log.error("recovery_broken", error=repr(self.recovery.error))
        self.pulse.beat()
        seg.ready(True)
        seg.publish_status(playback.status() | {"recovery": self.recovery.status()})

    def _stats(self) -> dict[str, Any]:
        stats = self.playback.sender.lines.stats
        messages = int(stats[:, MESSAGES].sum())
        since, self._said["messages"] = messages - self._said["messages"], messages
        late = self.playback.status()["sender_late"]
        return {
            "state": self.playback.state,
            "messages": messages,
            "messages_since_last": since,
            "datagrams": int(stats[:, DATAGRAMS].sum()),
            "late_p99_us": late["p99_ns"] // 1000,
            "bad_lines": self.playback.source.bad.count,
        }


def run(settings: Settings) -> int:
    """Run the service until SIGTERM or SIGINT.

    Returns
    -------
    int
        0; 1 when lines of a recording were bad or a datagram could not be sent.

    Raises
    ------
    MissingError
        When a recording, the interface or the HTTP port is not to be had.
    """
    logs.configure("replay", settings.log_format)
    source = open_source(settings)
    try:
        warm(source.name)
        replay = Replay(settings, source)
    except OSError as error:
        raise MissingError(
            f"cannot send to {settings.group}:{settings.port} from {settings.interface}: {error}; try another interface"
        ) from error
    # The recovery server would else wait for up to 5 ms, as often as the producer has something to do.
    sys.setswitchinterval(0.0005)
    gc.freeze()
    return asyncio.run(replay.serve())


def warm(kind: str = "all") -> None:
    """Compile or load the kernels before anything runs: a compiler in one thread holds up all the others.

    Parameters
    ----------
    kind : str
        ``synthetic``, ``recording`` or, for ``--warm`` and image builds, ``all``.
    """
    from libs.venues.levels import LevelParser

    source = SyntheticSource(2, 2, 1, 1000.0, 4.0)
    if kind != "recording":
        chunks = source.chunks()
        next(chunks)
        next(chunks)
    if kind != "synthetic":
        LevelParser(4).parse(b"[]", b"[]")
    answering.warm()
    playback = Playback(Settings(), source, new_rows(1))
    producer.warm(playback.producer.composer)
    playback.sender.state[ACTIVE : ACTIVE + CHANNELS] = 0
    playback.sender.control[BEAT_NS] = 0
    playback.stop()
    sender.run(playback.sender, playback.outbox)
    playback.close()

"""One playback: source, producer and sending thread, and what may be done to them while they run."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import threading
from typing import Any

import numpy as np

from libs.errors import CrossbookError
from libs.market.exchanges import EXCHANGES
from libs.multicast.sender import open_sender
from libs.pages import populate
from libs.recovery.history import new_history
from libs.scheduling import short_turns
from libs.sending.compose import REFRESH_ROUND, REFRESHES
from libs.sending.encode import INSTRUMENTS
from libs.sending.outbox import new_outbox, peek, poke
from libs.sending.pace import (
    COMMAND,
    DONE,
    NEXT_SEQUENCE,
    PACE_VERSION,
    PAUSE,
    RUN,
    SESSION_NS,
    STARVED,
    STOP,
    TRADES_SENT,
    UPDATES_SENT,
    WANTED,
)
from libs.sending.rng import new_rng
from libs.sending.sender import new_sender, run
from libs.sending.transmit import BYTES, DATAGRAMS, DUPLICATE, LOSS, MESSAGES, REORDER, new_lines
from libs.telemetry.hdr import summary
from services.replay.producer import Producer
from services.replay.settings import Settings
from services.replay.source import Source

PR_SET_TIMERSLACK = 29
_FAULTS = {"loss": LOSS, "duplicate": DUPLICATE, "reorder": REORDER}
_SEED_OF_FAULTS = 0x5EED


class WrongPaceError(CrossbookError):
    """The source has another kind of pace than the one that was set."""


class NoSuchLineError(CrossbookError):
    """A fault was asked for on a line that is not in use."""


class Playback:
    """A source on its way to the group.

    Parameters
    ----------
    settings : Settings
    source : Source
    late : int64[1, hdr.ROW]
        Where the lateness of each message is recorded.

    Raises
    ------
    OSError
        When a line's socket cannot be opened.
    """

    def __init__(self, settings: Settings, source: Source, late: np.ndarray) -> None:
        self.settings, self.source = settings, source
        self.sockets: list[socket.socket] = [
            open_sender(group, port, settings.interface, settings.ttl) for group, port in settings.targets
        ]
        self._ns_per_unit = source.ns_per_unit
        fds = [s.fileno() for s in self.sockets]
        lines = new_lines(fds, settings.mtu_payload, new_rng(settings.seed ^ _SEED_OF_FAULTS))
        self.history = new_history(settings.history_messages, settings.history_bytes)
        busy = settings.wait == "busy"
        self.sender = new_sender(lines, source.channels, self._ns_per_unit, late, self.history, busy=busy)
        self.outbox = new_outbox()
        populate(*self.outbox, *self.history)
        self.producer = Producer(source, self.outbox, settings, lambda: self._ns_per_unit)
        self.inject({"loss": settings.loss, "duplicate": settings.duplicate, "reorder": settings.reorder})
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._send, name="sender", daemon=True)
        self._paused = False

    def prepare(self) -> None:
        """Begin to produce ahead; nothing is sent."""
        self.producer.start()

    def resume(self) -> None:
        """Begin, or go on after a pause."""
        self._paused = False
        if self.state == "waiting":
            self._thread.start()
        elif self.state != "done":
            poke(self.sender.control, COMMAND, RUN)

    def pause(self) -> None:
        """Hold the source's time; heartbeats go on."""
        if self.state == "running":
            self._paused = True
            poke(self.sender.control, COMMAND, PAUSE)

    def stop(self, timeout_s: float = 1.5) -> None:
        """End the session: what has begun is sent whole, then Status 5 and three heartbeats."""
        self.producer.stop()
        poke(self.sender.control, COMMAND, STOP)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if self.producer.ident is not None:
            self.producer.join(timeout_s)

    def close(self) -> None:
        """Close the sockets, once the sending thread has ended."""
        if not self._thread.is_alive():
            for opened in self.sockets:
                opened.close()

    def set_rate(self, messages_per_s: float) -> None:
        """Change the pace of a source that is paced by messages.

        Raises
        ------
        WrongPaceError
            When the source is paced by its own time.
        """
        if not self.paced_by_rate:
            raise WrongPaceError("this recording plays by its own time: set speed")
        self._set_pace(1e9 / (messages_per_s * 1000.0))

    def set_speed(self, speed: float) -> None:
        """Change the recorded seconds a second.

        Raises
        ------
        WrongPaceError
            When the source is paced by messages.
        """
        if self.paced_by_rate:
            raise WrongPaceError("this source plays by messages a second: set messages_per_s")
        self._set_pace(1.0 / speed)

    def inject(self, odds: dict[str, float], line: str = "") -> None:
        """Set the odds of faults, each per datagram: loss, duplicate, reorder; on one line (a, b) or on all.

        Raises
        ------
        NoSuchLineError
            When there is no such line.
        """
        index = "ab".index(line) if line else 0
        if index >= len(self.sockets):
            raise NoSuchLineError(f"line: expected one of {len(self.sockets)} lines in use, found {line!r}")
        rows = slice(index, index + 1) if line else slice(None)
        for name, value in odds.items():
            self.sender.lines.odds[rows, _FAULTS[name]] = value

    @property
    def paced_by_rate(self) -> bool:
        """Whether source time counts messages."""
        return self.settings.source == "synthetic" or self.settings.rate > 0

    @property
    def offered_messages_per_s(self) -> float:
        """Messages a second that the pace asks for; 0 where the recording's time decides."""
        return 1e9 / (self._ns_per_unit * 1000.0) if self.paced_by_rate else 0.0

    @property
    def state(self) -> str:
        """``waiting``, ``running``, ``paused`` or ``done``."""
        if peek(self.sender.state, DONE) == 1 or self.error is not None:
            return "done"
        if self._thread.ident is None:
            return "waiting"
        return "paused" if self._paused else "running"

    def status(self) -> dict[str, Any]:
        """Return the document of /status."""
        s, composed = self.sender, self.producer.composer.page.state
        stats = s.lines.stats
        return {
            "state": self.state,
            "source": self.source.name,
            "seed": self.settings.seed,
            "lines": len(self.sockets),
            "sent": {
                EXCHANGES[c]: {
                    "messages": int(stats[c, MESSAGES]),
                    "datagrams": int(stats[c, DATAGRAMS]),
                    "bytes": int(stats[c, BYTES]),
                    "next_sequence": int(s.state[NEXT_SEQUENCE + c]),
                    "session": int(s.state[SESSION_NS]),
                }
                for c in self.source.channels
            },
            "offered_messages_per_s": self.offered_messages_per_s,
            "speed": None if self.paced_by_rate else 1.0 / self._ns_per_unit,
            "sender_late": summary(s.late[0]),
            "updates": int(s.state[UPDATES_SENT]),
            "trades": int(s.state[TRADES_SENT]),
            "starved": int(s.state[STARVED]),
            "instruments": int(self.source.listing.used[0]),
            "instruments_composed": int(composed[INSTRUMENTS]),
            "refreshes_composed": int(composed[REFRESHES]),
            "refresh_round_s": float(composed[REFRESH_ROUND]) * self._ns_per_unit / 1e9,
            "malformed_lines": self.source.bad.count,
            "bad_lines": [str(line) for line in self.source.bad.examples],
            "inject": {name: float(s.lines.odds[0, i]) for name, i in _FAULTS.items()},
            "inject_by_line": {
                line: {name: float(odds[i]) for name, i in _FAULTS.items()}
                for line, odds in zip("ab", s.lines.odds, strict=False)
            },
        }

    def _set_pace(self, ns_per_unit: float) -> None:
        self._ns_per_unit = ns_per_unit
        self.sender.pace[WANTED] = ns_per_unit
        poke(self.sender.control, PACE_VERSION, int(self.sender.control[PACE_VERSION]) + 1)

    def _send(self) -> None:
        with contextlib.suppress(OSError):
            # The default slack of 50 µs is as long as the time between two datagrams at 20,000 a second.
            ctypes.CDLL(None, use_errno=True).prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
        short_turns()
        try:
            run(self.sender, self.outbox)
        except BaseException as error:  # noqa: BLE001 - the main thread reports it and ends the process
            self.error = error

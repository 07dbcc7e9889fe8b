"""The sending thread with its sockets, outbox and history: what a replay and a live feed hand their messages to."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import threading
from typing import Any

import numpy as np

from libs.market.exchanges import EXCHANGES
from libs.multicast.sender import open_sender
from libs.pages import populate
from libs.recovery.history import new_history
from libs.scheduling import name_thread, short_turns
from libs.sending.outbox import new_outbox, peek, poke
from libs.sending.pace import COMMAND, DONE, NEXT_SEQUENCE, SESSION_NS, STOP
from libs.sending.rng import new_rng
from libs.sending.sender import new_sender, run
from libs.sending.settings import SendingSettings
from libs.sending.transmit import BYTES, DATAGRAMS, MESSAGES, new_lines

PR_SET_TIMERSLACK = 29


class Transmission:
    """A session on the lines, from its first heartbeat to its last.

    Parameters
    ----------
    settings : SendingSettings
    channels : list of int
        Exchange ids that speak.
    late : int64[1, hdr.ROW]
        Where the lateness of each message is recorded.
    ns_per_unit : float
        Nanoseconds of one unit of source time.
    seed : int
        Of the faults that are injected.
    live : bool
        Source time is CLOCK_MONOTONIC in ns: whatever is handed over is due at once, and late since then.

    Raises
    ------
    OSError
        When a line's socket cannot be opened.
    """

    def __init__(
        self,
        settings: SendingSettings,
        channels: list[int],
        late: np.ndarray,
        ns_per_unit: float = 1.0,
        seed: int = 0,
        *,
        live: bool = False,
    ) -> None:
        self.channels = channels
        self.sockets: list[socket.socket] = [
            open_sender(group, port, settings.interface, settings.ttl) for group, port in settings.targets
        ]
        fds = [s.fileno() for s in self.sockets]
        lines = new_lines(fds, settings.mtu_payload, new_rng(seed))
        self.history = new_history(settings.history_messages, settings.history_bytes)
        busy = settings.wait == "busy"
        self.sender = new_sender(lines, channels, ns_per_unit, late, self.history, busy=busy, live=live)
        self.outbox = new_outbox()
        populate(*self.outbox, *self.history)
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._send, name="sender", daemon=True)

    @property
    def begun(self) -> bool:
        """Whether the session has begun, or is about to."""
        return self._thread.ident is not None

    @property
    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self.error is not None or int(peek(self.sender.state, DONE)) == 1

    def start(self) -> None:
        """Begin the session."""
        self._thread.start()

    def stop(self, timeout_s: float = 1.5) -> None:
        """End it: what has begun is sent whole, then Status 5 and three heartbeats."""
        poke(self.sender.control, COMMAND, STOP)
        if self.begun:
            self._thread.join(timeout_s)

    def close(self) -> None:
        """Close the sockets, once the thread has ended."""
        if not self._thread.is_alive():
            for opened in self.sockets:
                opened.close()

    def sent(self) -> dict[str, Any]:
        """Return what was sent of each channel."""
        stats, state = self.sender.lines.stats, self.sender.state
        return {
            EXCHANGES[c]: {
                "messages": int(stats[c, MESSAGES]),
                "datagrams": int(stats[c, DATAGRAMS]),
                "bytes": int(stats[c, BYTES]),
                "next_sequence": int(state[NEXT_SEQUENCE + c]),
                "session": int(state[SESSION_NS]),
            }
            for c in self.channels
        }

    def _send(self) -> None:
        name_thread("sender")
        with contextlib.suppress(OSError):
            # The default slack of 50 µs is as long as the time between two datagrams at 20,000 a second.
            ctypes.CDLL(None, use_errno=True).prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
        short_turns()
        try:
            run(self.sender, self.outbox)
        except BaseException as error:  # noqa: BLE001 - the main thread reports it and ends the process
            self.error = error

"""The recovery server of a sender: its history, a mirror of what was sent, and a port."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from libs.errors import MissingError
from libs.recovery.connection import OUTCOMES, ConnectionLimits
from libs.recovery.history import History, begin, new_history, remember
from libs.recovery.listener import Listener
from libs.recovery.mirror import Mirror
from libs.recovery.server import KINDS, Limits, RecoveryServer
from libs.sending.settings import SendingSettings
from libs.telemetry.segment import Segment, Series
from libs.wire.messages import Instrument, Message, OrderBook, encode
from libs.wire.recovery import RANGE, SNAPSHOT, STATUSES, Request


def series(service: str) -> list[Series]:
    """Return the metrics of a service's recovery server, whose names begin with the service's."""
    answered = [*product(KINDS.values(), STATUSES), ("none", "bad_request")]
    found = [
        Series(f"{service}_recovery_requests_total", {"kind": kind, "status": status}) for kind, status in answered
    ]
    found += [Series(f"{service}_recovery_connections_total", {"outcome": outcome}) for outcome in OUTCOMES]
    found += [Series(f"{service}_recovery_bytes_total", {"direction": way}) for way in ("received", "sent")]
    return [
        *found,
        Series(f"{service}_recovery_messages_total", {}),
        Series(f"{service}_recovery_open_connections", {}),
    ]


class Recovery:
    """Answers the receivers of a sender from ``start`` to ``stop``.

    Parameters
    ----------
    settings : SendingSettings
    history : History
        What was sent.
    books : int
        At the most.
    service : str
        Whose metrics are reported.

    Raises
    ------
    MissingError
        When the address cannot be had.
    """

    def __init__(self, settings: SendingSettings, history: History, books: int, service: str) -> None:
        s, self.service = settings, service
        self.mirror = Mirror(history, books, s.mirror_depth, s.mtu_payload)
        server = RecoveryServer(history, self.mirror, Limits())
        limits = ConnectionLimits(connections=s.recovery_connections)
        try:
            self.listener = Listener(server, s.recovery_host, s.recovery_port, limits, follow=self.mirror.follow)
        except OSError as error:
            raise MissingError(
                f"cannot listen on {s.recovery_host}:{s.recovery_port}: {error.strerror}; set another recovery_port or"
                " recovery_host"
            ) from error

    @property
    def error(self) -> BaseException | None:
        """What broke a connection or the thread, the first of all."""
        return self.listener.error

    def start(self) -> None:
        """Begin to answer."""
        self.listener.start()

    def stop(self) -> None:
        """Close every connection."""
        self.listener.stop()

    def inject(self, mode: str) -> None:
        """Misbehave on purpose from now on; libs.recovery.faults.MODES."""
        self.listener.faults.mode = mode

    def status(self) -> dict[str, Any]:
        """Return its part of /status."""
        return {**self.listener.status(), "passed_by": self.mirror.passed_by, "injected": self.listener.faults.injected}

    def report(self, segment: Segment) -> None:
        """Bring the metrics up to date."""
        counters, traffic = segment.counters, self.listener.traffic
        for (kind, status), count in self.listener.server.answered.items():
            counters[segment.counter(f"{self.service}_recovery_requests_total", kind=kind, status=status)] = count
        for outcome, count in traffic.outcomes.items():
            counters[segment.counter(f"{self.service}_recovery_connections_total", outcome=outcome)] = count
        counters[segment.counter(f"{self.service}_recovery_bytes_total", direction="received")] = traffic.received_bytes
        counters[segment.counter(f"{self.service}_recovery_bytes_total", direction="sent")] = traffic.sent_bytes
        counters[segment.counter(f"{self.service}_recovery_messages_total")] = self.listener.server.messages
        segment.gauges[segment.gauge(f"{self.service}_recovery_open_connections")] = self.listener.connections


def warm() -> None:
    """Compile or load the kernels: remember two messages, follow them, answer for them."""
    history = new_history()
    mirror = Mirror(history, 1, 20, 1472)
    server = RecoveryServer(history, mirror, Limits())
    begin(history, 1)
    for message in _two_messages():
        data = np.frombuffer(encode(message), np.uint8).copy()
        remember(history, 0, message.sequence, data, 0, len(data))
    server.answer(Request(RANGE, 0, 1, 1, 2, 1), 0, None)
    server.answer(Request(SNAPSHOT, 0, 1, 0, 0, 2, "A"), 0, None)
    server.oldest(0)


def _two_messages() -> tuple[Message, ...]:
    book = OrderBook(2, 1, 0, "A", 3, 0, 0, 0, 1, 1, ((1, 1),), ((2, 1),))
    return Instrument(1, 1, 0, "A", 0, 0, 0, 0, 1, 1, 1), book

"""The thread that asks Redis, every two seconds, how long its streams are and how much memory it uses."""

from __future__ import annotations

import threading

import numpy as np

from libs.scheduling import name_thread
from libs.streams.connection import TROUBLE, Connection
from libs.telemetry.segment import Segment
from services.consumer.series import REDIS_GAUGES, STREAMS

INTERVAL_S = 2.0
_FIELDS = {
    "md_redis_memory_bytes": b"used_memory",
    "md_redis_memory_limit_bytes": b"maxmemory",
    "md_redis_connected_clients": b"connected_clients",
}


class RedisGauges(threading.Thread):
    """Keeps the gauges of Redis itself; while Redis does not answer they are not a number.

    Parameters
    ----------
    segment : Segment
        The consumer's.
    url, prefix : str
    """

    def __init__(self, segment: Segment, url: str, prefix: str) -> None:
        super().__init__(name="redis_gauges", daemon=True)
        self.error: BaseException | None = None
        self._lengths = [(f"{prefix}{name}", segment.gauge("md_redis_stream_length", stream=name)) for name in STREAMS]
        self._plain = {name: segment.gauge(name) for name in REDIS_GAUGES}
        self._gauges = segment.gauges
        self._stopping = threading.Event()
        self._connection = Connection(url)

    def run(self) -> None:
        """Ask until stopped."""
        name_thread(self.name)
        try:
            while not self._stopping.is_set():
                if self._connection.due():
                    self.ask()
                self._stopping.wait(INTERVAL_S)
        except BaseException as error:  # noqa: BLE001 - reported by the main thread, which ends the process
            self.error = error
        finally:
            self._connection.close()

    def ask(self) -> None:
        """Ask once."""
        commands = [("XLEN", key) for key, _ in self._lengths]
        try:
            answers = self._connection.run([*commands, ("INFO", "memory"), ("INFO", "clients")])
            info = dict(_fields(answers[-2]) | _fields(answers[-1]))
        except TROUBLE as error:
            self._connection.down(error)
            self._gauges[[at for _, at in self._lengths] + list(self._plain.values())] = np.nan
            return
        self._connection.up()
        for (_, at), answer in zip(self._lengths, answers, strict=False):
            # A key of another type answers with an error: it is no stream of ours.
            self._gauges[at] = float(answer) if isinstance(answer, int) else np.nan
        for name, at in self._plain.items():
            self._gauges[at] = float(info.get(_FIELDS[name], "nan"))

    def stop(self) -> None:
        """Ask to stop."""
        self._stopping.set()


def _fields(answer: object) -> dict[bytes, bytes]:
    """Return the fields of an answer to INFO; none of an error, as where an account may not ask."""
    if not isinstance(answer, bytes):
        return {}
    pairs = (line.partition(b":") for line in answer.splitlines() if b":" in line)
    return {name: value for name, _, value in pairs}

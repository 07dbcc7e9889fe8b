"""A service's metrics, readiness and status document in shared memory.

The service writes words; a second process (:mod:`libs.telemetry.serving`) reads them and answers HTTP. Neither waits
for the other.
"""

from __future__ import annotations

import difflib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from libs.shared import Arena
from libs.telemetry.catalogue import kind_of
from libs.telemetry.hdr import ROW

STATUS_BYTES = 262_144
REASON_BYTES = 512
NAME_BYTES = 64
"""Of a symbol, an exchange or a book; longer ones are cut."""

# Words of a histogram's exemplar: one remarkable value, and which message of its book's channel it was.
EXEMPLAR_NS, EXEMPLAR_SEQUENCE, EXEMPLAR_WALL_NS = range(3)

# Words of the segment's own state.
READY = 0
BEAT_NS = 1
STATUS_VERSION = 2
STARTED_NS = 3
STATUS_LENGTH = 4  # and 5: of either half
WORDS = 16


@dataclass(frozen=True)
class Series:
    """One time series: a metric of the catalogue with its labels."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Name and labels as one string."""
        inner = ",".join(f"{k}={v}" for k, v in sorted(self.labels.items()))
        return f"{self.name}{{{inner}}}"


@dataclass(frozen=True)
class Watch:
    """A table of gauges whose rows are named while the service runs; what is not a number is not exported.

    Attributes
    ----------
    rows : int
        The most there may be.
    columns : tuple of (metric, labels)
        Beside these labels a row has ``symbol``, and ``exchange`` where its metric has that label.
    """

    rows: int
    columns: tuple[tuple[str, Mapping[str, str]], ...]


NO_WATCH = Watch(0, ())


class Segment:
    """Series of a service over an arena.

    Attributes
    ----------
    counters : int64[:]
    gauges : float64[:]
    rows : int64[:, ROW]
        HDR rows, in the order in which histograms were declared.
    arrays : mapping
        Arrays of the service's own (``extra``).
    """

    def __init__(self, service: str, series: Sequence[Series], arena: Arena, watch: Watch = NO_WATCH) -> None:
        self.service, self.series, self.arena, self.watch = service, tuple(series), arena, watch
        self._index: dict[str, dict[str, int]] = {"counter": {}, "gauge": {}, "histogram": {}}
        for one in self.series:
            places = self._index[kind_of(one.name)]
            if one.key in places:
                raise ValueError(f"series {one.key} is declared twice")
            places[one.key] = len(places)
        self.counters, self.gauges, self.rows = arena["_counters"], arena["_gauges"], arena["_rows"]
        self.arrays = {name: array for name, array in arena.arrays.items() if not name.startswith("_")}
        self._words, self._reason, self._status = arena["_words"], arena["_reason"], arena["_status"]
        self.exemplars, self.exemplar_books = arena["_exemplars"], arena["_exemplar_books"]
        self.watch_names, self.watch_values = arena["_watch_names"], arena["_watch_values"]

    @classmethod
    def create(
        cls,
        service: str,
        series: Sequence[Series],
        extra: Mapping[str, tuple[Any, tuple[int, ...]]] | None = None,
        watch: Watch = NO_WATCH,
    ) -> Segment:
        """Return a segment with every series at zero.

        Parameters
        ----------
        series : sequence of Series
            All of them: ``increase()`` misses the first step of one that appears late.
        extra : mapping
            Name → (dtype, shape) of arrays of the service's own.
        watch : Watch
            Nothing of it is exported before rows are named.

        Raises
        ------
        KeyError
            When a metric is not in the catalogue.
        ValueError
            When a series is declared twice.
        """
        kinds = [kind_of(one.name) for one in series]
        spec: dict[str, tuple[Any, tuple[int, ...]]] = {
            "_words": ("<i8", (WORDS,)),
            "_reason": ("u1", (REASON_BYTES,)),
            "_status": ("u1", (2, STATUS_BYTES)),
            "_counters": ("<i8", (max(1, kinds.count("counter")),)),
            "_gauges": ("<f8", (max(1, kinds.count("gauge")),)),
            "_rows": ("<i8", (max(1, kinds.count("histogram")), ROW)),
            "_exemplars": ("<i8", (max(1, kinds.count("histogram")), 3)),
            "_exemplar_books": ("u1", (max(1, kinds.count("histogram")), NAME_BYTES)),
            "_watch_names": ("u1", (max(1, watch.rows), 2, NAME_BYTES)),
            "_watch_values": ("<f8", (max(1, watch.rows), max(1, len(watch.columns)))),
        }
        arena = Arena.create(spec | dict(extra or {}), f"crossbook-{service}")
        segment = cls(service, series, arena, watch)
        segment.watch_values[:] = np.nan
        segment._words[STARTED_NS] = time.time_ns()
        segment.ready(False, "starting")
        segment.beat()
        return segment

    def spec(self) -> str:
        """Return what :meth:`attach` needs besides the descriptor."""
        series = [[one.name, dict(one.labels)] for one in self.series]
        watch = [self.watch.rows, [[name, dict(labels)] for name, labels in self.watch.columns]]
        return json.dumps({"service": self.service, "series": series, "watch": watch, "arena": self.arena.spec_json})

    @classmethod
    def attach(cls, fd: int, spec: str) -> Segment:
        """Return the segment of another process."""
        plain = json.loads(spec)
        series = [Series(name, labels) for name, labels in plain["series"]]
        rows, columns = plain["watch"]
        watch = Watch(rows, tuple((name, labels) for name, labels in columns))
        return cls(plain["service"], series, Arena.attach(fd, plain["arena"]), watch)

    def _at(self, kind: str, name: str, labels: Mapping[str, str]) -> int:
        key = Series(name, labels).key
        try:
            return self._index[kind][key]
        except KeyError:
            near = difflib.get_close_matches(key, self._index[kind], n=3)
            raise KeyError(f"no {kind} {key}; near: {', '.join(near) or 'none'}") from None

    def counter(self, name: str, **labels: str) -> int:
        """Return the index of a counter in ``counters``."""
        return self._at("counter", name, labels)

    def gauge(self, name: str, **labels: str) -> int:
        """Return the index of a gauge in ``gauges``."""
        return self._at("gauge", name, labels)

    def row(self, name: str, **labels: str) -> int:
        """Return the index of a histogram in ``rows``."""
        return self._at("histogram", name, labels)

    def add(self, index: int, n: int = 1) -> None:
        """Add to a counter."""
        self.counters[index] += n

    def remark(self, row: int, value_ns: int, sequence: int, book: str, wall_ns: int) -> None:
        """Name one message whose value in a histogram is remarkable; Prometheus keeps it as an exemplar."""
        _put_text(self.exemplar_books[row], book)
        self.exemplars[row] = (value_ns, sequence, wall_ns)

    def name_watched(self, row: int, symbol: str, exchange: str = "") -> None:
        """Name a row of the watch table."""
        for at, text in enumerate((symbol, exchange)):
            _put_text(self.watch_names[row, at], text)

    def watched(self, row: int) -> tuple[str, str]:
        """Return symbol and exchange of a row of the watch table; empty: it has no name yet."""
        return text_of(self.watch_names[row, 0]), text_of(self.watch_names[row, 1])

    def beat(self) -> None:
        """Give a sign of life; /livez wants one every 5 s."""
        self._words[BEAT_NS] = time.monotonic_ns()

    def ready(self, ok: bool, reason: str = "") -> None:
        """Say whether the service does its work, and if not, why."""
        _put_text(self._reason, reason)
        self._words[READY] = int(ok)

    def readiness(self) -> tuple[bool, str]:
        """Return what :meth:`ready` said last."""
        return bool(self._words[READY]), text_of(self._reason)

    def age_s(self) -> float:
        """Return seconds since the last sign of life."""
        return (time.monotonic_ns() - int(self._words[BEAT_NS])) / 1e9

    def publish_status(self, document: Any) -> None:
        """Put a JSON document where /status finds it.

        Raises
        ------
        ValueError
            When it is larger than 256 KiB.
        """
        data = json.dumps(document).encode()
        if len(data) > STATUS_BYTES:
            raise ValueError(f"status document: expected at most {STATUS_BYTES} bytes, found {len(data)}")
        # Into the half that nobody reads: a reader finds a whole document even when this process stops half-way.
        version = int(self._words[STATUS_VERSION]) + 1
        self._status[version % 2, : len(data)] = np.frombuffer(data, np.uint8)
        self._words[STATUS_LENGTH + version % 2] = len(data)
        self._words[STATUS_VERSION] = version

    def status(self) -> bytes:
        """Return the document published last, whole; ``{}`` before the first."""
        while version := int(self._words[STATUS_VERSION]):
            data = bytes(self._status[version % 2, : int(self._words[STATUS_LENGTH + version % 2])])
            # The half that was read is written again only once the other one is published.
            if int(self._words[STATUS_VERSION]) == version:
                return data
        return b"{}"


def _put_text(place: np.ndarray, text: str) -> None:
    """Put text into bytes; what does not fit is cut."""
    data = text.encode()[: len(place)]
    place[:] = 0
    place[: len(data)] = np.frombuffer(data, np.uint8)


def text_of(place: np.ndarray) -> str:
    """Return the text in bytes."""
    return bytes(place).rstrip(b"\0").decode(errors="replace")

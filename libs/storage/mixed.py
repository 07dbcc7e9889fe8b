"""Recordings of any venues as one stream of events, on one clock."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path

from libs.errors import RecordingError
from libs.market.exchanges import EXCHANGES, exchange_id
from libs.market.instruments import Instrument
from libs.storage.hftp import HftpCapture
from libs.storage.lines import BadLines
from libs.storage.pcap import is_pcap
from libs.storage.recordings import Recording, find
from libs.venues.core import Refused
from libs.venues.events import BookEvent, Event, StatusEvent, TradeEvent


class MixedRecording:
    """Every recording read by its venue's core.

    Parameters
    ----------
    paths : sequence of Path
        Files and folders; captures (pcap) of our own multicast too.

    Attributes
    ----------
    bad : BadLines
        Lines and messages that were not used.
    instruments : dict
        By exchange id and canonical symbol, where the recordings hold lists of them.

    Raises
    ------
    MissingError
        When a path is not there.
    RecordingError
        When a file is no recording, or of a venue that has no channel.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.bad = BadLines()
        self._round_bad = self.bad
        captures = [path for path in paths if path.is_file() and is_pcap(path)]
        self._capture = HftpCapture(captures) if captures else None
        others = [path for path in paths if path not in captures]
        self._recordings: Sequence[Recording] = find(others) if others else ()
        for recording in self._recordings:
            if not recording.venue.exchange:
                known = ", ".join(EXCHANGES)
                raise RecordingError(
                    f"{recording.path}: expected a recording of {known}, found {recording.venue.name}, "
                    "a witness that has no channel"
                )
        self._surveys = [recording.survey() for recording in self._recordings]
        self.instruments: dict[tuple[int, str], Instrument] = {
            (exchange_id(recording.venue.exchange), symbol): instrument
            for recording, survey in zip(self._recordings, self._surveys, strict=True)
            for symbol, instrument in survey.instruments.items()
        } | (self._capture.instruments if self._capture else {})

    @property
    def exchanges(self) -> list[int]:
        """Exchanges that may speak."""
        captured = self._capture.exchanges if self._capture else []
        return sorted({*captured, *(exchange_id(recording.venue.exchange) for recording in self._recordings)})

    def events(self) -> Iterator[tuple[int, int, Event]]:
        """Yield (receive time in ns, exchange id, event) of all of them; may be called again for another round."""
        bad, self._round_bad = self._round_bad, BadLines(keep=0)
        sources = [self._events(k, bad) for k in range(len(self._recordings))]
        if self._capture is not None:
            sources.append(self._capture.events(bad))
        return heapq.merge(*sources, key=itemgetter(0)) if len(sources) > 1 else iter(sources[0])

    def _events(self, k: int, bad: BadLines) -> Iterator[tuple[int, int, Event]]:
        recording = self._recordings[k]
        exchange = exchange_id(recording.venue.exchange)
        latest = 0
        for number, (said, outputs) in enumerate(recording.played(self._surveys[k], bad), 1):
            # heapq.merge needs order within a source.
            latest = max(latest, said.us)
            for output in outputs:
                if isinstance(output, BookEvent | TradeEvent | StatusEvent):
                    output.feed_ts_us = latest
                    yield 1000 * latest, exchange, output
                elif isinstance(output, Refused):
                    bad.add(recording.path, number, output.reason, said.text)

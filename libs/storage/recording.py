"""Recordings as normalised events, in the order in which the recorder received them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from libs.storage.collector import Line, Stream, find_streams, merge
from libs.storage.lines import BadLines
from libs.venues.binance.feed import SymbolFeed, Units
from libs.venues.binance.messages import (
    DECODERS,
    NOTHING,
    AggTrade,
    BookTicker,
    Depth,
    Trade,
    decode_envelope,
    decode_snapshot,
)
from libs.venues.binance.symbols import Market, canonical
from libs.venues.events import Event

UnitsOf = Callable[[str], Units | None]


class BinanceRecording:
    """Collector files of Binance (any mix of spot, USD-M, COIN-M) as one stream of events.

    Parameters
    ----------
    paths : iterable of Path
        Files or folders.
    units_of : callable
        Canonical symbol to the exponents that its prices and sizes are sent with; None: the decimals seen.

    Attributes
    ----------
    bad : BadLines
        Lines that were not used.
    tickers : BookTicker, per canonical symbol
        The last best prices that the venue itself stated: a witness.

    Raises
    ------
    MissingError
        When a path is not there.
    """

    def __init__(self, paths: Iterable[Path], units_of: UnitsOf | None = None) -> None:
        self.streams: Sequence[Stream] = find_streams(paths)
        self.bad = self._round_bad = BadLines()
        self.feeds: dict[tuple[Market, str], SymbolFeed] = {}
        self.tickers: dict[str, BookTicker] = {}
        self._units_of = units_of or (lambda symbol: None)

    def events(self) -> Iterator[tuple[int, Event]]:
        """Yield (receive time in ns, event) of the whole recording; may be called again for another round."""
        for feed in self.feeds.values():
            feed.restart()
        # A further round meets the same bad lines: they count once.
        bad, self._round_bad = self._round_bad, BadLines(keep=0)
        for line in merge(self.streams, bad):
            try:
                events = self._events_of(line)
            except (msgspec.DecodeError, ValueError) as error:
                reason = "not JSON" if type(error) is msgspec.DecodeError else str(error)
                bad.add(line.file, line.number, reason, line.payload)
                continue
            for event in events:
                yield line.recv_ns, event

    def _events_of(self, line: Line) -> list[Event]:
        feed_us = line.recv_ns // 1000
        envelope = decode_envelope(line.payload)
        stream = self.streams[line.stream]
        if envelope.stream is None:
            snapshot = decode_snapshot(line.payload)
            return self._feed(stream, snapshot.symbol or stream.name).snapshot(snapshot, feed_us)
        if envelope.data is NOTHING:
            raise ValueError("no data in the message")
        kind = envelope.stream.partition("@")[2].partition("@")[0]
        decode = DECODERS.get(kind)
        if decode is None:
            return []
        m = decode(envelope.data)
        feed = self._feed(stream, m.s)
        if isinstance(m, Depth):
            return feed.depth(m, feed_us)
        if isinstance(m, Trade | AggTrade):
            return feed.trade(m, feed_us)
        self.tickers[feed.symbol] = m
        return []

    def _feed(self, stream: Stream, symbol: str) -> SymbolFeed:
        key = (stream.market, symbol.upper())
        feed = self.feeds.get(key)
        if feed is None:
            units = self._units_of(canonical(symbol, stream.market))
            feed = self.feeds[key] = SymbolFeed(symbol, stream.market, units)
        return feed

"""Captures of our own multicast as events: both lines merged, each message once, in order of its channel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from libs.errors import RecordingError
from libs.market.exchanges import EXCHANGES
from libs.market.instruments import Instrument as Listed
from libs.storage.lines import BadLines
from libs.storage.pcap import read_pcap
from libs.venues.events import BUYER, STATUS_SYMBOL_INVALID, UNKNOWN, BookEvent, Event, StatusEvent, TradeEvent
from libs.wire.messages import Heartbeat, Instrument, Message, OrderBook, Status, Trade, decode_datagram

SNAPSHOT, LAST, BAD, REFRESH = 1, 2, 4, 8
WAITING = 4096
"""Messages of a channel that wait for one that may still come over the other line."""
SENT = frozenset({STATUS_SYMBOL_INVALID, 3, 4, 6, 7, 8})
"""Codes of Status about a symbol that are played again."""


@dataclass
class _Channel:
    """One channel's place: the sequence that comes next, what waits, the parts of an event that is not whole yet."""

    session: int = 0
    next: int = 0
    waiting: dict[int, tuple[int, Message]] = field(default_factory=dict)
    parts: dict[str, list[OrderBook]] = field(default_factory=dict)
    symbols: dict[str, None] = field(default_factory=dict)
    valid: set[str] = field(default_factory=set)


class HftpCapture:
    """Captures as ``crossbook capture`` or tcpdump write them.

    Parameters
    ----------
    paths : sequence of Path
        In order of time.

    Attributes
    ----------
    instruments : dict
        By exchange id and canonical symbol: what Instruments said last.
    exchanges : list of int
        Those that speak.
    bad : BadLines
        Packets that are cut, messages that make no sense, sequences that are missing.

    Raises
    ------
    RecordingError
        When no message is in them.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths
        self.bad = BadLines()
        self.instruments: dict[tuple[int, str], Listed] = {}
        seen: set[int] = set()
        for path in paths:
            for packet in read_pcap(path, BadLines()):
                for m in decode_datagram(packet.payload)[0]:
                    seen.add(m.exchange_id)
                    if isinstance(m, Instrument) and m.exchange_id < len(EXCHANGES):
                        self.instruments[m.exchange_id, m.symbol] = _listed(m)
        self.exchanges = sorted(number for number in seen if number < len(EXCHANGES))
        if not self.exchanges:
            raise RecordingError(f"{paths[0]}: expected HFTP in UDP datagrams, found none")

    def events(self, bad: BadLines) -> Iterator[tuple[int, int, Event]]:
        """Yield (receive time in ns, exchange id, event)."""
        channels: dict[int, _Channel] = {}
        latest = 0
        for path in self.paths:
            for number, packet in enumerate(read_pcap(path, bad), 1):
                latest = max(latest, packet.ns)
                messages, reason = decode_datagram(packet.payload)
                if reason is not None:
                    bad.add(path, number, reason, packet.payload[:40])
                for m in messages:
                    if m.exchange_id in self.exchanges:
                        channel = channels.setdefault(m.exchange_id, _Channel())
                        for event in self._take(channel, m, latest, bad, path, number):
                            yield latest, m.exchange_id, event
        for exchange, channel in channels.items():
            while channel.waiting:
                for event in self._skip(channel, latest // 1000, bad, self.paths[-1]):
                    yield latest, exchange, event

    def _take(self, c: _Channel, m: Message, ns: int, bad: BadLines, path: Path, number: int) -> Iterator[Event]:
        if isinstance(m, Heartbeat):
            if m.session != c.session:
                # Its books have no snapshot yet; the end of a session alone says nothing of the market.
                for symbol in sorted(c.valid) if c.session else ():
                    yield StatusEvent(symbol, STATUS_SYMBOL_INVALID, "another session", ns // 1000)
                c.session, c.next = m.session, 0
                c.waiting.clear()
                c.parts.clear()
                c.valid.clear()
            return
        if not c.next:
            # The capture may have begun in the middle of a session.
            c.next = m.sequence
        if m.sequence < c.next:
            return
        c.waiting.setdefault(m.sequence, (ns, m))
        yield from self._ready(c)
        if len(c.waiting) > WAITING:
            yield from self._skip(c, ns // 1000, bad, path)

    def _ready(self, c: _Channel) -> Iterator[Event]:
        while c.next in c.waiting:
            _, m = c.waiting.pop(c.next)
            c.next += 1
            yield from self._event(c, m)

    def _skip(self, c: _Channel, us: int, bad: BadLines, path: Path) -> Iterator[Event]:
        """Give up what is missing before what waits: every book of the channel is invalid."""
        first = min(c.waiting)
        bad.add(path, first, f"sequences {c.next} to {first - 1} are missing", b"")
        c.next = first
        c.parts.clear()
        c.valid.clear()
        for symbol in c.symbols:
            yield StatusEvent(symbol, STATUS_SYMBOL_INVALID, "missing in the capture", us)
        yield from self._ready(c)

    def _event(self, c: _Channel, m: Message) -> Iterator[Event]:
        if isinstance(m, OrderBook):
            yield from self._book(c, m)
        elif isinstance(m, Trade):
            aggressor = UNKNOWN if m.flags & UNKNOWN else m.flags & BUYER
            yield TradeEvent(
                m.symbol, m.trade_id, aggressor, m.price, m.price_exponent, m.size, m.size_exponent,
                m.exchange_timestamp_us, m.feed_timestamp_us,
            )  # fmt: skip
        elif isinstance(m, Status):
            symbols = [m.symbol] if m.symbol else list(c.symbols)
            # Books of a venue that is not there wait for snapshots: as invalid ones do.
            code = m.code if m.code in SENT else STATUS_SYMBOL_INVALID if m.code in (0, 1) else -1
            for symbol in symbols if code >= 0 else ():
                if code == STATUS_SYMBOL_INVALID:
                    c.valid.discard(symbol)
                yield StatusEvent(symbol, code, m.text, m.timestamp_us)

    def _book(self, c: _Channel, m: OrderBook) -> Iterator[Event]:
        c.symbols.setdefault(m.symbol)
        if m.flags & SNAPSHOT:
            c.parts[m.symbol] = []
        c.parts.setdefault(m.symbol, []).append(m)
        if not m.flags & LAST:
            return
        parts = c.parts.pop(m.symbol)
        if parts[0].flags & REFRESH and m.symbol in c.valid:
            return
        if any(part.flags & BAD for part in parts):
            c.valid.discard(m.symbol)
            yield StatusEvent(m.symbol, STATUS_SYMBOL_INVALID, "bad", m.feed_timestamp_us)
        elif parts[0].flags & SNAPSHOT:
            # A REFRESH is an event only where it begins a book: the capture may have begun in the middle.
            c.valid.add(m.symbol)
        sides = [[level for part in parts for level in getattr(part, name)] for name in ("bids", "asks")]
        levels = np.array([x for side in sides for level in side for x in level], np.int64)
        first = parts[0]
        fresh = bool(first.flags & SNAPSHOT)
        yield BookEvent(
            m.symbol, fresh, first.price_exponent, first.size_exponent, len(sides[0]), len(sides[1]), levels, first.cut,
            first.exchange_timestamp_us, m.feed_timestamp_us,
        )  # fmt: skip


def _listed(m: Instrument) -> Listed:
    steps = ((m.tick, m.tick_exponent), (m.lot, m.lot_exponent), (m.multiplier, m.multiplier_exponent))
    return Listed(m.symbol, EXCHANGES[m.exchange_id], *steps, bool(m.flags & 1))

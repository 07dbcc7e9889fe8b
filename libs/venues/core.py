"""What every venue's connection is to its driver: messages and time in, events and wishes out. No I/O, no clock.

The feeder drives a core over real WebSockets, ``crossbook verify`` and the recordings over recorded messages, the fault
schedules over a fake venue; none of them knows a venue's rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from libs.market.instruments import Instrument
from libs.venues.events import BookEvent, StatusEvent, TradeEvent


@dataclass(frozen=True, slots=True)
class Send:
    """A text message for the venue; the driver keeps the venue's rate of messages."""

    text: str


@dataclass(frozen=True, slots=True)
class Fetch:
    """A REST request whose answer goes to :meth:`VenueCore.answered` with the same ``symbol``.

    Parameters
    ----------
    symbol : str
        Canonical.
    path : str
        Path and query below the venue's REST root.
    weight : int
        What it takes of the venue's budget of requests.
    """

    symbol: str
    path: str
    weight: int


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection and open another: ``reason`` is one line for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class TopEvent:
    """A best bid and ask said by a witness channel (ticker), never multicast.

    Parameters
    ----------
    symbol : str
        Canonical.
    sequence : int
        Id that a book message may share: comparable when the book stands at just this id. -1: the venue gives none.
    bid_price, bid_size, ask_price, ask_size : (int, int)
        Mantissa and exponent; (0, 0) for an empty side.
    exchange_ts_us, feed_ts_us : int
        The venue's clock (0: none given) and the receiver's.
    """

    symbol: str
    sequence: int
    bid_price: tuple[int, int]
    bid_size: tuple[int, int]
    ask_price: tuple[int, int]
    ask_size: tuple[int, int]
    exchange_ts_us: int
    feed_ts_us: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that makes no sense: ``reason`` names the field, what was expected and what was found."""

    reason: str


Output = BookEvent | TradeEvent | StatusEvent | TopEvent | Send | Fetch | Close | Refused


class VenueCore(Protocol):
    """One connection of one venue, for a fixed set of symbols.

    Attributes
    ----------
    exchange : str
        As in :data:`libs.market.exchanges.EXCHANGES`, or the name of a witness venue that is never multicast.
    symbols : sequence of str
        Canonical, of this connection.
    counts : Counter of str
        What happened, over all symbols: ``gap``, ``resync``, ``checksum_ok``, ``checksum_bad``, ``checksum_absent``,
        ``trade_gap``, ``refused``, ``ignored`` …; ``kept_gap``: a gap among deltas that wait for a snapshot.
    by_symbol : dict of str to Counter of str
        The same a symbol, and ``messages``, ``updates``, ``trades``, ``snapshots``.
    """

    exchange: str
    symbols: Sequence[str]
    counts: Counter[str]
    by_symbol: dict[str, Counter[str]]

    @property
    def unverifiable(self) -> Sequence[str]:
        """What the venue's data cannot prove, a line each."""

    def opened(self, now_us: int) -> list[Output]:
        """Begin a connection: the subscriptions within the venue's limits, and snapshots to fetch."""

    def received(self, message: bytes, now_us: int) -> list[Output]:
        """Return what one message makes; one that cannot be used is a Refused, never an exception."""

    def answered(self, symbol: str, body: bytes, now_us: int) -> list[Output]:
        """Return what the answer to a Fetch makes."""

    def failed(self, symbol: str, now_us: int) -> list[Output]:
        """A Fetch came to nothing: ask again, now or at a later tick."""

    def tick(self, now_us: int) -> list[Output]:
        """Let time pass, at least every 100 ms: pings and heartbeats that are due, waits that ran out."""

    def resync(self, symbol: str, reason: str, now_us: int) -> list[Output]:
        """Declare one book invalid (Status 2) and ask the venue for a new one; no other symbol is touched."""

    def closed(self, now_us: int) -> list[Output]:
        """The connection is gone: Status 2 for each valid book, Status 8 for trades; what follows is :meth:`opened`."""

    def synchronised(self, symbol: str) -> bool:
        """Return whether the book stands on a snapshot with no gap since."""

    def position(self, symbol: str) -> int:
        """Return the venue's id of the book as it is, where a witness channel has the same ids; -1: none."""

    def last_heard_us(self) -> tuple[int, int]:
        """Return when the last message and the last heartbeat, pong or other sign of life came: quiet or mute."""


class VenueRules(Protocol):
    """What a venue's module says beside its core."""

    def instruments(self, body: bytes) -> list[tuple[str, Instrument]]:
        """Read the venue's list of instruments: its own symbol and the instrument, tradable ones only.

        Raises
        ------
        ValueError
            When the answer is not such a list.
        """

    def canonical(self, symbol: str) -> str:
        """Return the canonical symbol of the venue's own.

        Raises
        ------
        ValueError
            When it is none.
        """

    def native(self, symbol: str) -> str:
        """Return the venue's own symbol of a canonical one."""

    def connections(self, symbols: Sequence[str]) -> list[list[str]]:
        """Share out canonical symbols over connections within the venue's limits."""

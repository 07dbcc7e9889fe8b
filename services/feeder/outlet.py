"""Events of the cores to the sending thread, at once: chunk, composer, outbox. It never waits.

What finds the outbox full stays here, and :attr:`Outlet.blocked` says so: its caller takes in nothing more until then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numpy as np

from libs.book.state import new as new_books
from libs.market.exchanges import exchange_id
from libs.market.instruments import Instrument
from libs.sending.chunk import BOOK, STATUS, TRADE, new_chunk, signed
from libs.sending.compose import (
    CURSOR,
    NEXT_INSTRUMENT,
    NEXT_REFRESH,
    REFRESH_BEGAN,
    SLOT_FULL,
    WANTED_DATAGRAM_GAP,
    WANTED_INSTRUMENT_ROUND,
    WANTED_REFRESH_ROUND,
    WANTED_SPAN,
    compose,
    compose_due,
    new_composer,
)
from libs.sending.encode import SLOT, SLOT_COUNT, SLOT_USED
from libs.sending.listing import ANNOUNCED, INSTRUMENT_FLAGS, add_row, new_listing
from libs.sending.outbox import COUNTS, FREE, READY, SLOT_BYTES, SLOTS, STATES, Outbox, peek, poke
from libs.sending.settings import SendingSettings
from libs.venues.events import CUT_ASKS, CUT_BIDS, BookEvent, Event, TradeEvent

DEEPEST = 10_000
"""Levels a side that a snapshot is sent with at the most; a deeper one is cut, and says so."""
MOST_LEVELS = 40_000
"""Of one delta: what a slot of the outbox holds with room to spare."""
FLAG_DELISTED = 2
_EVENTS, _LEVELS = 4096, 1 << 17
_TOO_LARGE = 2**63
_CATCH_UP_NS = 20_000_000
_SPAN_NS = 10_000_000_000


class Outlet:
    """Where events go.

    Parameters
    ----------
    outbox : Outbox
    settings : SendingSettings
    books : int
        At the most.
    """

    def __init__(self, outbox: Outbox, settings: SendingSettings, books: int) -> None:
        self.outbox = outbox
        self.listing = new_listing(books)
        mirror = new_books(books, settings.mirror_depth)
        self.composer = new_composer(self.listing, mirror, outbox, settings.mtu_payload)
        self.events = self.cut = 0
        self._rows: dict[tuple[str, str], int] = {}
        self._chunk = new_chunk(_EVENTS, _LEVELS)
        self._pending: deque[tuple[int, int, Event]] = deque()
        self._state = state = self.composer.page.state
        self._newest_ns = 0
        state[WANTED_SPAN] = _SPAN_NS
        state[WANTED_INSTRUMENT_ROUND] = int(settings.instrument_round_s * 1e9)
        state[WANTED_REFRESH_ROUND] = int(settings.refresh_round_s * 1e9)
        state[WANTED_DATAGRAM_GAP] = int(1e9 / settings.refresh_datagrams_per_s)

    def begin(self, now_ns: int) -> None:
        """Fix when the first Instruments and the first REFRESH are due."""
        state = self._state
        state[NEXT_INSTRUMENT] = now_ns
        state[REFRESH_BEGAN] = state[NEXT_REFRESH] = now_ns + state[WANTED_REFRESH_ROUND]

    def list(self, instrument: Instrument) -> None:
        """Give a book its row.

        Raises
        ------
        ValueError
            When there is no room.
        """
        key = (instrument.exchange, instrument.symbol)
        if key not in self._rows:
            i = instrument
            self._rows[key] = add_row(
                self.listing, exchange_id(i.exchange), i.symbol, i.tick, i.lot, i.multiplier, inverse=i.inverse
            )

    def delist(self, exchange: str, symbol: str, *, delisted: bool) -> bool:
        """Say with the next Instrument whether the venue still has it; return whether that is news."""
        row = self.listing.rows[self._rows[exchange, symbol]]
        flags = row[INSTRUMENT_FLAGS] & ~FLAG_DELISTED | FLAG_DELISTED * delisted
        news = bool(flags != row[INSTRUMENT_FLAGS])
        if news:
            row[INSTRUMENT_FLAGS], row[ANNOUNCED] = flags, 0
        return news

    @property
    def overfull(self) -> bool:
        """Whether more than a chunk waits to be composed."""
        return bool(self._pending)

    @property
    def blocked(self) -> bool:
        """Whether something waits for the sending thread."""
        return bool(self._pending) or int(self._chunk.used[0]) > 0

    def put(self, exchange: str, event: Event, mono_ns: int) -> bool:
        """Take in an event received at a time of CLOCK_MONOTONIC; False refuses what the wire cannot carry."""
        if isinstance(event, BookEvent):
            if event.snapshot:
                self.cut += cut(event)
            elif event.bids + event.asks > MOST_LEVELS:
                return False
        elif isinstance(event, TradeEvent) and not (0 < event.price < _TOO_LARGE and 0 < event.size < _TOO_LARGE):
            return False
        # The sender's stamps never go back.
        self._newest_ns = max(self._newest_ns, mono_ns)
        self.events += 1
        row = self._rows[exchange, event.symbol]
        if self._pending or not self._add(self._newest_ns, row, event):
            self._pending.append((self._newest_ns, row, event))
        return True

    def flush(self, now_ns: int, *, idle: bool = False) -> None:
        """Compose what was taken in, and what is due when ``idle``; hand it over unless the outbox is full."""
        state, chunk = self._state, self._chunk
        if int(peek(self.outbox.control, STATES + int(state[SLOT]))) != FREE:
            return
        # After a stall: once for all that is overdue.
        oldest = self._newest_ns - _CATCH_UP_NS
        state[NEXT_INSTRUMENT], state[NEXT_REFRESH] = (
            max(state[NEXT_INSTRUMENT], oldest),
            max(state[NEXT_REFRESH], oldest),
        )
        while True:
            if compose(self.composer, chunk) == SLOT_FULL:
                break
            chunk.used[:] = 0
            state[CURSOR] = 0
            while self._pending and self._add(*self._pending[0]):
                self._pending.popleft()
            if not chunk.used[0]:
                if idle:
                    self._newest_ns = max(self._newest_ns, now_ns)
                    compose_due(self.composer, now_ns)
                break
        self._hand_over()

    def _hand_over(self) -> None:
        state = self._state
        if state[SLOT_COUNT] == 0:
            return
        slot = int(state[SLOT])
        self.outbox.control[COUNTS + slot] = state[SLOT_COUNT]
        poke(self.outbox.control, STATES + slot, READY)
        state[SLOT] = (slot + 1) % SLOTS
        state[SLOT_USED] = state[SLOT] * SLOT_BYTES
        state[SLOT_COUNT] = 0

    def _add(self, src_ns: int, row: int, event: Event) -> bool:
        """Write an event to the chunk; False when it has no room."""
        c = self._chunk
        n, at = int(c.used[0]), int(c.used[1])
        words = len(event.levels) if isinstance(event, BookEvent) else 0
        if n == len(c.events) or at + words > len(c.levels):
            return False
        if isinstance(event, BookEvent):
            e = event
            c.levels[at : at + words] = e.levels
            c.events[n] = (
                src_ns, BOOK, row, int(e.snapshot), e.price_exponent, e.size_exponent, e.cut, e.bids, e.asks,
                e.exchange_ts_us, e.feed_ts_us, at, 0, 0, 0, 0,
            )  # fmt: skip
        elif isinstance(event, TradeEvent):
            t = event
            c.events[n] = (
                src_ns, TRADE, row, t.aggressor, t.price_exponent, t.size_exponent, 0, 0, 0, t.exchange_ts_us,
                t.feed_ts_us, 0, signed(t.trade_id), t.price, t.size, 0,
            )  # fmt: skip
        else:
            c.events[n] = (src_ns, STATUS, row, event.code, 0, 0, 0, 0, 0, 0, event.feed_ts_us, 0, 0, 0, 0, 0)
        c.used[0], c.used[1] = n + 1, at + words
        return True

    def rows(self) -> Mapping[tuple[str, str], int]:
        """Return the books by exchange and symbol."""
        return self._rows


def cut(event: BookEvent) -> bool:
    """Keep the best levels of a snapshot that has too many; return whether it had."""
    if max(event.bids, event.asks) <= DEEPEST:
        return False
    pairs = event.levels.reshape(-1, 2)
    bids, asks = pairs[: event.bids], pairs[event.bids :]
    if len(bids) > DEEPEST:
        bids = bids[np.argsort(-bids[:, 0], kind="stable")[:DEEPEST]]
        event.cut |= CUT_BIDS
    if len(asks) > DEEPEST:
        asks = asks[np.argsort(asks[:, 0], kind="stable")[:DEEPEST]]
        event.cut |= CUT_ASKS
    event.bids, event.asks = len(bids), len(asks)
    event.levels = np.concatenate((bids, asks)).reshape(-1)
    return True

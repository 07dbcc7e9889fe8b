"""A sender of HFTP and an engine without sockets or threads, for tests."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import numpy as np

from libs.book import flags as book_flags
from libs.book.reader import snapshot_levels
from libs.engine import report, state, words
from libs.engine.columns import (
    BATCH,
    DEPTH_LEVELS,
    LIQUIDITY_BPS,
    REQUESTS_ON,
    STALE_AFTER_NS,
    STALE_CROSS_US,
    UNCERTAINTY_US,
)
from libs.engine.datagrams import take_datagram
from libs.engine.process import drain
from libs.engine.recovered import take_recovered
from libs.engine.requests import take_requests
from libs.engine.state import Engine
from libs.engine.timers import run_timers
from libs.market.symbol_table import t_find
from libs.sequencing import state as seq
from libs.streams.schemas import BOOK, FEATURES, NBBO, STATUS
from libs.wire.messages import Heartbeat, Instrument, Message, OrderBook, Status, Trade, encode

MS = 1_000_000
SESSION = 1_700_000_000_000_000_000
SNAPSHOT, LAST, BAD, REFRESH = 1, 2, 4, 8


class Feed:
    """Number messages of one channel, as a sender does."""

    def __init__(self, exchange: int = 0, session: int = SESSION) -> None:
        self.exchange, self.session = exchange, session
        self.next = 1
        self.now_us = session // 1000

    def _head(self) -> tuple[int, int, int]:
        self.now_us += 10
        number = self.next
        self.next += 1
        return number, self.now_us, self.exchange

    def instrument(
        self, symbol: str = "BTC-USDT", multiplier: int = 1, flags: int = 0, tick_exp: int = -2
    ) -> Instrument:
        """Return an Instrument."""
        return Instrument(*self._head(), symbol, flags, tick_exp, -3, 0, 1, 1, multiplier)

    def book(
        self,
        flags: int,
        bids: list[tuple[int, int]],
        asks: list[tuple[int, int]],
        symbol: str = "BTC-USDT",
        cut: int = 0,
    ) -> OrderBook:
        """Return an OrderBook part in units of 0.01 and 0.001."""
        head = self._head()
        return OrderBook(*head, symbol, flags, -2, -3, cut, 0, head[1], tuple(bids), tuple(asks))

    def snapshot(self, symbol: str = "BTC-USDT", mid: int = 10_000) -> OrderBook:
        """Return a whole snapshot of five levels a side."""
        bids = [(mid - 1 - i, 10 + i) for i in range(5)]
        asks = [(mid + 1 + i, 20 + i) for i in range(5)]
        return self.book(SNAPSHOT | LAST, bids, asks, symbol)

    def trade(self, symbol: str = "BTC-USDT", price: int = 10_000, size: int = 5, flags: int = 1) -> Trade:
        """Return a Trade."""
        head = self._head()
        return Trade(*head, symbol, flags, -2, -3, head[0], 0, head[1], price, size)

    def status(self, code: int, symbol: str = "") -> Status:
        """Return a Status."""
        return Status(*self._head(), symbol, code, "")

    def heartbeat(self, next_sequence: int | None = None) -> Heartbeat:
        """Return a Heartbeat; takes no number."""
        return Heartbeat(self.now_us, self.exchange, self.session, next_sequence or self.next, self.now_us)

    def restart(self) -> None:
        """Begin a new session, a second later."""
        self.session += 1_000_000_000
        self.now_us = self.session // 1000
        self.next = 1


class Host:
    """An engine that is handed datagrams and processes them at once."""

    def __init__(self, **sizes: Any) -> None:
        options: dict[str, Any] = {"ring_capacity": 4096, "max_books": 16, "max_symbols": 8, "depth": 64} | sizes
        self.engine: Engine = state.new(**options)
        settings = self.engine.arrays["receive_settings"]
        settings[words.GAP_TIMEOUT_NS] = 1 * MS
        settings[words.HEAL_TIMEOUT_NS] = 50 * MS
        settings[words.REORDER_WINDOW] = 64
        settings[words.LINE_COUNT] = 2
        process = self.engine.arrays["process_settings"]
        process[BATCH], process[DEPTH_LEVELS], process[LIQUIDITY_BPS] = 16, 20, 10
        process[STALE_CROSS_US], process[UNCERTAINTY_US] = 500_000, 5_000
        process[STALE_AFTER_NS : STALE_AFTER_NS + 5] = 2000 * MS
        self.now = 1_000 * MS

    @property
    def directory(self) -> np.ndarray:
        """What kernels take."""
        return self.engine.directory

    def take_bytes(self, data: bytes) -> None:
        """Receive one datagram and process what it gave."""
        buf = np.frombuffer(data or b"\0", np.uint8).copy()
        take_datagram(self.directory, buf, 0, len(data), 1_800_000_000_000_000_000, self.now)
        self.process()

    def take(self, *messages: Message) -> None:
        """Receive messages, a datagram each."""
        for message in messages:
            self.take_bytes(encode(message))

    def wait(self, ns: int) -> None:
        """Let time pass, and the receive side's timers run."""
        self.now += ns
        run_timers(self.directory, self.now)
        self.process()

    def recover(self, kind: int, *messages: Message, exchange: int = 0, session: int = SESSION) -> None:
        """Take in a delivery of the recovery client, and process what it gave."""
        body = b"".join(encode(message) for message in messages)
        buf = np.frombuffer(struct.pack("<BBHIQ", kind, exchange, 0, 0, session) + body, np.uint8).copy()
        take_recovered(self.directory, buf, 0, len(buf), 1_800_000_000_000_000_000, self.now)
        self.process()

    def with_requests(self) -> Host:
        """Ask for what is missing from now on."""
        self.engine.arrays["receive_settings"][words.REQUEST_LIMIT] = 1024
        self.engine.arrays["process_settings"][REQUESTS_ON] = 1
        return self

    def requests(self, kind: str) -> list[list[int]]:
        """Return what is asked for since the last time: ``range`` or ``snapshot``."""
        out = np.zeros((64, 8), np.int64)
        arrays = self.engine.arrays
        n = take_requests(arrays[f"{kind}_requests"], arrays[f"{kind}_requests_control"], out)
        return [[int(word) for word in row] for row in out[:n]]

    def process(self) -> None:
        """Empty the rings."""
        for ch in range(5):
            while drain(self.directory, ch, 16, self.now):
                pass

    def id_of(self, symbol: str = "BTC-USDT", exchange: int = 0) -> int:
        """Return a book's id."""
        return t_find(self.engine.table, exchange, symbol)

    def flags(self, symbol: str = "BTC-USDT", exchange: int = 0) -> list[str]:
        """Return a book's flags by name."""
        return book_flags.names(int(self.engine.books.flags[self.id_of(symbol, exchange)]))

    def valid(self, symbol: str = "BTC-USDT", exchange: int = 0) -> bool:
        """Return whether a book is valid."""
        return int(self.engine.books.flags[self.id_of(symbol, exchange)]) & book_flags.INVALID == 0

    def levels(self, symbol: str = "BTC-USDT", exchange: int = 0) -> tuple[dict[int, int], dict[int, int]]:
        """Return a book's bids and asks as price → size."""
        view = snapshot_levels(self.engine.books, self.id_of(symbol, exchange), 64)
        assert view is not None
        return dict(view.bids), dict(view.asks)

    def ledger(self, exchange: int = 0) -> dict[str, Any]:
        """Return a channel's ledger; it balances, or the test fails here."""
        arrays = self.engine.arrays
        found = report.channel_report(
            arrays["sequencer_channels"][exchange], arrays["ledger"][exchange], arrays["sequencer_holes"][exchange]
        )
        assert found["unaccounted"] == 0, found
        assert found["ledger_checks"]["failed"] == 0, found
        return found

    def row(self, kind: str, index: int = 0) -> Any:
        """Return the latest record of a book (features, books) or symbol (nbbo)."""
        dtype = {"features": FEATURES, "books": BOOK, "nbbo": NBBO}[kind]
        return self.engine.arrays[f"out_{kind}"][index].view(dtype)[0]

    def statuses(self) -> list[Any]:
        """Return the status records queued so far."""
        n = int(self.engine.arrays["out_controls"][4, 0])
        return list(self.engine.arrays["out_status"][:n].view(STATUS)[:, 0])

    def column(self, name: str, exchange: int = 0) -> int:
        """Return a column of the receive side's row."""
        return int(self.engine.arrays["sequencer_channels"][exchange, getattr(seq, name)])


def resent(message: Any, sequence: int) -> Any:
    """Return a message under another number."""
    return replace(message, sequence=sequence)

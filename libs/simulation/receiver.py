"""The engine under test: the cores that run live, over arrays that are zeroed and used again for each schedule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from libs.book import state as book_state
from libs.book.state import WORDS
from libs.engine import control, datagrams, events, outputs, process, recovered, requests, state, timers, words
from libs.engine.columns import (
    BATCH,
    DEPTH_LEVELS,
    LIQUIDITY_BPS,
    REQUESTS_ON,
    STALE_AFTER_NS,
    STALE_CROSS_US,
    UNCERTAINTY_US,
)
from libs.engine.outputs import BOOKS, FEATURE, Q_HEAD, Q_TAIL, STATE, SYMBOLS, TRADE
from libs.market.symbol_table import t_name
from libs.ring.state import HEAD, TAIL
from libs.simulation.schedule import MS, WALL_NS, Schedule

GAP_TIMEOUT_NS = 1 * MS
REORDER_WINDOW = 64
STALE_NS = 250 * MS
MONO_NS = 1_000_000 * MS
"""Monotonic clock at virtual time 0."""
DEPTH = 32
REQUEST_LIMIT = 1024
LARGEST_DATAGRAM = 65_536
_GUARDED = {
    "sequencer_hold_bytes", "out_trades", "out_status", "rings", "receive_rows", "process_rows", "range_requests",
    "snapshot_requests", "history_rings", "history_layout",
}  # fmt: skip
"""Arrays of which nothing is read that was not written before: too large to zero each time, or of no interest."""


@dataclass(frozen=True)
class Cores:
    """The kernels that a schedule drives; a test puts changed ones in their place."""

    take_datagram: Callable[..., Any] = datagrams.take_datagram
    take_recovered: Callable[..., Any] = recovered.take_recovered
    run_timers: Callable[..., Any] = timers.run_timers
    drain: Callable[..., Any] = process.drain
    tick: Callable[..., Any] = control.tick
    take_latest: Callable[..., Any] = outputs.take_latest
    take_records: Callable[..., Any] = outputs.take_records
    take_requests: Callable[..., Any] = requests.take_requests
    settle_waiting: Callable[..., Any] = events.settle_waiting


class Receiver:
    """An engine without sockets or threads, its clocks passed in."""

    def __init__(self, cores: Cores | None = None) -> None:
        self.cores = cores or Cores()
        self.engine = state.new(ring_capacity=1024, max_books=16, max_symbols=8, depth=DEPTH)
        self.arrays = self.engine.arrays
        self.directory = self.engine.directory
        self.buffer = np.zeros(LARGEST_DATAGRAM, np.uint8)
        self.view = memoryview(cast(Any, self.buffer))
        self.state = self.engine.books
        self.words = self.state.words.reshape(-1, WORDS)
        self.flags = self.state.flags
        controls = self.arrays["ring_controls"]
        self.heads, self.tails = controls[:, HEAD], controls[:, TAIL]
        self.asked = [self.arrays[f"{kind}_requests_control"] for kind in ("range", "snapshot")]
        self.to_zero = [array for name, array in self.arrays.items() if name not in _GUARDED]
        self.names: list[tuple[int, str]] = []
        self.room = {
            kind: np.zeros((64, self.arrays[f"out_{name}"].shape[1]), np.int64)
            for kind, name in ((FEATURE, "features"), (BOOKS, "books"), (SYMBOLS, "nbbo"), (TRADE, "trades"),
                               (STATE, "status"))
        }  # fmt: skip

    def start(self, plan: Schedule) -> None:
        """Begin as a new process does: nothing known, nothing joined."""
        for array in self.to_zero:
            array.fill(0)
        book_state.prepare(self.state)
        self.names.clear()
        settings = self.arrays["receive_settings"]
        settings[words.GAP_TIMEOUT_NS] = GAP_TIMEOUT_NS
        settings[words.HEAL_TIMEOUT_NS] = plan.heal_timeout_ns
        settings[words.REORDER_WINDOW] = REORDER_WINDOW
        settings[words.LINE_COUNT] = len(plan.lines)
        settings[words.REQUEST_LIMIT] = REQUEST_LIMIT if plan.link else 0
        process_settings = self.arrays["process_settings"]
        process_settings[BATCH], process_settings[DEPTH_LEVELS], process_settings[LIQUIDITY_BPS] = 16, 10, 10
        process_settings[STALE_CROSS_US], process_settings[UNCERTAINTY_US] = 500_000, 5_000
        process_settings[REQUESTS_ON] = int(plan.link is not None)
        process_settings[STALE_AFTER_NS : STALE_AFTER_NS + 5] = STALE_NS

    def take(self, data: bytes, now_ns: int) -> None:
        """Receive a datagram at a virtual time."""
        n = len(data)
        self.view[:n] = data
        self.cores.take_datagram(self.directory, self.buffer, 0, n, WALL_NS + now_ns, MONO_NS + now_ns)

    def take_recovered(self, data: bytes, now_ns: int) -> None:
        """Receive what the recovery client hands over."""
        n = len(data)
        self.view[:n] = data
        self.cores.take_recovered(self.directory, self.buffer, 0, n, WALL_NS + now_ns, MONO_NS + now_ns)

    def requests(self, kind: str, out: np.ndarray) -> list[list[int]]:
        """Take what is asked for: ``range`` or ``snapshot``."""
        a = self.arrays
        n = self.cores.take_requests(a[f"{kind}_requests"], a[f"{kind}_requests_control"], out)
        return out[:n].tolist() if n else []

    def timers(self, now_ns: int) -> None:
        """Run what the receive thread does between datagrams."""
        self.cores.run_timers(self.directory, MONO_NS + now_ns)

    def drain(self, channel: int, limit: int, now_ns: int) -> int:
        """Let the book thread process records of one ring; return how many."""
        return int(self.cores.drain(self.directory, channel, limit, MONO_NS + now_ns))

    def tick(self, now_ns: int) -> None:
        """Run what the book thread does every 10 ms."""
        self.cores.tick(self.directory, MONO_NS + now_ns)

    def stop(self) -> None:
        """Do what the book thread does when it is told to stop."""
        self.cores.settle_waiting(self.directory)

    def waiting(self) -> list[int]:
        """Return the slots in use of each ring."""
        used: list[int] = (self.heads - self.tails).tolist()
        return used

    def asks(self) -> bool:
        """Return whether a request waits to be sent."""
        return any(control[Q_HEAD] != control[Q_TAIL] for control in self.asked)

    def books(self) -> list[tuple[int, str]]:
        """Return (exchange, symbol) of every registered book, by id."""
        count = int(self.arrays["table_counts"][0])
        while len(self.names) < count:
            book = len(self.names)
            self.names.append((int(self.arrays["table_book_exchange"][book]), t_name(self.engine.table, book)))
        return self.names

    def latest(self, kind: int, name: str) -> np.ndarray:
        """Take the records of features, books or NBBO that changed, as the publisher does (int64[n, words])."""
        a, out = self.arrays, self.room[kind]
        version = a["out_nbbo_version" if kind == SYMBOLS else "out_book_version"]
        short = {FEATURE: "feature", BOOKS: "book", SYMBOLS: "nbbo"}[kind]
        n = self.cores.take_latest(
            a[f"out_{short}_queue"], a["out_controls"][kind], a[f"out_{short}_dirty"], version, a[f"out_{name}"], out
        )
        return out[:n]

    def records(self, kind: int, name: str) -> np.ndarray:
        """Take queued trades or statuses, as the publisher does (int64[n, words])."""
        out = self.room[kind]
        n = self.cores.take_records(self.arrays[f"out_{name}"], self.arrays["out_controls"][kind], out)
        return out[:n]

"""All arrays of a consumer, in one memory that a second process may look at, and the tuples that kernels take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from libs.book import state as book_state
from libs.book.state import Books
from libs.engine import outputs
from libs.engine.outputs import Outputs
from libs.engine.receive import COUNTS, SETTINGS, Receiver
from libs.engine.slots import REFUSALS
from libs.market import symbol_table
from libs.market.symbol_table import SymbolTable
from libs.nbbo import state as nbbo_state
from libs.nbbo.state import Nbbo
from libs.ring.state import CONTROL_WORDS, SLOT_WORDS
from libs.sequencing import state as sequencing
from libs.sequencing.state import CHANNELS, Sequencer

Shapes = dict[str, tuple[Any, tuple[int, ...]]]

# Columns of Processor.ledger, a row a channel.
APPLIED = 0
REFUSED = 1  # by reason of libs.engine.slots.REFUSALS: REFUSED + reason
PENDING_PARTS = 8
UPDATES = 9
TRADES = 10
EVENTS = 11
CHECKS = 12  # heartbeats at which the two equations were checked
CHECKS_FAILED = 13
HOLES_OPEN = 14  # given up, and some book still waits for its snapshot
HEALED_SNAPSHOT = 15
HEALED_FEED = 16
WATERMARK_US = 17  # feed time before which nothing more will come
SESSION = 18
HEARD_NS = 19  # monotonic
STALE = 20
LOST_NS = 21  # monotonic time of the oldest loss that is not healed
CROSSED_EVENTS = 22
DIVERGED = 23
GAP_BOOKS = 24  # books that wait for a snapshot since a loss
MESSAGES = 25
LAST_FEED_US = 26
LAST_SENT_US = 27
INSTRUMENT_CHANGES = 28
COLUMNS = 32
assert REFUSED + len(REFUSALS) <= PENDING_PARTS

# Words of Processor.totals.
FEATURE_ROWS = 0
NBBO_ROWS = 1
TOTALS = 16

# Words of Processor.settings.
BATCH = 0
DEPTH_LEVELS = 1
LIQUIDITY_BPS = 2
STALE_CROSS_US = 3
UNCERTAINTY_US = 4
BUSY_POLL = 5
STALE_AFTER_NS = 8  # by exchange
PROCESS_SETTINGS = 16

ROW_BOOK, ROW_FEATURES, ROW_HEAL = 0, 1, 2


class Processor(NamedTuple):
    """What the book thread owns, and the rings that it reads.

    Attributes
    ----------
    rings : int64[CHANNELS, capacity * 8]
    ring_controls : int64[CHANNELS, 64]
    wake, publisher_wake : int64[64]
        Where this thread, and the publisher, say that they sleep.
    table, books, nbbo, out
    ledger : int64[CHANNELS, COLUMNS]
    totals : int64[TOTALS]
    settings : int64[PROCESS_SETTINGS]
    rows : int64[3, ROW]
        HDR rows from the scheduled send: to the book, to features and NBBO; and time to heal by snapshot.
    trades_missed_us : int64[max_books]
    scratch : int64[16]
    """

    rings: np.ndarray
    ring_controls: np.ndarray
    wake: np.ndarray
    publisher_wake: np.ndarray
    table: SymbolTable
    books: Books
    nbbo: Nbbo
    out: Outputs
    ledger: np.ndarray
    totals: np.ndarray
    settings: np.ndarray
    rows: np.ndarray
    trades_missed_us: np.ndarray
    scratch: np.ndarray


def _prefixed(shapes: Mapping[str, Any], prefix: str) -> Shapes:
    return {f"{prefix}{name}": shape for name, shape in shapes.items()}


def _stripped(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}


def spec(*, ring_capacity: int, max_books: int, max_symbols: int, depth: int) -> Shapes:
    """Return name → (dtype, shape) of every array of a consumer.

    Parameters
    ----------
    ring_capacity : int
        Slots a ring, a power of two.
    max_books, max_symbols : int
        (exchange, symbol) pairs, and canonical symbols.
    depth : int
        Levels kept a side.
    """
    if ring_capacity < 1024 or ring_capacity & (ring_capacity - 1):
        raise ValueError(f"ring capacity: expected a power of two of at least 1024, found {ring_capacity}")
    shapes: Shapes = {
        "rings": ("<i8", (CHANNELS, ring_capacity * SLOT_WORDS)),
        "ring_controls": ("<i8", (CHANNELS, CONTROL_WORDS)),
        "wake": ("<i8", (64,)),
        "publisher_wake": ("<i8", (64,)),
        "receive_settings": ("<i8", (SETTINGS,)),
        "receive_counts": ("<i8", (COUNTS,)),
        "ledger": ("<i8", (CHANNELS, COLUMNS)),
        "totals": ("<i8", (TOTALS,)),
        "process_settings": ("<i8", (PROCESS_SETTINGS,)),
        "trades_missed_us": ("<i8", (max_books,)),
    }
    shapes |= sequencing.spec()
    shapes |= outputs.spec(max_books, max_symbols)
    shapes |= _prefixed(symbol_table.spec(max_books, max_symbols), "table_")
    shapes |= _prefixed(book_state.spec(max_books, depth), "books_")
    shapes |= _prefixed(nbbo_state.spec(max_symbols), "nbbo_")
    return shapes


def allocate(**sizes: int) -> dict[str, np.ndarray]:
    """Return the arrays of :func:`spec` in this process's memory."""
    return {name: np.zeros(shape, dtype) for name, (dtype, shape) in spec(**sizes).items()}


def bind_table(arrays: Mapping[str, np.ndarray]) -> SymbolTable:
    """Return the symbol table."""
    return symbol_table.bind(_stripped(arrays, "table_"))


def bind_books(arrays: Mapping[str, np.ndarray]) -> Books:
    """Return the books."""
    return book_state.bind(_stripped(arrays, "books_"))


def bind_nbbo(arrays: Mapping[str, np.ndarray]) -> Nbbo:
    """Return the NBBO state."""
    return nbbo_state.bind(_stripped(arrays, "nbbo_"))


def bind_receiver(arrays: Mapping[str, np.ndarray], rows: np.ndarray, allowed: list[int]) -> Receiver:
    """Return the receive thread's tuple, with scratch of its own.

    Parameters
    ----------
    rows : int64[2, ROW]
        HDR rows of this thread's own: ROW_WIRE and ROW_HEAL of libs.engine.receive.
    allowed : list of int
        Source addresses in host order; empty: all.
    """
    sequencer: Sequencer = sequencing.bind(arrays)
    return Receiver(
        rings=arrays["rings"],
        ring_controls=arrays["ring_controls"],
        wake=arrays["wake"],
        table=bind_table(arrays),
        sequencer=sequencer,
        settings=arrays["receive_settings"],
        counts=arrays["receive_counts"],
        rows=rows,
        m=np.zeros(16, np.int64),
        b=np.zeros(16, np.int64),
        scratch=np.zeros(16, np.int64),
        allowed=np.array(allowed, np.int64),
    )


def bind_processor(arrays: Mapping[str, np.ndarray], rows: np.ndarray) -> Processor:
    """Return the book thread's tuple, with scratch of its own.

    Parameters
    ----------
    rows : int64[3, ROW]
        HDR rows of this thread's own: ROW_BOOK, ROW_FEATURES and ROW_HEAL.
    """
    out: Outputs = outputs.bind(arrays)
    return Processor(
        rings=arrays["rings"],
        ring_controls=arrays["ring_controls"],
        wake=arrays["wake"],
        publisher_wake=arrays["publisher_wake"],
        table=bind_table(arrays),
        books=bind_books(arrays),
        nbbo=bind_nbbo(arrays),
        out=out,
        ledger=arrays["ledger"],
        totals=arrays["totals"],
        settings=arrays["process_settings"],
        rows=rows,
        trades_missed_us=arrays["trades_missed_us"],
        scratch=np.zeros(16, np.int64),
    )

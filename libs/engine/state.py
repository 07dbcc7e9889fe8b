"""All arrays of a consumer, in one memory that a second process may look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from libs.book import state as book_state
from libs.book.flags import NO_SNAPSHOT
from libs.book.state import FLAGS, STAGES, WORDS, Books
from libs.digest import state as digest_state
from libs.engine import outputs, requests, waiting
from libs.engine.columns import COLUMNS, DIGEST, DIGEST_TRACED, PROCESS_SETTINGS, TOTALS
from libs.engine.conflation import PACE_WORDS
from libs.engine.directory import build
from libs.engine.words import COUNTS, LINE_WORDS, LINES, RECEIVE_SETTINGS_WORDS
from libs.features import history as feature_history
from libs.features.history import History
from libs.features.microprice import Table, put
from libs.market import symbol_table
from libs.market.exchanges import exchange_id
from libs.market.symbol_table import SymbolTable
from libs.nbbo import arbitrage, families
from libs.nbbo import state as nbbo_state
from libs.nbbo.families import Families
from libs.nbbo.state import Nbbo
from libs.ring.state import CONTROL_WORDS, SLOT_WORDS
from libs.sequencing import state as sequencing
from libs.sequencing.state import CHANNELS
from libs.telemetry.hdr import new_rows

Shapes = dict[str, tuple[Any, tuple[int, ...]]]


@dataclass(frozen=True)
class Engine:
    """What the kernels take, and the arrays behind it by name.

    Attributes
    ----------
    arrays : dict
    directory : int64[n, 4]
        Of the arrays; valid while this object lives.
    """

    arrays: Mapping[str, np.ndarray]
    directory: np.ndarray

    @property
    def table(self) -> SymbolTable:
        """The symbol table."""
        return bind_table(self.arrays)

    @property
    def books(self) -> Books:
        """The books."""
        return bind_books(self.arrays)


def _prefixed(shapes: Mapping[str, Any], prefix: str) -> Shapes:
    return {f"{prefix}{name}": shape for name, shape in shapes.items()}


def _stripped(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}


def spec(
    *,
    ring_capacity: int,
    max_books: int,
    max_symbols: int,
    depth: int,
    max_families: int = 0,
    digest: bool = False,
    history: Mapping[str, int] | None = None,
) -> Shapes:
    """Return name → (dtype, shape) of every array of a consumer.

    Parameters
    ----------
    ring_capacity : int
        Slots a ring, a power of two.
    max_books, max_symbols : int
        (exchange, symbol) pairs, and canonical symbols.
    depth : int
        Levels kept a side.
    max_families : int
        Families of joined quote currencies (libs.nbbo.families).
    digest : bool
        Whether there is room for hash chains.
    history : mapping
        Capacities of the features' histories (libs.features.history.CAPACITIES).
    """
    if ring_capacity < 1024 or ring_capacity & (ring_capacity - 1):
        raise ValueError(f"ring capacity: expected a power of two of at least 1024, found {ring_capacity}")
    shapes: Shapes = {
        "rings": ("<i8", (CHANNELS, ring_capacity * SLOT_WORDS)),
        "ring_controls": ("<i8", (CHANNELS, CONTROL_WORDS)),
        "wake": ("<i8", (64,)),
        "publisher_wake": ("<i8", (64,)),
        "receive_settings": ("<i8", (RECEIVE_SETTINGS_WORDS,)),
        "receive_counts": ("<i8", (COUNTS,)),
        "ledger": ("<i8", (CHANNELS, COLUMNS)),
        "totals": ("<i8", (TOTALS,)),
        "process_settings": ("<i8", (PROCESS_SETTINGS,)),
        "heard": ("<i8", (max_books,)),
        "lines": ("<i8", (LINES, CHANNELS, LINE_WORDS)),
        "features_pace": ("<i8", (max_books, PACE_WORDS)),
        "taker_fees_bps": ("<f8", (2, nbbo_state.EXCHANGES)),
    }
    shapes |= requests.spec()
    shapes |= waiting.spec(max_books, ring_capacity)
    shapes |= sequencing.spec()
    shapes |= outputs.spec(max_books, max_symbols + max_families)
    shapes |= _prefixed(symbol_table.spec(max_books, max_symbols), "table_")
    shapes |= _prefixed(book_state.spec(max_books, depth), "books_")
    shapes |= _prefixed(feature_history.spec(max_books, history), "history_")
    shapes |= _prefixed(nbbo_state.spec(max_symbols), "nbbo_")
    shapes |= _prefixed(nbbo_state.spec(max(1, max_families), families.SLOTS), "joined_")
    shapes |= _prefixed(families.spec(max_symbols, max_families), "families_")
    shapes |= _prefixed(arbitrage.spec(max_symbols + max_families), "arbitrage_")
    shapes |= _prefixed(digest_state.spec(max_books, max_symbols, on=digest), "digest_")
    shapes |= _prefixed(nbbo_state.spec(max_symbols if digest else 1), "digest_nbbo_")
    shapes["digest_shadow"] = ("<i8", ((max_books + STAGES) * WORDS if digest else 1,))
    return shapes


def bind_table(arrays: Mapping[str, np.ndarray]) -> SymbolTable:
    """Return the symbol table."""
    return symbol_table.bind(_stripped(arrays, "table_"))


def bind_books(arrays: Mapping[str, np.ndarray]) -> Books:
    """Return the books."""
    return book_state.bind(_stripped(arrays, "books_"))


def bind_history(arrays: Mapping[str, np.ndarray]) -> History:
    """Return what the features' windows need of the past."""
    return feature_history.bind(_stripped(arrays, "history_"))


def bind_families(arrays: Mapping[str, np.ndarray]) -> Families:
    """Return the families of joined quote currencies."""
    return families.bind(_stripped(arrays, "families_"))


def bind_nbbo(arrays: Mapping[str, np.ndarray]) -> Nbbo:
    """Return the NBBO state."""
    return nbbo_state.bind(_stripped(arrays, "nbbo_"))


def bind_joined(arrays: Mapping[str, np.ndarray]) -> Nbbo:
    """Return the NBBO state of families of joined quote currencies."""
    return nbbo_state.bind(_stripped(arrays, "joined_"))


def bind(
    arrays: Mapping[str, np.ndarray], receive_rows: np.ndarray, process_rows: np.ndarray, allowed: list[int]
) -> Engine:
    """Return the engine over arrays of :func:`spec`, with scratch of its own.

    Parameters
    ----------
    receive_rows : int64[2, ROW]
        HDR rows of the receive thread: ROW_WIRE and ROW_HEAL of libs.engine.receive.
    process_rows : int64[3, ROW]
        HDR rows of the book thread: ROW_BOOK, ROW_FEATURES and ROW_HEAL of libs.engine.columns.
    allowed : list of int
        Source addresses in host order; empty: all.
    """
    own = {
        "receive_rows": receive_rows,
        "process_rows": process_rows,
        "receive_header": np.zeros(16, np.int64),
        "receive_body": np.zeros(16, np.int64),
        "receive_scratch": np.zeros(16, np.int64),
        "receive_allowed": np.array(allowed, np.int64),
        "process_scratch": np.zeros(16, np.int64),
    }
    everything = {**arrays, **own}
    return Engine(everything, build(everything))


def begin_digest(arrays: Mapping[str, np.ndarray], *, traced: bool) -> None:
    """Begin the hash chains of a consumer that has room for them, before anything is received.

    Parameters
    ----------
    traced : bool
        Whether every link goes into the trace, which somebody then has to empty.
    """
    arrays["process_settings"][DIGEST] = 1
    arrays["process_settings"][DIGEST_TRACED] = int(traced)
    arrays["digest_shadow"].reshape(-1, WORDS)[:, FLAGS] = NO_SNAPSHOT


def prepare(engine: Engine, history: Mapping[str, int] | None = None) -> None:
    """Make fresh memory an engine whose books wait for their snapshots; capacities as :func:`spec` was given them."""
    book_state.prepare(engine.books)
    feature_history.prepare(engine.arrays["history_layout"], history)


def put_tables(engine: Engine, tables: Iterable[Table]) -> None:
    """Give fitted microprices to their books, which are made here, before anything is received."""
    for table in tables:
        book = symbol_table.t_register(engine.table, exchange_id(table.exchange), table.symbol)
        put(bind_history(engine.arrays), book, table)


def new(**sizes: Any) -> Engine:
    """Return an engine in this process's memory, books waiting for their snapshots; sizes as in :func:`spec`."""
    arrays = {name: np.zeros(shape, dtype) for name, (dtype, shape) in spec(**sizes).items()}
    engine = bind(arrays, new_rows(2), new_rows(3), [])
    prepare(engine, sizes.get("history"))
    return engine

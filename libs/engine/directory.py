"""Where every array of a consumer is: an int64[n, 4] that kernels take instead of seventy arrays (libs/memory.py)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from libs.book.state import WORDS, Books
from libs.features.history import History
from libs.jit import kernel
from libs.market.symbol_table import SymbolTable
from libs.memory import bytes1, bytes2, directory, floats1, floats2, words1, words2, words3
from libs.nbbo.arbitrage import Arbitrages
from libs.nbbo.families import Families
from libs.nbbo.state import Nbbo
from libs.ring.state import Ring
from libs.sequencing.state import Sequencer

NAMES = (
    "rings",
    "ring_controls",
    "wake",
    "publisher_wake",
    "receive_settings",
    "receive_counts",
    "receive_rows",
    "receive_header",
    "receive_body",
    "receive_scratch",
    "receive_allowed",
    "ledger",
    "totals",
    "process_settings",
    "process_rows",
    "heard",
    "process_scratch",
    "lines",
    "range_requests",
    "range_requests_control",
    "snapshot_requests",
    "snapshot_requests_control",
    "waiting",
    "waiting_log",
    "waiting_control",
    *(f"sequencer_{name}" for name in Sequencer._fields),
    *(f"table_{name}" for name in SymbolTable._fields),
    *(f"books_{name}" for name in Books._fields),
    *(f"nbbo_{name}" for name in Nbbo._fields),
    "out_features",
    "out_books",
    "out_nbbo",
    "out_book_version",
    "out_nbbo_version",
    "out_feature_dirty",
    "out_book_dirty",
    "out_nbbo_dirty",
    "out_feature_queue",
    "out_book_queue",
    "out_nbbo_queue",
    "out_trades",
    "out_status",
    "out_controls",
    "out_arbitrages",
    "taker_fees_bps",
    "features_pace",
    *(f"arbitrage_{name}" for name in Arbitrages._fields),
    *(f"families_{name}" for name in Families._fields),
    *(f"joined_{name}" for name in Nbbo._fields),
    "digest_books",
    "digest_quotes",
    "digest_record",
    "digest_tops",
    "digest_merge",
    "digest_trace",
    "digest_trace_control",
    "digest_shadow",
    *(f"digest_nbbo_{name}" for name in Nbbo._fields),
    "history_heads",
    "history_rings",
    "history_layout",
)

(
    RINGS,
    RING_CONTROLS,
    WAKE,
    PUBLISHER_WAKE,
    RECEIVE_SETTINGS,
    RECEIVE_COUNTS,
    RECEIVE_ROWS,
    RECEIVE_HEADER,
    RECEIVE_BODY,
    RECEIVE_SCRATCH,
    RECEIVE_ALLOWED,
    LEDGER,
    TOTALS,
    SETTINGS,
    ROWS,
    HEARD,
    SCRATCH,
    LINES_STATE,
    RANGE_REQUESTS,
    RANGE_REQUESTS_CONTROL,
    SNAPSHOT_REQUESTS,
    SNAPSHOT_REQUESTS_CONTROL,
    WAITING,
    WAITING_LOG,
    WAITING_CONTROL,
) = range(25)
SEQUENCER = 25
TABLE = SEQUENCER + len(Sequencer._fields)
BOOKS = TABLE + len(SymbolTable._fields)
NBBO = BOOKS + len(Books._fields)
OUT_FEATURES = NBBO + len(Nbbo._fields)
(
    OUT_BOOKS,
    OUT_NBBO,
    OUT_BOOK_VERSION,
    OUT_NBBO_VERSION,
    OUT_FEATURE_DIRTY,
    OUT_BOOK_DIRTY,
    OUT_NBBO_DIRTY,
    OUT_FEATURE_QUEUE,
    OUT_BOOK_QUEUE,
    OUT_NBBO_QUEUE,
    OUT_TRADES,
    OUT_STATUS,
    OUT_CONTROLS,
    OUT_ARBITRAGES,
    TAKER_FEES_BPS,
    FEATURES_PACE,
    ARBITRAGE,
) = range(OUT_FEATURES + 1, OUT_FEATURES + 18)
FAMILIES = ARBITRAGE + len(Arbitrages._fields)
JOINED_NBBO = FAMILIES + len(Families._fields)
DIGEST_BOOKS = JOINED_NBBO + len(Nbbo._fields)
(
    DIGEST_QUOTES,
    DIGEST_RECORD,
    DIGEST_TOPS,
    DIGEST_MERGE,
    DIGEST_TRACE,
    DIGEST_TRACE_CONTROL,
    DIGEST_SHADOW,
    DIGEST_NBBO,
) = range(DIGEST_BOOKS + 1, DIGEST_BOOKS + 9)
HISTORY = DIGEST_NBBO + len(Nbbo._fields)


def build(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the directory of arrays by name; they must outlive it.

    Raises
    ------
    KeyError
        When one is missing.
    """
    return directory([arrays[name] for name in NAMES])


@kernel(inline=True)
def ring_of(d: np.ndarray, ch: int) -> Ring:
    """Return the ring of a channel."""
    return Ring(words2(d, RINGS)[ch], words2(d, RING_CONTROLS)[ch])


@kernel(inline=True)
def sequencer_of(d: np.ndarray) -> Sequencer:
    """Return the sequencer."""
    k = SEQUENCER
    return Sequencer(
        words2(d, k), words3(d, k + 1), words2(d, k + 2), words2(d, k + 3), words2(d, k + 4), bytes1(d, k + 5),
        words2(d, k + 6),
    )  # fmt: skip


@kernel(inline=True)
def table_of(d: np.ndarray) -> SymbolTable:
    """Return the symbol table."""
    k = TABLE
    return SymbolTable(
        words1(d, k), bytes2(d, k + 1), words1(d, k + 2), words1(d, k + 3), words1(d, k + 4), words2(d, k + 5),
        words1(d, k + 6), words1(d, k + 7), words1(d, k + 8),
    )  # fmt: skip


@kernel(inline=True)
def books_of(d: np.ndarray) -> Books:
    """Return the books."""
    return Books(words3(d, BOOKS), words3(d, BOOKS + 1), words1(d, BOOKS + 2), words1(d, BOOKS + 3))


@kernel(inline=True)
def history_of(d: np.ndarray) -> History:
    """Return what the features' windows need of the past."""
    k = HISTORY
    return History(words2(d, k), floats2(d, k), words2(d, k + 1), floats2(d, k + 1), words1(d, k + 2))


@kernel(inline=True)
def _nbbo_at(d: np.ndarray, k: int) -> Nbbo:
    return Nbbo(
        words1(d, k), words1(d, k + 1), words1(d, k + 2), words1(d, k + 3), words1(d, k + 4), words1(d, k + 5),
        words1(d, k + 6), words1(d, k + 7), floats1(d, k + 8), floats1(d, k + 9), floats1(d, k + 10),
        floats1(d, k + 11), words1(d, k + 12), words1(d, k + 13), words1(d, k + 14), words2(d, k + 15),
        words2(d, k + 16),
    )  # fmt: skip


@kernel(inline=True)
def nbbo_of(d: np.ndarray) -> Nbbo:
    """Return the consolidated quotes of the symbols."""
    return _nbbo_at(d, NBBO)


@kernel(inline=True)
def joined_nbbo_of(d: np.ndarray) -> Nbbo:
    """Return the consolidated quotes of families of joined quote currencies."""
    return _nbbo_at(d, JOINED_NBBO)


@kernel(inline=True)
def digest_nbbo_of(d: np.ndarray) -> Nbbo:
    """Return the consolidated quotes of merged tops."""
    return _nbbo_at(d, DIGEST_NBBO)


@kernel(inline=True)
def families_of(d: np.ndarray) -> Families:
    """Return the families of joined quote currencies."""
    k = FAMILIES
    return Families(
        bytes2(d, k), words2(d, k + 1), words1(d, k + 2), words1(d, k + 3), bytes2(d, k + 4), words1(d, k + 5),
        words2(d, k + 6), words2(d, k + 7),
    )  # fmt: skip


@kernel(inline=True)
def arbitrages_of(d: np.ndarray) -> Arbitrages:
    """Return the arbitrage opportunities, symbols first, then families."""
    return Arbitrages(words2(d, ARBITRAGE), floats2(d, ARBITRAGE + 1))


@kernel(inline=True)
def book_word(d: np.ndarray, b: int, word: int) -> int:
    """Return a word of book ``b`` (libs.book.state)."""
    return words1(d, BOOKS + 2)[b * WORDS + word]


@kernel(inline=True)
def book_count(d: np.ndarray) -> int:
    """Return how many books are registered."""
    return words1(d, TABLE)[0]


@kernel(inline=True)
def exchange_of(d: np.ndarray, b: int) -> int:
    """Return the exchange of a book."""
    return words1(d, TABLE + 3)[b]


@kernel(inline=True)
def symbol_of(d: np.ndarray, b: int) -> int:
    """Return the canonical symbol of a book."""
    return words1(d, TABLE + 4)[b]

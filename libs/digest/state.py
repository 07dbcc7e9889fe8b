"""Memory of the chains of a consumer: one row a book, one a symbol, and the tops that wait to be merged."""

from __future__ import annotations

from libs.digest.chain import CHAIN_WORDS
from libs.digest.merge import CONTROL_WORDS, TOP_WORDS

# Words of ``books``: three chains, and the hashes of an event whose last part has not come.
EVENTS, BOOK, FEATURES = 0, CHAIN_WORDS, 2 * CHAIN_WORDS
BID_HASH, BIDS = 12, 14
ASK_HASH, ASKS = 15, 17
OPEN_FLAGS, OPEN_UNITS, OPEN_PARTS = 18, 19, 20
BOOK_WORDS = 24

# Words of ``quotes``: a chain, and the hash of the last row.
QUOTE, LAST_ROW = 0, CHAIN_WORDS
QUOTE_WORDS = 8

NAMES = ("events", "book", "features", "nbbo")
"""Of the chains; their order is that of the kinds in a trace."""

# Words of a trace record.
WHOSE, LINK, TRACED_FEED_US, TRACED_HIGH, TRACED_LOW = range(5)
"""WHOSE: kind, then from bit 32 on the book, of ``nbbo`` the symbol. LINK: which link of its chain, from 1."""
TRACE_WORDS = 5

RECORD_WORDS = 512
CHANNELS = 5
TOPS, TRACE = 1 << 16, 1 << 16
"""Tops of a channel that may wait, and trace records."""


def spec(max_books: int, max_symbols: int, *, on: bool) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return name → (dtype, shape) of the arrays, for shared memory.

    Parameters
    ----------
    on : bool
        False: next to nothing, for a consumer that takes no digest.
    """
    books, symbols, tops, trace = (max_books, max_symbols, TOPS, TRACE) if on else (1, 1, 1, 1)
    return {
        "books": ("<i8", (books, BOOK_WORDS)),
        "quotes": ("<i8", (symbols, QUOTE_WORDS)),
        "record": ("<i8", (RECORD_WORDS,)),
        "tops": ("<i8", (CHANNELS, tops, TOP_WORDS)),
        "merge": ("<i8", (CHANNELS + 1, CONTROL_WORDS)),
        "trace": ("<i8", (trace, TRACE_WORDS)),
        "trace_control": ("<i8", (64,)),
    }

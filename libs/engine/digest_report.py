"""A digest as a document, and its links as a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from libs.digest import merge
from libs.digest.chain import CHAIN_WORDS, LINKS, text_of
from libs.digest.state import BOOK, EVENTS, FEATURES, QUOTE, TRACE_WORDS
from libs.digest.trace import TraceWriter
from libs.engine.outputs import Q_DROPPED, take_records
from libs.engine.state import bind_table
from libs.market.exchanges import EXCHANGES
from libs.market.symbol_table import t_name, t_symbol_name
from libs.sequencing import state as seq

Arrays = Mapping[str, np.ndarray]
ALGORITHM = "MurmurHash3_x64_128"
AT_ONCE = 1 << 14
_CHAINS = {"events": EVENTS, "book": BOOK, "features": FEATURES}


def book_names(arrays: Arrays) -> list[str]:
    """Return ``exchange symbol`` of every book by id."""
    table = bind_table(arrays)
    return [f"{EXCHANGES[table.book_exchange[b]]} {t_name(table, b)}" for b in range(int(table.counts[0]))]


def symbol_names(arrays: Arrays) -> list[str]:
    """Return the name of every canonical symbol by id."""
    table = bind_table(arrays)
    return [t_symbol_name(table, s) for s in range(int(table.counts[1]))]


def shortcomings(arrays: Arrays) -> list[str]:
    """Return why the digest may not be that of the whole recording; [] when it is."""
    found = []
    for ch, name in enumerate(EXCHANGES):
        channel = arrays["sequencer_channels"][ch]
        for count, what in ((channel[seq.BEFORE_JOIN], "before it joined"), (channel[seq.LOST], "lost")):
            if count:
                found.append(f"{name}: {count} messages {what}")
    late, forced, doubts = (int(arrays["digest_merge"][-1, word]) for word in (merge.LATE, merge.FORCED, merge.DOUBTS))
    if late:
        found.append(f"nbbo: {late} tops came after later ones had been merged")
    if forced:
        found.append(f"nbbo: {forced} tops were merged before every channel was known so far, for want of room")
    if doubts:
        found.append(f"features: channels were doubted {doubts} times, while messages were asked for again")
    dropped = int(arrays["digest_trace_control"][Q_DROPPED])
    return [*found, f"trace: {dropped} links found no room"] if dropped else found


def document(arrays: Arrays) -> dict[str, Any]:
    """Return the document of cli.md; ``complete`` is false where ``shortcomings`` says why.

    Parameters
    ----------
    arrays : mapping
        Of an engine that made a digest and has merged all of it.
    """
    chains, quotes = arrays["digest_books"], arrays["digest_quotes"]
    symbols = {
        name: {kind: text_of(row[at : at + CHAIN_WORDS]) for kind, at in _CHAINS.items()}
        | {"links": {kind: int(row[at + LINKS]) for kind, at in _CHAINS.items()}}
        for name, row in zip(book_names(arrays), chains, strict=False)
        if any(row[at + LINKS] for at in _CHAINS.values())
    }
    merged = {
        name: text_of(row[QUOTE : QUOTE + CHAIN_WORDS])
        for name, row in zip(symbol_names(arrays), quotes, strict=False)
        if row[QUOTE + LINKS]
    }
    why = shortcomings(arrays)
    return {
        "algorithm": ALGORITHM,
        "complete": not why,
        "shortcomings": why,
        "symbols": dict(sorted(symbols.items())),
        "nbbo": dict(sorted(merged.items())),
    }


class LinkFile:
    """Empties an engine's trace into a file.

    Parameters
    ----------
    arrays : mapping
        Of an engine whose digest is traced.
    path : Path

    Raises
    ------
    OSError
        When the file cannot be made.
    """

    def __init__(self, arrays: Arrays, path: Path) -> None:
        self._arrays = arrays
        self._writer = TraceWriter(path)
        self._room = np.zeros((AT_ONCE, TRACE_WORDS), np.int64)

    def drain(self) -> int:
        """Write what has come; return how many records."""
        total = 0
        while n := take_records(self._arrays["digest_trace"], self._arrays["digest_trace_control"], self._room):
            self._writer.write(self._room[:n])
            total += n
        return total

    def close(self) -> None:
        """Write what is left, and the names."""
        self.drain()
        dropped = int(self._arrays["digest_trace_control"][Q_DROPPED])
        self._writer.close(book_names(self._arrays), symbol_names(self._arrays), dropped)

"""One pass of a source through composer and engine, in blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from libs.book.state import new as new_books
from libs.engine import columns, state, words
from libs.engine.digest_report import LinkFile
from libs.engine.merged import merge_tops
from libs.engine.state import Engine
from libs.features.microprice import Table
from libs.offline import play
from libs.sending.chunk import Chunk
from libs.sending.compose import CURSOR, NEED_MORE, NEXT_INSTRUMENT, NEXT_REFRESH, WANTED_SPAN, compose, new_composer
from libs.sending.encode import SLOT_COUNT, SLOT_USED
from libs.sending.listing import Listing
from libs.sending.outbox import new_outbox
from libs.streams.schemas import FEATURES, STATUS, TOP_LEVELS, TRADES
from libs.wire.layout import CHANNELS

NEVER = 1 << 62
MTU_PAYLOAD = 1_472
SESSION_US = 1_000_000_000_000_000
"""Of every pass, so that two of them give the same rows to the bit."""
ROWS = 4_096


class Chunks(Protocol):
    """What a pass plays."""

    listing: Listing

    @property
    def channels(self) -> list[int]:
        """Exchanges that may speak."""

    def chunks(self) -> Iterator[Chunk]:
        """Yield chunks to the end."""


class Block(NamedTuple):
    """Rows of a stretch of a pass; views that hold until the next block.

    Attributes
    ----------
    features, trades, status : structured arrays
        Of libs.streams.schemas; ``sequence`` puts those of one channel in order.
    levels : int64[n, 4, depth]
        Bid prices, bid sizes, ask prices, ask sizes after each row of ``features``, best first.
    sides : int64[n, 2]
        How many of them are bids and asks.
    """

    features: np.ndarray
    trades: np.ndarray
    status: np.ndarray
    levels: np.ndarray
    sides: np.ndarray


class Pass:
    """A source on its way through an engine of its own.

    Parameters
    ----------
    source : Chunks
        Whose source time is in nanoseconds.
    levels : int
        Levels a side in each block.
    depth : int
        Levels that a book keeps.
    depth_levels, liquidity_bps : int
        Of the features, as in the consumer's settings.
    stale_cross_ms, clock_uncertainty_ms : int
        Of the NBBO, the same.
    digest : bool
        Whether hash chains are made.
    trace : Path or None
        Where every link of them goes.
    tables : sequence of Table
        Fitted microprices.

    Raises
    ------
    OSError
        When the trace cannot be made.
    """

    def __init__(
        self,
        source: Chunks,
        *,
        levels: int = TOP_LEVELS,
        depth: int = 1024,
        depth_levels: int = 20,
        liquidity_bps: int = 10,
        stale_cross_ms: int = 500,
        clock_uncertainty_ms: int = 5,
        digest: bool = False,
        trace: Path | None = None,
        tables: Sequence[Table] = (),
    ) -> None:
        self.source = source
        books = len(source.listing.rows)
        sizes = {"ring_capacity": 65_536, "max_books": books, "max_symbols": books, "depth": depth}
        self.engine: Engine = state.new(**sizes, digest=digest)
        r, p = self.engine.arrays["receive_settings"], self.engine.arrays["process_settings"]
        r[words.GAP_TIMEOUT_NS] = r[words.HEAL_TIMEOUT_NS] = 1_000_000
        r[words.REORDER_WINDOW], r[words.LINE_COUNT] = 64, 1
        p[columns.BATCH], p[columns.DEPTH_LEVELS], p[columns.LIQUIDITY_BPS] = 16, depth_levels, liquidity_bps
        p[columns.STALE_CROSS_US], p[columns.UNCERTAINTY_US] = stale_cross_ms * 1000, clock_uncertainty_ms * 1000
        state.put_tables(self.engine, tables)
        p[columns.STALE_AFTER_NS : columns.STALE_AFTER_NS + CHANNELS] = NEVER
        self._digest = digest
        self._links = LinkFile(self.engine.arrays, trace) if trace else None
        if digest:
            state.begin_digest(self.engine.arrays, traced=trace is not None)
        self.outbox = new_outbox()
        self.composer = new_composer(source.listing, new_books(books, depth), self.outbox, MTU_PAYLOAD)
        self.taken = play.new_taken(ROWS, levels)
        self._state = np.zeros(play.STATE_WORDS, np.int64)
        self._state[play.NEXT : play.NEXT + CHANNELS] = 1
        self._state[play.SESSION_US] = self._state[play.NOW_US] = SESSION_US

    @property
    def messages(self) -> int:
        """Messages taken in so far."""
        return int(self.taken.counts[play.N_MESSAGES])

    def blocks(self) -> Iterator[Block]:
        """Yield everything that comes of the source, to its end."""
        page = self.composer.page.state
        # A REFRESH is no event and a repeated Instrument changes nothing, so none is made.
        page[NEXT_REFRESH] = page[NEXT_INSTRUMENT] = page[WANTED_SPAN] = NEVER
        for chunk in self.source.chunks():
            page[CURSOR] = 0
            while compose(self.composer, chunk) != NEED_MORE:
                yield from self._play()
            yield from self._play()
        if self._digest:
            self._merge(everything=True)
        if self._filled():
            yield self._block()

    def _play(self) -> Iterator[Block]:
        """Take in the slot at hand, and empty it."""
        page = self.composer.page.state
        done, count = 0, int(page[SLOT_COUNT])
        while done < count:
            done = play.play(self.engine.directory, self.outbox, 0, done, count, self._state, self.taken)
            if self._digest:
                self._merge(everything=False)
            if done < count:
                yield self._block()
        page[SLOT_COUNT] = page[SLOT_USED] = 0

    def _merge(self, *, everything: bool) -> None:
        """Consolidate what may be handed on, and write the links that have come."""
        merge_tops(self.engine.directory, everything)
        if self._links is not None:
            self._links.close() if everything else self._links.drain()

    def _filled(self) -> bool:
        return bool(self.taken.counts[: play.N_MESSAGES].any())

    def _block(self) -> Block:
        t = self.taken
        rows, trades, status = (int(n) for n in t.counts[: play.N_MESSAGES])
        t.counts[: play.N_MESSAGES] = 0
        return Block(
            t.features[:rows].view(FEATURES)[:, 0],
            t.trades[:trades].view(TRADES)[:, 0],
            t.status[:status].view(STATUS)[:, 0],
            t.levels[:rows],
            t.sides[:rows],
        )

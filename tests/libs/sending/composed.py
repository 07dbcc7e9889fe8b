"""Play a source through the composer without threads or sockets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from libs.book.state import new as new_books
from libs.sending.compose import (
    CURSOR,
    NEED_MORE,
    NEXT_INSTRUMENT,
    NEXT_REFRESH,
    WANTED_DATAGRAM_GAP,
    WANTED_INSTRUMENT_ROUND,
    WANTED_REFRESH_ROUND,
    WANTED_SPAN,
    compose,
    new_composer,
)
from libs.sending.encode import SLOT_COUNT, SLOT_USED
from libs.sending.outbox import AT, LENGTH, new_outbox
from tests.oracles.hftp import Message, messages


class Composed:
    """A source's messages as the composer writes them, with their rows of the outbox's index."""

    def __init__(
        self, source: Any, *, instruments_s: float = 10.0, refresh_s: float = 20.0, mtu: int = 1472, depth: int = 1024
    ) -> None:
        self.source = source
        self.outbox = new_outbox()
        mirror = new_books(len(source.listing.rows), depth)
        self.composer = new_composer(source.listing, mirror, self.outbox, mtu)
        self.state = self.composer.page.state
        unit = 1e9 / source.ns_per_unit
        self.state[WANTED_SPAN] = max(1, int(unit))
        self.state[WANTED_INSTRUMENT_ROUND] = self.state[NEXT_INSTRUMENT] = max(1, int(instruments_s * unit))
        self.state[WANTED_REFRESH_ROUND] = max(1, int(refresh_s * unit))
        self.state[NEXT_REFRESH] = int(unit)
        self.state[WANTED_DATAGRAM_GAP] = 1
        self.chunks = source.chunks()

    def batches(self, limit: int) -> Iterator[tuple[bytes, np.ndarray]]:
        """Yield (bytes, index rows) of each batch until about so many messages."""
        made = 0
        for chunk in self.chunks:
            self.state[CURSOR] = 0
            while compose(self.composer, chunk) != NEED_MORE:
                yield self.drain()
            made += int(chunk.used[0])
            if made >= limit:
                break
        yield self.drain()

    def drain(self) -> tuple[bytes, np.ndarray]:
        """Empty the slot."""
        count, used = int(self.state[SLOT_COUNT]), int(self.state[SLOT_USED])
        self.state[SLOT_COUNT] = self.state[SLOT_USED] = 0
        return self.outbox.data[:used].tobytes(), self.outbox.messages[0, :count].copy()

    def messages(self, limit: int) -> Iterator[tuple[Message, np.ndarray]]:
        """Yield each message with its row."""
        for data, rows in self.batches(limit):
            found = list(messages(data))
            assert len(found) == len(rows)
            for m, row in zip(found, rows, strict=True):
                assert m.size == row[LENGTH]
                assert row[AT] >= 0
                yield m, row

"""The synthetic market as a source of chunks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from libs.sending.chunk import Chunk, new_chunk
from libs.sending.listing import Listing, new_listing
from libs.storage.lines import BadLines
from services.replay.synthetic.kernels import SCRATCH, UNIT, generate, snapshots
from services.replay.synthetic.state import VENUES, new_market

FEED_START_US = 1_723_161_600_000_000
"""Feed time 0 of the generator's own clock: 2024-08-09 00:00 UTC, where the recordings lie."""
SNAPSHOT_PACE = 20_000.0


class SyntheticSource:
    """A market that runs until nobody asks for more.

    Parameters
    ----------
    symbols, venues : int
        Canonical symbols, each on so many exchanges.
    seed : int
        Same seed and settings, same bytes.
    rate : float
        Messages a second.
    levels : float
        Mean updates a message.
    """

    name = "synthetic"

    def __init__(self, symbols: int, venues: int, seed: int, rate: float, levels: float) -> None:
        self.listing: Listing = new_listing(symbols * venues)
        self.rate, self.levels = rate, levels
        self.bad = BadLines()
        self._market = new_market(symbols, venues, seed, rate, self.listing)
        self._scratch = np.zeros((2, SCRATCH), np.int64)
        self._chunk = new_chunk()

    @property
    def channels(self) -> list[int]:
        """Exchanges that speak."""
        return list(range(int(self._market.counters[VENUES])))

    @property
    def ns_per_unit(self) -> float:
        """Nanoseconds of one unit of source time at the configured rate."""
        return 1e9 / (self.rate * UNIT)

    def chunks(self) -> Iterator[Chunk]:
        """Yield chunks for ever: first every book's snapshot, then events. Each is valid until the next."""
        c = self._chunk
        to_come = 1
        while to_come:
            to_come = snapshots(self._market, c, self._scratch, max(SNAPSHOT_PACE, self.rate), self.rate, FEED_START_US)
            yield c
        while True:
            # A block is at most a quarter of a second, so that bursts stay short at any rate.
            block = int(min(2000, max(64, self.rate / 4)))
            generate(self._market, c, self._scratch, block, self.levels, self.rate, FEED_START_US)
            yield c

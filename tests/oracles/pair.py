"""A book of the kernels and one of the oracle, given the same messages and compared after each."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from libs.book import flags, kernels, state
from libs.book.reader import snapshot_levels
from tests.oracles.book import WAITS, OracleBook
from tests.oracles.levels import ALL, NOTHING, Content, exact

CODES = {
    kernels.EVENT_OPEN: "open",
    kernels.EVENT_DONE: "done",
    kernels.REFRESH_SAME: "same",
    kernels.REFRESH_HEALED: "healed",
    kernels.REFRESH_DIVERGED: "diverged",
    kernels.REFUSED_NOT_VALID: "not_valid",
    kernels.REFUSED_BAD_BODY: "bad_body",
    kernels.REFUSED_INCOMPLETE: "incomplete",
    kernels.REFUSED_CAPACITY: "capacity",
}


class Pair:
    """A kernel book and an oracle book that get the same messages."""

    def __init__(self, depth: int) -> None:
        self.books = state.new(2, depth)
        self.oracle = OracleBook(depth)
        self.sequence = 0

    def send(self, bits, bids=(), asks=(), price_exp=-2, size_exp=-3, cut=0):
        """Give one message to both and compare everything; return the code."""
        self.sequence += 1
        stamp = (self.sequence, 1_000 + self.sequence, 2_000 + self.sequence)
        pad = [7, 7, 7]
        data = np.array(pad + [x for level in [*bids, *asks] for x in level], np.int64)
        books = self.books
        code = kernels.apply_message(
            books, 0, bits, price_exp, size_exp, cut, data, len(pad), len(bids), len(asks), *stamp
        )
        outcome = self.oracle.message(bits, price_exp, size_exp, cut, (list(bids), list(asks)), stamp)
        assert (CODES[code], books.settled[0], books.broken[0]) == (outcome.code, outcome.settled, outcome.broken)
        self.compare()
        return CODES[code]

    def compare(self):
        """Compare all that may be seen."""
        books, oracle = self.books, self.oracle
        assert flags.names(int(books.flags[0])) == flags.names(oracle.flags)
        assert books.parts[0] == oracle.parts
        assert books.valid_since_us[0] == oracle.valid_since
        assert (books.version[0] % 2 == 1) == (oracle.kind in {"delta", "snapshot", "heal"})
        if oracle.flags & WAITS:
            return
        top = books.tops[0]
        assert (books.sequence[0], books.exchange_ts_us[0], books.feed_ts_us[0]) == oracle.last
        for side, best in enumerate(oracle.tops):
            assert top[state.TOP_SIDES] >> side & 1 == (best is not None)
            if best is not None:
                price = exact(int(top[2 * side]), int(top[state.TOP_PRICE_EXP]))
                assert (price, exact(int(top[2 * side + 1]), int(top[state.TOP_SIZE_EXP]))) == best
        if books.version[0] % 2 == 0:
            assert content(books, 0) == oracle.shown


def content(books, b):
    """Return a kernel book's levels, known ends and unit as the oracle's."""
    view = snapshot_levels(books, b, 1 << 20)
    found = Content(books.prices.shape[2] - state.SLACK, price_exp=view.price_exp, size_exp=view.size_exp)
    price_unit, size_unit = exact(1, view.price_exp), exact(1, view.size_exp)
    for side, levels in enumerate((view.bids, view.asks)):
        sign = 1 - 2 * side
        assert all(sign * better > sign * worse for (better, _), (worse, _) in pairwise(levels))
        found.sides[side] = {p * price_unit: q * size_unit for p, q in levels}
        kind = books.known_set[b, side]
        end = int(books.known_end[b, side])
        found.known[side] = ALL if kind == 0 else NOTHING if kind == 2 else exact(end, view.price_exp)
    return found

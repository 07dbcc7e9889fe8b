"""Books of one symbol, its consolidated quote by kernel and by oracle, and drawn streams of what happens to them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from libs.book import flags, kernels
from libs.book import state as book_state
from libs.market import symbol_table
from libs.nbbo import state as nbbo_state
from libs.nbbo import states
from libs.nbbo.kernels import update
from tests.oracles.features import ulps
from tests.oracles.nbbo import OracleNbbo, Venue

SNAPSHOT, LAST = 1, 2
STALE_US, UNCERTAIN_US = 500_000, 5_000
SYMBOL = "BTC-USDT"


class Market:
    """Books of one symbol at some exchanges, its quote by kernel and by oracle."""

    def __init__(self):
        self.table = symbol_table.new(16, 8)
        self.books = book_state.new(16, 8)
        self.nbbo = nbbo_state.new(8)
        self.oracle = OracleNbbo(STALE_US, UNCERTAIN_US)
        self.venues = dict.fromkeys(range(8))
        self.ids = {}
        self.now = 1_000_000

    def instrument(self, exchange, tick_exp, multiplier, multiplier_exp, inverse):
        """List the symbol at an exchange, with its decimals and multiplier."""
        self.ids[exchange] = symbol_table.t_register(self.table, exchange, SYMBOL)
        kernels.set_instrument(self.books, self.ids[exchange], 1, tick_exp, 1, -3, multiplier, multiplier_exp, inverse)
        worth = Fraction(multiplier or 1) * Fraction(10) ** multiplier_exp
        self.venues[exchange] = Venue(flags.NO_SNAPSHOT, None, None, 0, worth, inverse)

    def show(self, exchange, bid, ask, now, price_exp):
        """Give an exchange a snapshot of one level a side (or none) and consolidate."""
        sides = [[bid] if bid else [], [ask] if ask else []]
        data = np.array([x for side in sides for level in side for x in level], np.int64)
        b = self.ids[exchange]
        args = (data, 0, len(sides[0]), len(sides[1]), 1, 1, now)
        assert kernels.apply_message(self.books, b, SNAPSHOT | LAST, price_exp, -3, 0, *args) == kernels.EVENT_DONE
        venue = self.venues[exchange]
        unit = Fraction(10) ** price_exp
        venue.bid, venue.ask = ((p[0] * unit, Fraction(p[1], 1000)) if p else None for p in (bid, ask))
        venue.feed_ts_us = now
        return self.consolidate(now)

    def mark(self, exchange, set_mask, clear_mask, now):
        """Change flags and consolidate."""
        kernels.set_flags(self.books, self.ids[exchange], set_mask, clear_mask)
        return self.consolidate(now)

    def consolidate(self, now):
        """Update both and compare everything; return whether the kernel saw a change."""
        for exchange, venue in self.venues.items():
            if venue is not None:
                venue.flags = int(self.books.flags[self.ids[exchange]])
        before = self.picture()
        changed = update(self.nbbo, self.books, self.table.symbol_books[0], 0, now, STALE_US, UNCERTAIN_US)
        self.oracle.update(self.venues, now)
        self.compare()
        assert changed == (before != self.picture())
        return changed

    def picture(self):
        """Return what a change is a change of."""
        n = self.nbbo
        names = set(n._fields) - {"feed_ts_us", "crossed_since_us", "state_us", "mid", "spread"}
        return [getattr(n, name)[0].tolist() for name in sorted(names)]

    def compare(self):
        """Compare the quote."""
        n, oracle = self.nbbo, self.oracle
        assert states.STATES[n.state[0]] == oracle.state
        assert {e: states.EXCLUSIONS[n.excluded[0, e]] for e in self.venues} == oracle.reasons
        assert {s: int(t) for s, t in zip(states.STATES, n.state_us[0], strict=True) if t} == {
            s: t for s, t in oracle.spent.items() if t
        }
        unit = Fraction(10) ** int(n.price_exp[0])
        for name, quote in (("bid", oracle.bid), ("ask", oracle.ask)):
            bits = int(getattr(n, f"{name}_exchanges")[0])
            if quote is None:
                assert bits == 0
                assert getattr(n, f"{name}_exchange")[0] == states.NO_EXCHANGE
                continue
            assert {e for e in self.venues if bits >> e & 1} == quote.exchanges
            assert int(getattr(n, f"{name}_price")[0]) * unit == quote.price
            assert ulps(float(getattr(n, f"{name}_size")[0]), quote.size) <= 8
            assert getattr(n, f"{name}_exchange")[0] == quote.route
        if oracle.bid and oracle.ask:
            assert ulps(float(n.mid[0]), (oracle.bid.price + oracle.ask.price) / 2) <= 2
            assert ulps(float(n.spread[0]), oracle.ask.price - oracle.bid.price) <= 2
        else:
            assert np.isnan(n.mid[0])
            assert np.isnan(n.spread[0])


sizes = st.sampled_from([1, 1, 2, 3, 7, 300, 1_000])
bid_top = st.one_of(st.none(), st.tuples(st.integers(996, 1_001), sizes))
ask_top = st.one_of(st.none(), st.tuples(st.integers(999, 1_004), sizes))
instrument = st.tuples(
    st.integers(-4, 0),
    st.sampled_from([(1, 0), (1, 0), (0, 0), (10, -2), (100, 0), (1, -3)]),
    st.sampled_from([0, 0, 0, 0, 1]),
)
event = st.one_of(
    st.tuples(st.just("show"), st.integers(0, 4), bid_top, ask_top, st.sampled_from([0, 1, 2_000, 6_000, 600_000])),
    st.tuples(
        st.just("mark"),
        st.integers(0, 4),
        st.sampled_from([0, flags.HALTED, flags.MUTE, flags.STALE, flags.SUSPECT, flags.DELISTED]),
        st.sampled_from([flags.HALTED, flags.MUTE, flags.STALE, flags.SUSPECT, flags.DELISTED]),
        st.sampled_from([0, 3_000, -700]),
    ),
)


def play(market, instruments, events):
    """Give a market its instruments, then let events happen; yield after each."""
    exponents = []
    for exchange, (exponent, (multiplier, multiplier_exp), inverse) in enumerate(instruments):
        exponents.append(exponent)
        market.instrument(exchange, exponent, multiplier, multiplier_exp, inverse)
    for kind, exchange, one, other, later in events:
        market.now += later
        if kind == "mark":
            market.mark(exchange, one, other, market.now)
        else:
            factor = 10 ** -exponents[exchange]
            bid, ask = ((level[0] * factor, level[1]) if level else None for level in (one, other))
            market.show(exchange, bid, ask, market.now, exponents[exchange])
        yield

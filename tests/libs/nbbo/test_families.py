"""Joined quote currencies: who is of which family, and the quote over all of its books."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.book import flags, kernels
from libs.market import symbol_table
from libs.market.symbol_table import t_register
from libs.nbbo import families, states
from libs.nbbo import state as nbbo_state
from libs.nbbo.families import NO_FAMILY, SLOTS, configure, family_of, fill, t_name
from libs.nbbo.kernels import update
from tests.libs.nbbo.market import STALE_US, UNCERTAIN_US, Market, event
from tests.oracles.nbbo import Venue

GROUP = ("USDT", "USDC")


def world(groups=(GROUP,), rows=8):
    """Return a table and families."""
    found = families.new(16, rows)
    configure(found, groups)
    return symbol_table.new(32, 16), found


def look(table, found, symbol, exchange=0):
    """Register a symbol and return its family."""
    book = t_register(table, exchange, symbol)
    return family_of(found, table, int(table.book_symbol[book]))


def test_symbols_that_differ_in_a_joined_currency_are_one_family():
    """Spot joins spot, a perpetual its like; another base, another currency and another date do not."""
    table, found = world()
    spot = look(table, found, "BTC-USDT")
    assert look(table, found, "BTC-USDC") == spot
    assert look(table, found, "BTC-USDC", 3) == spot
    perpetual = look(table, found, "BTC-USDC-PERP")
    assert perpetual != spot
    assert look(table, found, "BTC-USDT-PERP") == perpetual
    assert look(table, found, "ETH-USDT") not in {spot, perpetual}
    for other in ("BTC-USD", "BTC-USDT1", "BTC-EUR", "USDT", "BTC", "BTC-", "-"):
        assert look(table, found, other) == NO_FAMILY
    assert [t_name(found, k) for k in (spot, perpetual)] == ["BTC-USDT+USDC", "BTC-USDT+USDC-PERP"]


def test_nothing_is_joined_unless_configured():
    """Without groups every symbol stays alone."""
    table, found = world(())
    assert look(table, found, "BTC-USDT") == look(table, found, "BTC-USDC") == NO_FAMILY


def test_a_family_without_room_is_counted():
    """A name of more than 64 bytes, or one family too many, leaves symbols alone and is counted."""
    table, found = world(rows=1)
    assert look(table, found, "X" * 56 + "-USDT") == NO_FAMILY
    assert look(table, found, "BTC-USDT") == 0
    assert look(table, found, "ETH-USDT") == NO_FAMILY
    assert look(table, found, "BTC-USDC") == 0
    assert found.counts[families.NAMELESS] == found.counts[families.NO_ROOM] == 1


@pytest.mark.parametrize("groups", [[["USDT"]], [["A", "B"]] * 9, [["", "B"]], [["A" * 17, "B"]], [list("ABCDE")]])
def test_impossible_groups_are_refused(groups):
    """Too few, too many or unnameable currencies are an error."""
    with pytest.raises(ValueError, match="expected"):
        configure(families.new(16, 8), groups)


class Family(Market):
    """Two symbols at some exchanges; slots 0 to 7 are those of the first currency, 8 to 15 of the second."""

    def __init__(self):
        super().__init__()
        self.families = families.new(8, 2)
        configure(self.families, (GROUP,))
        self.nbbo = nbbo_state.new(2, SLOTS)
        self.venues = dict.fromkeys(range(SLOTS))

    def instrument(self, slot, tick_exp, multiplier, multiplier_exp, inverse):
        """List one of the symbols at an exchange."""
        q, exchange = divmod(slot, 8)
        self.ids[slot] = b = symbol_table.t_register(self.table, exchange, f"BTC-{GROUP[q]}")
        kernels.set_instrument(self.books, b, 1, tick_exp, 1, -3, multiplier, multiplier_exp, inverse)
        worth = Fraction(multiplier) * Fraction(10) ** multiplier_exp
        self.venues[slot] = Venue(flags.NO_SNAPSHOT, None, None, 0, worth, inverse)
        assert family_of(self.families, self.table, int(self.table.book_symbol[b])) == 0

    def consolidate(self, now):
        """Update both and compare everything."""
        for slot, venue in self.venues.items():
            if venue is not None:
                venue.flags = int(self.books.flags[self.ids[slot]])
        fill(self.families, self.table, 0)
        changed = update(self.nbbo, self.books, self.families.members[0], 0, now, STALE_US, UNCERTAIN_US)
        self.oracle.update(self.venues, now)
        self.compare()
        return changed


slot_event = st.tuples(st.sampled_from([0, 8]), event)
ticks = st.lists(st.integers(-4, 0), min_size=6, max_size=6)


@settings(max_examples=60)
@given(ticks, st.lists(slot_event, max_size=25))
def test_a_family_is_consolidated_over_all_of_its_books(exponents, events):
    """Two books of one exchange in two currencies stand beside each other in the oracle's quote."""
    market = Family()
    slots = [0, 1, 2, 8, 9, 10]
    exponent_of = dict(zip(slots, exponents, strict=True))
    for slot, exponent in exponent_of.items():
        market.instrument(slot, exponent, 1, 0, 0)
    for q, (kind, exchange, one, other, later) in events:
        slot = q + exchange % 3
        market.now += later
        if kind == "mark":
            market.mark(slot, one, other, market.now)
            continue
        factor = 10 ** -exponent_of[slot]
        bid, ask = ((level[0] * factor, level[1]) if level else None for level in (one, other))
        market.show(slot, bid, ask, market.now, exponent_of[slot])


def test_a_cross_between_currencies_at_one_exchange_is_seen():
    """The family crosses where each symbol alone does not, and the slots say which books."""
    market = Family()
    for slot in (0, 8):
        market.instrument(slot, 0, 1, 0, 0)
    market.show(0, (100, 1), (102, 1), 1_000, 0)
    market.show(8, (103, 1), (104, 1), 2_000, 0)
    assert states.STATES[market.nbbo.state[0]] == "crossed_uncertain"
    assert (market.nbbo.bid_exchange[0], market.nbbo.ask_exchange[0]) == (8, 0)
    assert market.nbbo.bid_exchanges[0] == 1 << 8


def test_a_book_registered_later_is_a_member():
    """Members follow the symbol table; a family of one symbol says so."""
    table, found = world()
    assert look(table, found, "BTC-USDT", 1) == 0
    assert fill(found, table, 0) == 1
    assert look(table, found, "BTC-USDC", 1) == 0
    t_register(table, 4, "BTC-USDC")
    assert fill(found, table, 0) == 2
    assert np.flatnonzero(found.members[0] >= 0).tolist() == [1, 9, 12]

"""The consolidated quote of markets.md in plain Python and exact fractions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

REASONS_BY_FLAG = (
    ("not_valid", 0b10111111 & ~(1 << 6)),
    ("halted", 1 << 6),
    ("mute", 1 << 8),
    ("stale", 1 << 9),
)


@dataclass
class Venue:
    """What one exchange shows: best levels as (price, size), or None; flags as libs.book.flags has them."""

    flags: int
    bid: tuple[Fraction, Fraction] | None
    ask: tuple[Fraction, Fraction] | None
    feed_ts_us: int
    multiplier: Fraction
    inverse: int


@dataclass
class Quote:
    """A side: price, size in base currency, exchanges at the price, the one to route to, newest feed time."""

    price: Fraction
    size: Fraction
    exchanges: set[int]
    route: int
    feed_ts_us: int


def reason(venue: Venue | None) -> str:
    """Return why an exchange is left out by itself."""
    if venue is None:
        return "not_listed"
    for name, bits in REASONS_BY_FLAG:
        if venue.flags & bits:
            return name
    if venue.bid is None and venue.ask is None:
        return "empty"
    if venue.bid is not None and venue.ask is not None and venue.bid[0] >= venue.ask[0]:
        return "self_crossed"
    return "taken_in"


def side_of(venues: dict[int, Venue], name: str) -> Quote | None:
    """Return the best of a side over the exchanges taken in."""
    offers = {}
    for exchange, venue in venues.items():
        best = getattr(venue, name)
        if best is not None:
            price, size = best
            offers[exchange] = (price, size * venue.multiplier / (price if venue.inverse else 1), venue.feed_ts_us)
    if not offers:
        return None
    prices = [price for price, _, _ in offers.values()]
    price = max(prices) if name == "bid" else min(prices)
    at = {exchange: offer for exchange, offer in offers.items() if offer[0] == price}
    route = min(at, key=lambda exchange: (-at[exchange][1], exchange))
    return Quote(price, sum((o[1] for o in at.values()), Fraction(0)), set(at), route, max(o[2] for o in at.values()))


class OracleNbbo:
    """One symbol's quote; remembers the state, since when it is crossed, and the time in each state."""

    def __init__(self, stale_us: int, uncertain_us: int) -> None:
        self.stale_us = stale_us
        self.uncertain_us = uncertain_us
        self.now: int | None = None
        self.state = "none"
        self.since: int | None = None
        self.spent: dict[str, int] = {}
        self.bid: Quote | None = None
        self.ask: Quote | None = None
        self.reasons: dict[int, str] = {}

    def update(self, venues: dict[int, Venue | None], now: int) -> None:
        """Consolidate again."""
        if self.now is not None:
            now = max(now, self.now)
            self.spent[self.state] = self.spent.get(self.state, 0) + now - self.now
        self.now = now
        self.reasons = {exchange: reason(venue) for exchange, venue in venues.items()}
        taken = {e: v for e, v in sorted(venues.items()) if v is not None and self.reasons[e] == "taken_in"}
        for exchange, venue in list(taken.items()):
            if venue.inverse != next(iter(taken.values())).inverse:
                self.reasons[exchange] = "other_kind"
        taken = {e: v for e, v in taken.items() if self.reasons[e] == "taken_in"}
        self.bid, self.ask = side_of(taken, "bid"), side_of(taken, "ask")
        self.state = self._classify(now)

    def _classify(self, now: int) -> str:
        bid, ask = self.bid, self.ask
        if bid is None or ask is None or bid.price <= ask.price:
            self.since = None
            if bid is None or ask is None:
                return "none"
            return "locked" if bid.price == ask.price else "normal"
        self.since = now if self.since is None else self.since
        if abs(bid.feed_ts_us - ask.feed_ts_us) > self.stale_us:
            return "crossed_stale"
        return "crossed_uncertain" if now - self.since < self.uncertain_us else "crossed_real"

"""Arbitrage opportunities of markets.md in plain Python and exact fractions, over the oracle's consolidated quote."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from tests.oracles.nbbo import OracleNbbo, Venue

OPEN_STATES = ("crossed_uncertain", "crossed_real")


@dataclass
class Moment:
    """What one trade of one unit would bring: edges in price and in bps of mid, sizes in base currency."""

    feed_us: int
    bid: Fraction
    ask: Fraction
    size: Fraction
    route_size: Fraction
    fees: Fraction

    @property
    def gross(self) -> Fraction:
        """Highest bid less lowest ask."""
        return self.bid - self.ask

    @property
    def net(self) -> Fraction:
        """The edge less what both fills cost."""
        return self.gross - self.fees

    def bps(self, edge: Fraction) -> Fraction:
        """Return an edge in basis points of mid."""
        return 20_000 * edge / (self.bid + self.ask)


@dataclass
class Opportunity:
    """One pair of exchanges, from the first moment to the last."""

    pair: tuple[int, int]
    begin_us: int
    phase: str
    state: str
    last_us: int
    moments: list[Moment] = field(default_factory=list)
    ended_by: str | None = None


def _base_size(venue: Venue, name: str) -> Fraction:
    price, size = getattr(venue, name)
    return size * venue.multiplier / (price if venue.inverse else 1)


def _fees(seller: Venue, bid: Fraction, ask: Fraction, selling_bps: Fraction, buying_bps: Fraction) -> Fraction:
    """Return both fills' fees in price: an inverse contract's, in base currency, are brought there by bid × ask."""
    if seller.inverse:
        worth_sold, worth_bought = 1 / bid, 1 / ask
        return (selling_bps * worth_sold + buying_bps * worth_bought) / 10_000 * bid * ask
    return (selling_bps * bid + buying_bps * ask) / 10_000


class OracleArbitrage:
    """The opportunities of one symbol; ``told`` holds (phase, opportunity as it was) of every row."""

    def __init__(self, fees_bps: list[Fraction]) -> None:
        self.fees_bps = fees_bps
        self.now: Opportunity | None = None

    def update(self, nbbo: OracleNbbo, venues: dict[int, Venue | None]) -> list[str]:
        """Take in the quote after an update; return the phases that began."""
        told = []
        offered = nbbo.state in OPEN_STATES
        pair = (nbbo.bid.route, nbbo.ask.route) if offered and nbbo.bid and nbbo.ask else None
        if self.now is not None and self.now.phase != "closed" and self.now.pair != pair:
            self.now.phase, self.now.ended_by, self.now.last_us = "closed", nbbo.state, nbbo.now or 0
            told.append("closed")
        if pair is None or nbbo.bid is None or nbbo.ask is None:
            return told
        if self.now is None or self.now.phase == "closed":
            self.now = Opportunity(pair, nbbo.now or 0, "none", nbbo.state, nbbo.now or 0)
        seller, buyer = venues[pair[0]], venues[pair[1]]
        assert seller is not None
        assert buyer is not None
        bid, ask = nbbo.bid.price, nbbo.ask.price
        fees = _fees(seller, bid, ask, self.fees_bps[pair[0] % 8], self.fees_bps[pair[1] % 8])
        shown = min(_base_size(seller, "bid"), _base_size(buyer, "ask"))
        size = min(nbbo.bid.size, nbbo.ask.size)
        self.now.moments.append(Moment(nbbo.now or 0, bid, ask, size, shown, fees))
        self.now.last_us, self.now.state = nbbo.now or 0, nbbo.state
        phase = "real" if nbbo.state == "crossed_real" or self.now.phase == "real" else "opened"
        if phase != self.now.phase:
            self.now.phase = phase
            told.append(phase)
        return told

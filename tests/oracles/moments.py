"""The book at one event as the oracle of the features sees it, and what the event gave: e at each level, the return."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from fractions import Fraction

from tests.oracles.features import Levels
from tests.oracles.levels import ALL, NOTHING, Content

FOLLOWED = 5

Value = Fraction | None


@dataclass
class Moment:
    """The book just after an event (or a REFRESH), and what the event itself gave."""

    time: int
    sequence: int
    bids: Levels
    asks: Levels
    known: tuple[bool, bool]  # the best level, the best FOLLOWED levels of both sides
    wap: Value
    flow: list[Fraction] = field(default_factory=lambda: [Fraction(0)] * FOLLOWED)
    squared: Decimal | None = None
    tainted: tuple[bool, bool] = (False, False)

    @property
    def mid(self) -> Value:
        """Half the sum of the best prices."""
        return (self.bids[0][0] + self.asks[0][0]) / 2 if self.bids and self.asks else None


@dataclass
class Print:
    """A trade: 1 bought, -1 sold, 0 unknown."""

    time: int
    sequence: int
    side: int
    size: Fraction


def term(now: Levels, before: Levels, k: int, better: int) -> Fraction:
    """Return a side's term of e on its k-th level; ``better`` is 1 where a higher price is better, else -1."""
    price, size = now[k] if k < len(now) else (None, Fraction(0))
    price_before, size_before = before[k] if k < len(before) else (None, Fraction(0))
    if price == price_before:
        return size - size_before
    if price_before is None or (price is not None and better * (price - price_before) > 0):
        return size
    return -size_before


def weighted(bids: Levels, asks: Levels) -> Value:
    """Return the best prices weighted by the sizes opposite."""
    if not bids or not asks:
        return None
    (b, qb), (a, qa) = bids[0], asks[0]
    return (b * qa + a * qb) / (qb + qa)


def squared_log(now: Value, before: Value) -> Decimal | None:
    """Return ln(now / before)², to 60 digits; None where a mid is missing, or is 0."""
    if not now or not before:
        return None
    with localcontext() as context:
        context.prec = 120
        quotient = now / before
        log = (Decimal(quotient.numerator) / Decimal(quotient.denominator)).ln()
        return log * log


def root(total: Decimal) -> Fraction:
    """Return a square root to 60 digits."""
    with localcontext() as context:
        context.prec = 60
        return Fraction(total.sqrt())


def known_best(content: Content, side: int, n: int) -> bool:
    """Return whether the n best levels of a side are surely its n best."""
    if content.known[side] == ALL:
        return True
    return content.known[side] != NOTHING and sum(not content.beyond(side, p) for p in content.sides[side]) >= n


def changes(moments: list[Moment], after: int) -> int:
    """Return how many changes of the WAP after a time must be kept: of several at one time the last."""
    kept: list[tuple[int, Value]] = []
    for moment in moments:
        if kept and kept[-1][1] == moment.wap:
            continue
        if kept and kept[-1][0] == moment.time:
            kept[-1] = (moment.time, moment.wap)
        elif kept or moment.wap is not None:
            kept.append((moment.time, moment.wap))
    return sum(time > after for time, _ in kept)

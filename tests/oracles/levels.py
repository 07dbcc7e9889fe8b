"""The levels of a plain-Python book: dictionaries and exact integers, how far each side is known, the unit.

Shares no code with libs.book. Prices and sizes are integers in 10^-40, so any decimal of the tests is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MAX = 2**63 - 1
SCALE = 40

ALL, NOTHING = "all", "nothing"

Level = tuple[int, int]


def exact(mantissa: int, exponent: int) -> int:
    """Return mantissa × 10^exponent in 10^-SCALE."""
    return mantissa * 10 ** (exponent + SCALE)


def decimals(value: int) -> int:
    """Return the coarsest exponent that expresses a value which is not 0."""
    exponent = -SCALE
    while value % 10 == 0:
        value //= 10
        exponent += 1
    return exponent


def fits(value: int, exponent: int) -> bool:
    """Return whether a value is an int64 in 10^exponent, and not negative."""
    return 0 <= value // 10 ** (exponent + SCALE) <= MAX


@dataclass
class Content:
    """Levels by side, how far each is known (ALL, NOTHING or a price), and the unit."""

    depth: int
    sides: list[dict[int, int]] = field(default_factory=lambda: [{}, {}])
    known: list[int | str] = field(default_factory=lambda: [ALL, ALL])
    price_exp: int = 0
    size_exp: int = 0

    def copy(self) -> Content:
        """Return an equal book of its own."""
        sides = [dict(side) for side in self.sides]
        return Content(self.depth, sides, list(self.known), self.price_exp, self.size_exp)

    def best_first(self, side: int) -> list[Level]:
        """Return a side's levels."""
        return sorted(self.sides[side].items(), reverse=side == 0)

    def best(self, side: int) -> Level | None:
        """Return a side's best level."""
        levels = self.sides[side]
        if not levels:
            return None
        price = max(levels) if side == 0 else min(levels)
        return price, levels[price]

    def worst(self, side: int) -> int:
        """Return the worst price of a side that has levels."""
        return min(self.sides[side]) if side == 0 else max(self.sides[side])

    def beyond(self, side: int, price: int) -> bool:
        """Return whether a price lies beyond what is known of a side."""
        end = self.known[side]
        if isinstance(end, str):
            return end == NOTHING
        return price < end if side == 0 else price > end

    def pull_in(self, side: int) -> None:
        """End what is known at the worst level, unless it ends further in."""
        worst = self.worst(side)
        if self.known[side] == ALL or (self.known[side] != NOTHING and not self.beyond(side, worst)):
            self.known[side] = worst

    def cut(self, bits: int) -> None:
        """Take in the cut bits of a snapshot."""
        for side in range(2):
            if bits >> side & 1:
                if self.sides[side]:
                    self.pull_in(side)
                else:
                    self.known[side] = NOTHING

    def rebase(self, price_exp: int, size_exp: int) -> bool:
        """Take a finer unit; False when something leaves int64 in it."""
        if (price_exp, size_exp) == (self.price_exp, self.size_exp):
            return True
        for side in range(2):
            prices = list(self.sides[side])
            if not isinstance(self.known[side], str):
                prices.append(self.known[side])
            if not all(fits(p, price_exp) for p in prices):
                return False
            if not all(fits(q, size_exp) for q in self.sides[side].values()):
                return False
        self.price_exp, self.size_exp = price_exp, size_exp
        return True

    def put(self, sides: tuple[list[Level], list[Level]], price_exp: int, size_exp: int) -> bool:
        """Apply absolute sizes; False when a level is negative or leaves int64 in the unit."""
        exact_sides = [[(exact(p, price_exp), exact(q, size_exp)) for p, q in levels] for levels in sides]
        every = [level for levels in exact_sides for level in levels]
        if not self.rebase(
            min([self.price_exp] + [decimals(p) for p, _ in every if p]),
            min([self.size_exp] + [decimals(q) for _, q in every if q]),
        ):
            return False
        if not all(fits(p, self.price_exp) and fits(q, self.size_exp) for p, q in every):
            return False
        for side, levels in enumerate(exact_sides):
            for price, size in levels:
                if size == 0:
                    self.sides[side].pop(price, None)
                    continue
                self.sides[side][price] = size
                if len(self.sides[side]) > self.depth:
                    del self.sides[side][self.worst(side)]
                    self.pull_in(side)
        return True

    def known_alike(self, other: Content) -> bool:
        """Return whether both hold the same within what both know."""
        for side in range(2):
            mine, theirs = (
                {p: q for p, q in book.sides[side].items() if not self.beyond(side, p) and not other.beyond(side, p)}
                for book in (self, other)
            )
            if mine != theirs:
                return False
        return True

    def adopt(self, other: Content) -> None:
        """Take over what the other knows beyond this one's known ends."""
        for side in range(2):
            end, theirs = self.known[side], other.known[side]
            if end == ALL or theirs == NOTHING:
                continue
            if end != NOTHING and theirs != ALL and (end <= theirs if side == 0 else end >= theirs):
                continue
            room = self.depth - len(other.sides[side])
            left = [level for level in self.best_first(side) if other.beyond(side, level[0])]
            self.sides[side] = dict(left[:room]) | other.sides[side]
            self.known[side] = theirs

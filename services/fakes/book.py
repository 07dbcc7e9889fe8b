"""A matching book that makes a market by a seed: the truth that a fake venue speaks of."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from libs.units import format_decimal

BID, ASK = 0, 1
WIDTH = 15
"""Ticks around the middle in which orders are placed."""
ROAM = 8
"""How far the middle goes, in ticks."""
FEWEST, MOST = 10, 45
"""Levels a side; below 50, so that no venue's shallowest delta channel cuts the book."""


@dataclass(slots=True)
class Print:
    """One trade."""

    trade_id: int
    price: int
    size: int
    buyer: bool


@dataclass(slots=True)
class Change:
    """What one step did.

    Parameters
    ----------
    levels : dict
        (side, price) to the size that stands there now, 0 for none.
    before : dict
        The same to the size before.
    prints : list of Print
    """

    levels: dict[tuple[int, int], int] = field(default_factory=dict)
    before: dict[tuple[int, int], int] = field(default_factory=dict)
    prints: list[Print] = field(default_factory=list)


class TruthBook:
    """Price levels of one symbol; prices in ticks, sizes in lots.

    Parameters
    ----------
    seed : str
    mid : int
        Where the market begins, in ticks.
    """

    def __init__(self, seed: str, mid: int) -> None:
        self.rng = random.Random(seed)
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.middle = self.home = mid
        self.trade_id = self.rng.randrange(1, 10**6)
        for n in range(1, 21):
            self.sides[BID][mid - n] = self._size()
            self.sides[ASK][mid + n] = self._size()

    def best(self, side: int) -> int:
        """Return the best price of a side."""
        return max(self.sides[BID]) if side == BID else min(self.sides[ASK])

    def ranked(self, side: int) -> list[tuple[int, int]]:
        """Return a side's (price, size), the best first."""
        return sorted(self.sides[side].items(), reverse=side == BID)

    def step(self, changes: int) -> Change:
        """Place, cancel and match so many orders."""
        change = Change()
        for _ in range(changes):
            if self.rng.random() < 0.02:
                # Never far from where it began: the same symbol on several venues keeps one price.
                self.middle = min(max(self.middle + self.rng.choice((-1, 1)), self.home - ROAM), self.home + ROAM)
            self._order(change)
        return change

    def _order(self, change: Change) -> None:
        side, roll = self.rng.randrange(2), self.rng.random()
        own = self.sides[side]
        if (roll < 0.35 and len(own) > FEWEST) or len(own) > MOST:
            price = min(own) if side == BID and len(own) > MOST else max(own) if len(own) > MOST else self._some(own)
            left = 0 if self.rng.random() < 0.6 or len(own) > MOST else self.rng.randrange(own[price])
            self._set(change, side, price, left)
        elif roll < 0.5 and len(self.sides[1 - side]) > FEWEST:
            self._take(change, side, self._size())
        else:
            other = self.best(1 - side)
            offset = self.rng.randrange(1, WIDTH)
            price = min(self.middle - offset, other - 1) if side == BID else max(self.middle + offset, other + 1)
            self._set(change, side, price, own.get(price, 0) + self._size())

    def _take(self, change: Change, side: int, size: int) -> None:
        """Match an order of a side against the other side's best levels."""
        while size > 0 and len(self.sides[1 - side]) > FEWEST:
            price = self.best(1 - side)
            there = self.sides[1 - side][price]
            done = min(size, there)
            self.trade_id += 1
            change.prints.append(Print(self.trade_id, price, done, side == BID))
            self._set(change, 1 - side, price, there - done)
            size -= done

    def _set(self, change: Change, side: int, price: int, size: int) -> None:
        change.before.setdefault((side, price), self.sides[side].get(price, 0))
        if size:
            self.sides[side][price] = size
        else:
            del self.sides[side][price]
        change.levels[side, price] = size

    def _some(self, levels: dict[int, int]) -> int:
        return self.rng.choice(sorted(levels))

    def _size(self) -> int:
        return self.rng.randrange(1, 5000)


@dataclass
class FakeMarket:
    """One symbol of a fake venue.

    Parameters
    ----------
    native, canonical : str
    tick, lot : (int, int)
        Mantissa and exponent of one tick and one lot.
    book : TruthBook
    sequence : int
        The venue's number of the last change.
    listed : bool
        False once delisted.
    """

    native: str
    canonical: str
    tick: tuple[int, int]
    lot: tuple[int, int]
    book: TruthBook
    sequence: int = 1000
    previous: int = -1
    listed: bool = True

    def price(self, ticks: int) -> str:
        """Return a price as the venue writes it."""
        return format_decimal(ticks * self.tick[0], self.tick[1])

    def size(self, lots: int) -> str:
        """Return a size as the venue writes it."""
        return format_decimal(lots * self.lot[0], self.lot[1])

    def side(self, side: int) -> list[tuple[str, str]]:
        """Return a side's levels as the venue writes them, the best first."""
        return [(self.price(p), self.size(s)) for p, s in self.book.ranked(side)]

    def changed(self, change: Change, side: int) -> list[tuple[str, str]]:
        """Return what a step did to a side."""
        return [(self.price(p), self.size(s)) for (of, p), s in change.levels.items() if of == side]

"""What our paper fills took from the levels shown, until a level changes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from libs.execution.market import Market
from libs.orders.decimals import ZERO, exact
from libs.orders.events import Side
from libs.streams.shards import Shard


@dataclass(slots=True)
class Level:
    """A level that we took from: its size as shown then, and how much of it is ours."""

    shown: Decimal
    taken: Decimal


class Taken:
    """Takings by book, side and price. A level that a venue moves in any way counts as new."""

    def __init__(self) -> None:
        self._books: dict[int, dict[tuple[Side, Decimal], Level]] = {}

    def __contains__(self, book: int) -> bool:
        return book in self._books

    def of(self, book: int, side: Side, price: Decimal) -> Decimal:
        """Return what was taken from a level since it last changed."""
        level = self._books.get(book, {}).get((side, price))
        return ZERO if level is None else level.taken

    @exact
    def take(self, book: int, side: Side, price: Decimal, shown: Decimal, quantity: Decimal) -> None:
        """Note a fill against a level that shows a size."""
        levels = self._books.setdefault(book, {})
        level = levels.setdefault((side, price), Level(shown, ZERO))
        level.taken += quantity

    def look(self, book: int, market: Market) -> None:
        """Forget takings from levels of a book that have changed."""
        levels = self._books.get(book)
        if levels is None:
            return
        for key, level in list(levels.items()):
            size = market.size_at(book, *key)
            # Of a level beyond the ones shown nothing is known, so what we took stays taken.
            if size is not None and size != level.shown:
                del levels[key]
        if not levels:
            del self._books[book]

    def clear(self, shard: Shard) -> None:
        """Forget a shard's books: their ids are those of another run."""
        for book in list(filter(shard.owns, self._books)):
            del self._books[book]

"""What our paper fills took from the levels shown, until a level changes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from libs.execution.market import Market
from libs.orders.decimals import ZERO, exact
from libs.orders.events import Side
from libs.streams.schemas import TOP_LEVELS


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
        for side in ("buy", "sell"):
            _forget(levels, side, market.levels(book, side))
        if not levels:
            del self._books[book]

    def clear(self) -> None:
        """Forget everything: book ids are those of another run."""
        self._books.clear()


def _forget(levels: dict[tuple[Side, Decimal], Level], side: Side, shown: list[tuple[Decimal, Decimal]]) -> None:
    sizes = dict(shown)
    last = shown[-1][0] if len(shown) == TOP_LEVELS else None
    for key in [key for key in levels if key[0] == side]:
        price = key[1]
        size = sizes.get(price)
        # Of a level beyond the ones shown nothing is known, so what we took stays taken.
        hidden = size is None and last is not None and (price < last if side == "buy" else price > last)
        if not hidden and size != levels[key].shown:
            del levels[key]

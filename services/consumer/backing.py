"""Pages of the consumer's arrays, there before the kernels come to them.

Whatever has a row a book is backed for the books that there are and some more, since a consumer may have room for ten
thousand and see five hundred; everything else is backed as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from libs.features.history import FIRST_SIZE, WIDTHS
from libs.market.symbol_table import BOOKS
from libs.pages import populate

FIRST_WORDS = FIRST_SIZE * max(WIDTHS)
AHEAD = 2048
"""Books that can come at once without a page fault."""


class Backing:
    """Backs the arrays of an engine, and keeps ahead of the books.

    Parameters
    ----------
    arrays : mapping
        The engine's.
    max_books : int

    Attributes
    ----------
    books : int
        Books whose rows are backed.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], max_books: int) -> None:
        self._counts = arrays["table_counts"]
        # A book's histories grow as it needs them: only where they begin is backed.
        self._histories, self._layout = arrays["history_rings"], arrays["history_layout"]
        others = [array for name, array in arrays.items() if name != "history_rings"]
        self._by_book = [array for array in others if array.ndim > 1 and len(array) >= max_books]
        self._whole = [array for array in others if array.ndim == 1 or len(array) < max_books]
        self._max_books = max_books
        self.books = 0

    def prepare(self) -> None:
        """Back what is there, and the rows of the first books."""
        populate(*self._whole)
        self.keep_ahead()

    def keep_ahead(self) -> None:
        """Back more rows once half of those kept ready are taken."""
        if self.books >= self._max_books or self.books - int(self._counts[BOOKS]) > AHEAD // 2:
            return
        more = int(self._counts[BOOKS]) + AHEAD
        populate(*(array[self.books : more] for array in self._by_book))
        for row in self._histories[self.books : more]:
            populate(*(row[at : at + FIRST_WORDS] for at in self._layout[: len(WIDTHS)].tolist()))
        self.books = min(more, self._max_books)

"""Calls every kernel that fills columns of its own. Written by scripts.generate_features, never by hand."""

from __future__ import annotations

import numpy as np

from libs.book.state import Books
from libs.features.history import History
from libs.features.micro import fill_microprice
from libs.features.windows import fill_flow, fill_returns, fill_trades, fill_waps
from libs.jit import kernel


@kernel
def fill_rest(h: History, books: Books, b: int, row: np.ndarray) -> int:
    """Fill what compute_row leaves NaN; return the bits of libs.features.kernels that any filler returns."""
    found = 0
    found |= fill_waps(h, books, b, row)
    found |= fill_trades(h, books, b, row)
    found |= fill_flow(h, books, b, row)
    found |= fill_microprice(h, books, b, row)
    found |= fill_returns(h, books, b, row)
    return found

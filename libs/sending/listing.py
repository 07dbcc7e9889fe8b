"""What the sender speaks of: each (exchange, symbol) with its Instrument, as arrays that kernels read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from libs.market.limits import MAX_SYMBOL

FLAG_INVERSE = 1

(
    NAME_LENGTH,
    EXCHANGE,
    TICK,
    TICK_EXP,
    LOT,
    LOT_EXP,
    MULTIPLIER,
    MULTIPLIER_EXP,
    INSTRUMENT_FLAGS,
    ANNOUNCED,
    IN_FORCE,
) = range(11)
"""Columns of ``rows``. ANNOUNCED: 1 once an Instrument has gone out. IN_FORCE: Status codes in force, a bit each."""
COLUMNS = 12


class Listing(NamedTuple):
    """One row a book. Few arrays: each one more makes every kernel that is given them dearer to compile."""

    names: np.ndarray
    """uint8[n * 64]: UTF-8, zero-padded"""
    rows: np.ndarray
    """int64[n, COLUMNS]"""
    used: np.ndarray
    """int64[1]: rows in use"""


def new_listing(capacity: int) -> Listing:
    """Return an empty listing."""
    return Listing(
        np.zeros(capacity * MAX_SYMBOL, np.uint8), np.zeros((capacity, COLUMNS), np.int64), np.zeros(1, np.int64)
    )


def add_row(
    listing: Listing,
    exchange: int,
    symbol: str,
    tick: tuple[int, int],
    lot: tuple[int, int],
    multiplier: tuple[int, int] = (1, 0),
    *,
    inverse: bool = False,
) -> int:
    """Append a book and return its row; tick, lot and multiplier are (mantissa, exponent).

    Raises
    ------
    ValueError
        When the listing is full or the symbol is longer than 64 bytes.
    """
    row = int(listing.used[0])
    name = symbol.encode()
    if row >= len(listing.rows):
        raise ValueError(f"more than {len(listing.rows)} books: {symbol!r} has no room")
    if len(name) > MAX_SYMBOL:
        raise ValueError(f"symbol {symbol!r}: expected at most {MAX_SYMBOL} bytes, found {len(name)}")
    at = row * MAX_SYMBOL
    listing.names[at : at + len(name)] = np.frombuffer(name, np.uint8)
    flags = FLAG_INVERSE if inverse else 0
    listing.rows[row, :ANNOUNCED] = (len(name), exchange, *tick, *lot, *multiplier, flags)
    listing.used[0] = row + 1
    return row


def symbol_of(listing: Listing, row: int) -> str:
    """Return a row's symbol."""
    at = row * MAX_SYMBOL
    return bytes(listing.names[at : at + int(listing.rows[row, NAME_LENGTH])]).decode()

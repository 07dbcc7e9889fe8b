"""What the sender speaks of: each (exchange, symbol) with its Instrument, as arrays that kernels read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

MAX_SYMBOL = 64
INVERSE = 1


class Listing(NamedTuple):
    """One row a book. Tick, lot and multiplier are (mantissa, exponent) pairs."""

    names: np.ndarray
    """uint8[n, 64]"""
    name_lengths: np.ndarray
    exchanges: np.ndarray
    ticks: np.ndarray
    """int64[n, 2]"""
    lots: np.ndarray
    multipliers: np.ndarray
    flags: np.ndarray
    """int64[n]: INVERSE"""
    announced: np.ndarray
    """int64[n]: 1 once an Instrument has gone out."""
    rows: np.ndarray
    """int64[1]"""


def new_listing(capacity: int) -> Listing:
    """Return an empty listing."""
    return Listing(
        names=np.zeros((capacity, MAX_SYMBOL), np.uint8),
        name_lengths=np.zeros(capacity, np.int64),
        exchanges=np.zeros(capacity, np.int64),
        ticks=np.zeros((capacity, 2), np.int64),
        lots=np.zeros((capacity, 2), np.int64),
        multipliers=np.zeros((capacity, 2), np.int64),
        flags=np.zeros(capacity, np.int64),
        announced=np.zeros(capacity, np.int64),
        rows=np.zeros(1, np.int64),
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
    """Append a book and return its row.

    Raises
    ------
    ValueError
        When the listing is full or the symbol is longer than 64 bytes.
    """
    row = int(listing.rows[0])
    name = symbol.encode()
    if row >= len(listing.names):
        raise ValueError(f"more than {len(listing.names)} books: {symbol!r} has no room")
    if len(name) > MAX_SYMBOL:
        raise ValueError(f"symbol {symbol!r}: expected at most {MAX_SYMBOL} bytes, found {len(name)}")
    listing.names[row, : len(name)] = np.frombuffer(name, np.uint8)
    listing.name_lengths[row] = len(name)
    listing.exchanges[row] = exchange
    listing.ticks[row], listing.lots[row], listing.multipliers[row] = tick, lot, multiplier
    listing.flags[row] = INVERSE if inverse else 0
    listing.rows[0] = row + 1
    return row


def symbol_of(listing: Listing, row: int) -> str:
    """Return a row's symbol."""
    return bytes(listing.names[row, : listing.name_lengths[row]]).decode()

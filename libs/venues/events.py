"""What every venue's feed turns into: events with exact integer mantissas, not yet on the wire."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CUT_BIDS = 1
CUT_ASKS = 2

BUYER, SELLER, UNKNOWN = 1, 0, 2
"""The aggressor of a trade, as the flags of HFTP's Trade."""

STATUS_SYMBOL_INVALID = 2
STATUS_TRADES_MISSED = 8


@dataclass(slots=True)
class BookEvent:
    """One whole change of a book.

    Parameters
    ----------
    symbol : str
        Canonical.
    snapshot : bool
        Whether it replaces the book.
    price_exponent, size_exponent : int
        A value is mantissa times ten to the exponent.
    bids, asks : int
        Levels a side.
    levels : int64[2 * (bids + asks)]
        Price and size of each bid, then of each ask, in the venue's order. Size 0 removes.
    cut : int
        On a snapshot: CUT_BIDS, CUT_ASKS where the side goes on below its last level.
    exchange_ts_us, feed_ts_us : int
        The venue's clock (0: none given) and the receiver's.
    """

    symbol: str
    snapshot: bool
    price_exponent: int
    size_exponent: int
    bids: int
    asks: int
    levels: np.ndarray
    cut: int
    exchange_ts_us: int
    feed_ts_us: int


@dataclass(slots=True)
class TradeEvent:
    """One print of the venue; ``aggressor`` is BUYER, SELLER or UNKNOWN, times are microseconds."""

    symbol: str
    trade_id: int
    aggressor: int
    price: int
    price_exponent: int
    size: int
    size_exponent: int
    exchange_ts_us: int
    feed_ts_us: int


@dataclass(slots=True)
class StatusEvent:
    """A statement about one symbol: ``code`` as HFTP's Status, ``text`` for people."""

    symbol: str
    code: int
    text: str
    feed_ts_us: int


Event = BookEvent | TradeEvent | StatusEvent

"""Rows of the book, nbbo and status streams, as a test wants to show them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from libs.book.flags import INVALID
from libs.market.exchanges import EXCHANGES
from libs.streams.schemas import BOOK, NBBO, STATUS, STATUS_KINDS

Levels = Sequence[tuple[str, str]]
EXPONENT = -4
SESSION = 1000


def mantissa(text: str, exponent: int = EXPONENT) -> int:
    """A decimal in units of 10^exponent."""
    return int(Decimal(text).scaleb(-exponent))


def book_row(
    book: int = 1,
    *,
    bids: Levels = (("99", "5"), ("98", "7")),
    asks: Levels = (("101", "5"), ("102", "7")),
    feed_us: int = 1_000_000,
    exchange: str = "okx",
    symbol: str = "BTC-USDT",
    flags: int = 0,
    session: int = SESSION,
    ts_ns: int | None = None,
    sent_us: int | None = None,
) -> np.ndarray:
    """One row of the book stream."""
    row = np.zeros(1, BOOK)
    row["book_id"], row["symbol"], row["exchange"] = book, symbol.encode(), EXCHANGES.index(exchange)
    row["flags"], row["valid"] = flags, not flags & INVALID
    row["session"], row["feed_ts_us"] = session, feed_us
    row["sent_ts_us"] = feed_us if sent_us is None else sent_us
    row["book_ts_ns"] = feed_us * 1000 if ts_ns is None else ts_ns
    row["price_exponent"] = row["size_exponent"] = EXPONENT
    for name, levels in (("bid", bids), ("ask", asks)):
        row[f"{name}_count"] = len(levels)
        for at, (price, size) in enumerate(levels):
            row[f"{name}_prices"][0, at], row[f"{name}_sizes"][0, at] = mantissa(price), mantissa(size)
    return row


def nbbo_row(
    symbol: str = "BTC-USDT",
    bid: str | None = "99",
    ask: str | None = "101",
    *,
    symbol_id: int = 1,
    bid_exchange: str = "okx",
    ask_exchange: str = "okx",
) -> np.ndarray:
    """One row of the nbbo stream."""
    row = np.zeros(1, NBBO)
    row["symbol_id"], row["symbol"], row["price_exponent"] = symbol_id, symbol.encode(), EXPONENT
    for name, price, exchange in (("bid", bid, bid_exchange), ("ask", ask, ask_exchange)):
        row[f"{name}_exchange"] = 255 if price is None else EXCHANGES.index(exchange)
        if price is not None:
            row[f"{name}_exchanges"] = 1 << EXCHANGES.index(exchange)
            row[f"{name}_price"] = mantissa(price)
    return row


def status_row(
    kind: str,
    book: int = 1,
    *,
    exchange: str = "okx",
    symbol: str = "BTC-USDT",
    flags: int = 0,
    ts_ns: int = 0,
    session: int = SESSION,
    tick: str = "0.5",
    lot: str = "0.01",
    multiplier: str = "1",
    inverse: bool = False,
) -> np.ndarray:
    """One row of the status stream; ``book`` 0xFFFFFFFF is a whole channel, which has no instrument."""
    row = np.zeros(1, STATUS)
    row["book_id"], row["kind"], row["exchange"] = book, STATUS_KINDS.index(kind), EXCHANGES.index(exchange)
    row["flags"], row["book_ts_ns"], row["session"] = flags, ts_ns, session
    if book != 0xFFFFFFFF:
        row["symbol"], row["inverse"] = symbol.encode(), inverse
        for name, text in (("tick", tick), ("lot", lot), ("multiplier", multiplier)):
            row[name], row[f"{name}_exponent"] = mantissa(text), EXPONENT
    return row

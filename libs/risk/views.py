"""What the checks look at: the order proposed, the market and the account at one moment. Plain values, no clocks."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from libs.orders.decimals import ZERO
from libs.orders.events import Side


@dataclass(frozen=True, slots=True)
class Steps:
    """An instrument, as decimals.

    Attributes
    ----------
    multiplier : Decimal
        What one unit of size is worth in base currency; in quote currency if inverse.
    """

    tick: Decimal
    lot: Decimal
    multiplier: Decimal
    inverse: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """An order that has not been decided on.

    Attributes
    ----------
    quantity, price : Decimal
        After rounding.
    """

    intent_id: str
    exchange: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class MarketView:
    """The market of the order's symbol at its exchange.

    Attributes
    ----------
    steps : Steps or None
        None: the instrument is not known.
    flags : int or None
        Of the book (libs.book.flags); None: no book was seen.
    has_quote : bool
        Whether the side that the order would take from shows a level.
    reference : Decimal or None
        Mid of the NBBO, or of the own book; None: neither.
    usd_rate : Decimal or None
        Worth of the currency that the notional is in; None: not known.
    signal_age_ms, book_lag_ms : int
        See :class:`libs.risk.limits.Limits`.
    """

    steps: Steps | None
    flags: int | None
    has_quote: bool
    reference: Decimal | None
    usd_rate: Decimal | None
    signal_age_ms: int
    book_lag_ms: int


@dataclass(frozen=True, slots=True)
class AccountView:
    """Our own state. Money is in USD.

    Attributes
    ----------
    held : tuple of (multiplier, inverse) or None
        Of the open position at this exchange in this symbol; None when flat.
    position_usd : Decimal
        Of the symbol over all venues, signed.
    open_buys_usd, open_sells_usd : Decimal
        Open orders in the symbol.
    gross_usd : Decimal
        All positions without signs, and all open orders.
    own_bid, own_ask : Decimal or None
        Our best open orders in the symbol at this exchange.
    open_orders : int
    orders_last_s : int
        Sent in the second up to now.
    pnl_today_usd : Decimal
    peak_pnl_usd, pnl_usd : Decimal
        The highest since the reset, and now.
    """

    kill_switch: bool = False
    seen: bool = False
    held: tuple[Decimal, bool] | None = None
    position_usd: Decimal = ZERO
    open_buys_usd: Decimal = ZERO
    open_sells_usd: Decimal = ZERO
    gross_usd: Decimal = ZERO
    own_bid: Decimal | None = None
    own_ask: Decimal | None = None
    open_orders: int = 0
    orders_last_s: int = 0
    pnl_today_usd: Decimal = ZERO
    peak_pnl_usd: Decimal = ZERO
    pnl_usd: Decimal = ZERO

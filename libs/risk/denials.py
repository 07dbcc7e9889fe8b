"""Why an intent is denied, as typed codes."""

from __future__ import annotations

from enum import StrEnum


class Denial(StrEnum):
    """A denial code; it stands in metrics, in the orders stream and in the report."""

    MALFORMED_SIGNAL = "malformed_signal"  # a field is missing or is not what it should be
    STALE_SIGNAL = "stale_signal"  # older than max_signal_age_ms
    DUPLICATE_INTENT = "duplicate_intent"  # an order was made for it before
    KILL_SWITCH = "kill_switch"
    JOURNAL = "journal"  # the intent could not be journalled, so nothing was sent
    UNKNOWN_INSTRUMENT = "unknown_instrument"  # neither tick nor lot is known
    INSTRUMENT_CHANGED = "instrument_changed"  # an open position is of another multiplier
    HALTED = "halted"
    INVALID_BOOK = "invalid_book"  # none was seen, or it is not valid
    CROSSED_BOOK = "crossed_book"
    STALE_BOOK = "stale_book"  # its channel is silent, or our view of it is behind the signal's
    NO_QUOTE = "no_quote"  # nothing to trade against on that side
    NO_RATE = "no_rate"  # the currency of its price has no value in USD here
    OFF_TICK = "off_tick"
    OFF_LOT = "off_lot"
    ORDER_SIZE = "order_size"  # zero after rounding down to the lot, or more than max_order_quantity_lots
    NOTIONAL = "notional"
    PRICE_COLLAR = "price_collar"
    SELF_CROSS = "self_cross"
    POSITION_LIMIT = "position_limit"
    GROSS_EXPOSURE = "gross_exposure"
    OPEN_ORDERS = "open_orders"
    ORDER_RATE = "order_rate"
    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"

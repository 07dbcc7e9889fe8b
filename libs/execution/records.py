"""Orders and fills as the readable fields of their streams, and as JSON."""

from __future__ import annotations

from typing import Any

from libs.execution.inbox import Signal
from libs.execution.market import base_currency, quote_currency
from libs.orders.decimals import EXACT, short_text, text_of
from libs.orders.events import Filled, Order
from libs.orders.positions import Position
from libs.risk.denials import Denial
from libs.risk.exposure import Value
from libs.risk.views import Proposal


def order_record(order: Order) -> dict[str, str]:
    """Return the record of an order's present state."""
    average = text_of(EXACT.divide(order.cost, order.filled).quantize(order.price)) if order.filled else ""
    return {
        "ts_ns": str(order.updated_ts_ns or order.created_ts_ns),
        "client_order_id": order.client_order_id,
        "intent_id": order.intent_id,
        "exchange": order.exchange,
        "symbol": order.symbol,
        "side": order.side,
        "state": str(order.state),
        "quantity": text_of(order.quantity),
        "price": text_of(order.price),
        "filled": text_of(order.filled),
        "average_price": average,
        "time_in_force": order.time_in_force,
        "reason": order.reason,
        "feed_ts_us": str(order.feed_ts_us),
        "sent_ts_us": str(order.sent_ts_us),
        "session": str(order.session),
        "sequence": str(order.sequence),
        "model": order.model,
    }


def denied_record(signal: Signal, proposal: Proposal, denial: Denial, now_ns: int) -> dict[str, str]:
    """Return the record of an intent that was denied: it never became an order and has no client order id."""
    return {
        "ts_ns": str(now_ns),
        "client_order_id": "",
        "intent_id": proposal.intent_id,
        "exchange": proposal.exchange,
        "symbol": proposal.symbol,
        "side": proposal.side,
        "state": "denied",
        "quantity": text_of(proposal.quantity),
        "price": text_of(proposal.price),
        "filled": "0",
        "average_price": "",
        "time_in_force": "",
        "reason": str(denial),
        "feed_ts_us": str(signal.feed_ts_us),
        "sent_ts_us": str(signal.sent_ts_us),
        "session": str(signal.session),
        "sequence": str(signal.sequence),
        "model": signal.model,
    }


def fill_record(order: Order, fill: Filled, position: Position) -> dict[str, str]:
    """Return the record of a fill, with the position after it."""
    return {
        "ts_ns": str(fill.ts_ns),
        "fill_id": fill.fill_id,
        "client_order_id": order.client_order_id,
        "exchange": order.exchange,
        "symbol": order.symbol,
        "side": order.side,
        "quantity": text_of(fill.quantity),
        "price": text_of(fill.price),
        "fee": text_of(fill.fee),
        "fee_currency": base_currency(order.symbol) if order.inverse else quote_currency(order.symbol),
        "liquidity": fill.liquidity,
        "feed_ts_us": str(fill.feed_ts_us),
        "position": text_of(position.quantity),
        "realised": text_of(position.realised),
    }


def position_json(position: Position, value: Value) -> dict[str, Any]:
    """Return a position for GET /positions; decimals are strings."""
    average = position.average_price
    return {
        "exchange": position.exchange,
        "symbol": position.symbol,
        "quantity": text_of(position.quantity),
        "average_price": None if average is None else short_text(average),
        "inverse": position.inverse,
        "multiplier": text_of(position.multiplier),
        "currency": base_currency(position.symbol) if position.inverse else quote_currency(position.symbol),
        "realised": text_of(position.realised),
        "fees": text_of(position.fees),
        "notional_usd": float(value.notional),
        "realised_usd": float(value.realised),
        "unrealised_usd": float(value.unrealised),
        "fees_usd": float(value.fees),
    }

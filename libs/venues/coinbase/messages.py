"""Coinbase's JSON as typed structs, and its requests; fields that nothing here needs are not named.

Source: Coinbase Advanced Trade WebSocket (*level2*, *market_trades*, *heartbeats*), List Public Products; Coinbase
Exchange WebSocket feed (*level2_batch*, *matches*, *ticker*, *heartbeat*), Get all known trading pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from libs.venues.events import BUYER, SELLER

MAKER_SIDES = {"SELL": BUYER, "BUY": SELLER, "sell": BUYER, "buy": SELLER}
"""The aggressor by the side that Coinbase names, the maker's."""
NOTHING = msgspec.Raw(b"")


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """Any message of Advanced Trade: ``events`` of a channel under the connection's sequence, or an error."""

    channel: str | None = None
    sequence_num: int | None = None
    timestamp: datetime | None = None
    events: msgspec.Raw = NOTHING
    type: str | None = None
    message: str = ""


class L2Event(msgspec.Struct, frozen=True, gc=False):
    """Of ``l2_data``: objects with side, price_level, new_quantity (absolute)."""

    type: str
    product_id: str
    updates: msgspec.Raw


class Trade(msgspec.Struct, frozen=True, gc=False):
    """A print; ids of a product count up by 1."""

    product_id: str
    trade_id: str
    price: str
    size: str
    side: str
    time: datetime


class TradeEvent(msgspec.Struct, frozen=True, gc=False):
    """Of ``market_trades``, the newest first; a snapshot has old prints."""

    type: str
    trades: list[Trade]


class Message(msgspec.Struct, frozen=True, gc=False):
    """Any message of the Exchange feed, flat."""

    type: str
    product_id: str = ""
    time: datetime | None = None
    bids: msgspec.Raw = NOTHING
    asks: msgspec.Raw = NOTHING
    changes: msgspec.Raw = NOTHING
    trade_id: int | None = None
    last_trade_id: int | None = None
    side: str = ""
    price: str = ""
    size: str = ""
    best_bid: str = ""
    best_ask: str = ""
    best_bid_size: str = ""
    best_ask_size: str = ""
    message: str = ""
    reason: str = ""


class Product(msgspec.Struct, frozen=True, gc=False):
    """Of Advanced Trade; ``alias``: the product whose book it shares."""

    product_id: str
    base_increment: str
    quote_increment: str
    status: str = ""
    product_type: str = "SPOT"
    price_increment: str = ""
    alias: str = ""
    trading_disabled: bool = False
    is_disabled: bool = False
    view_only: bool = False


class Products(msgspec.Struct, frozen=True, gc=False):
    """The answer of Advanced Trade."""

    products: list[Product]


class Pair(msgspec.Struct, frozen=True, gc=False):
    """Of Exchange."""

    id: str
    base_increment: str
    quote_increment: str
    status: str = ""
    trading_disabled: bool = False


decode_envelope = msgspec.json.Decoder(Envelope).decode
decode_l2 = msgspec.json.Decoder(list[L2Event]).decode
decode_trades = msgspec.json.Decoder(list[TradeEvent]).decode
decode_message = msgspec.json.Decoder(Message).decode
decode_products = msgspec.json.Decoder(Products).decode
decode_pairs = msgspec.json.Decoder(list[Pair]).decode


def advanced_request(kind: str, channel: str, products: Sequence[str] = ()) -> str:
    """Return a ``subscribe`` or ``unsubscribe`` of Advanced Trade."""
    named = {"product_ids": products} if products else {}
    return msgspec.json.encode({"type": kind, **named, "channel": channel}).decode()


def exchange_request(kind: str, channels: Sequence[str], products: Sequence[str]) -> str:
    """Return a ``subscribe`` or ``unsubscribe`` of Exchange."""
    return msgspec.json.encode({"type": kind, "product_ids": products, "channels": channels}).decode()

"""Deribit's JSON-RPC as typed structs, and its requests; fields that nothing here needs are not named.

Prices and amounts are JSON numbers: they stay raw, and are read as text. Source: Deribit API, *book.{instrument_name}
.{interval}*, *trades*, *ticker*, *quote*, */public/set_heartbeat*, */public/get_instruments*.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

CHANNELS_A_REQUEST = 500
HEARTBEAT_S = 10
RAW_NEEDS_KEY = 13778
"""The error's code when ``raw`` is asked for without having signed in."""

NOTHING = msgspec.Raw(b"")


class Error(msgspec.Struct, frozen=True, gc=False):
    """Of an answer."""

    code: int
    message: str = ""


class Params(msgspec.Struct, frozen=True, gc=False):
    """Of a notification: ``channel`` and ``data``, or ``type`` heartbeat or test_request."""

    channel: str = ""
    data: msgspec.Raw = NOTHING
    type: str = ""


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """Any message: a notification (``method``), or the answer to request ``id``."""

    method: str | None = None
    params: Params | None = None
    id: int | None = None
    result: msgspec.Raw = NOTHING
    error: Error | None = None


class Book(msgspec.Struct, frozen=True, gc=False):
    """``book``: timestamp ms; ``type`` and, on a snapshot, ``prev_change_id`` may be left out."""

    timestamp: int
    change_id: int
    bids: msgspec.Raw
    asks: msgspec.Raw
    prev_change_id: int | None = None
    type: str | None = None


class Trade(msgspec.Struct, frozen=True, gc=False):
    """``trades``: trade_seq counts the instrument's own, direction is the taker's."""

    trade_seq: int
    trade_id: str
    timestamp: int
    price: msgspec.Raw
    amount: msgspec.Raw
    direction: str


class Top(msgspec.Struct, frozen=True, gc=False):
    """``ticker`` and ``quote``: null or 0 where a side is empty."""

    timestamp: int
    best_bid_price: msgspec.Raw
    best_bid_amount: msgspec.Raw
    best_ask_price: msgspec.Raw
    best_ask_amount: msgspec.Raw


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One of ``get_instruments``; ``instrument_type`` reversed or linear, not yet said in 2021."""

    instrument_name: str
    kind: str
    tick_size: msgspec.Raw
    min_trade_amount: msgspec.Raw
    is_active: bool
    quote_currency: str
    instrument_type: str | None = None


class Listing(msgspec.Struct, frozen=True, gc=False):
    """The answer of ``get_instruments``."""

    result: list[Entry]


decode_envelope = msgspec.json.Decoder(Envelope).decode
decode_book = msgspec.json.Decoder(Book).decode
decode_trades = msgspec.json.Decoder(list[Trade]).decode
decode_top = msgspec.json.Decoder(Top).decode
decode_listing = msgspec.json.Decoder(Listing).decode
decode_names = msgspec.json.Decoder(list[str]).decode


def text_of(number: msgspec.Raw) -> str:
    """Return a JSON number as it was written; nothing for null."""
    text = bytes(number).decode()
    return "" if text == "null" else text


def request(number: int, method: str, params: dict[str, Any]) -> str:
    """Return a request."""
    return msgspec.json.encode({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).decode()


def subscribe(number: int, channels: Sequence[str]) -> str:
    """Return ``public/subscribe``."""
    return request(number, "public/subscribe", {"channels": list(channels)})


def unsubscribe(number: int, channels: Sequence[str]) -> str:
    """Return ``public/unsubscribe``."""
    return request(number, "public/unsubscribe", {"channels": list(channels)})

"""Bybit v5's JSON as typed structs, and its requests; fields that nothing here needs are not named.

Source: Bybit API documentation v5, *WebSocket stream*, *Orderbook*, *Trade*, *Get instruments info*.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

NOTHING = msgspec.Raw(b"")


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """Any message: ``data`` of a topic (ts ms, cts ms: the matching engine's), or the answer to an ``op``."""

    topic: str | None = None
    type: str | None = None
    data: msgspec.Raw = NOTHING
    ts: int = 0
    cts: int = 0
    op: str | None = None
    success: bool | None = None
    ret_msg: str = ""


class Book(msgspec.Struct, frozen=True, gc=False):
    """``orderbook.N``: u rises by 1 a message; 1 after a restart of the service."""

    b: msgspec.Raw
    a: msgspec.Raw
    u: int


class Trade(msgspec.Struct, frozen=True, gc=False):
    """``publicTrade``: T ms, S the taker's side, v size, p price, i id (a UUID but for spot)."""

    T: int
    S: str
    v: str
    p: str
    i: str


class PriceFilter(msgspec.Struct, frozen=True, gc=False):
    """Step of prices."""

    tickSize: str  # noqa: N815


class LotFilter(msgspec.Struct, frozen=True, gc=False):
    """Step of sizes: of spot, of the rest."""

    basePrecision: str = ""  # noqa: N815
    qtyStep: str = ""  # noqa: N815


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One of ``instruments-info``; deliveryTime ms, "0" for perpetuals."""

    symbol: str
    status: str
    baseCoin: str  # noqa: N815
    quoteCoin: str  # noqa: N815
    priceFilter: PriceFilter  # noqa: N815
    lotSizeFilter: LotFilter  # noqa: N815
    contractType: str = ""  # noqa: N815
    deliveryTime: str = "0"  # noqa: N815


class Listing(msgspec.Struct, frozen=True, gc=False):
    """Instruments of one category."""

    entries: list[Entry] = msgspec.field(name="list")


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A REST answer; retCode 0 is success."""

    retCode: int  # noqa: N815
    retMsg: str = ""  # noqa: N815
    result: msgspec.Raw = NOTHING


decode_envelope = msgspec.json.Decoder(Envelope).decode
decode_book = msgspec.json.Decoder(Book).decode
decode_trades = msgspec.json.Decoder(list[Trade]).decode
decode_answer = msgspec.json.Decoder(Answer).decode
decode_listing = msgspec.json.Decoder(Listing).decode


def request(op: str, topics: Sequence[str]) -> str:
    """Return a ``subscribe`` or ``unsubscribe`` of topics."""
    return msgspec.json.encode({"op": op, "args": topics}).decode()

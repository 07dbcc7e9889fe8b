"""Binance's JSON as typed structs; fields that nothing here needs are not named.

Levels stay raw bytes: :mod:`libs.venues.levels` reads them. Update ids are the venue's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

MARKET = "MARKET"
"""Kind of a trade between two orders of the book."""


class Depth(msgspec.Struct, frozen=True, gc=False):
    """``depthUpdate``: U first and u last update id, pu the symbol's previous u (futures), E and T ms."""

    s: str
    U: int
    u: int
    E: int
    b: msgspec.Raw
    a: msgspec.Raw
    pu: int | None = None
    T: int | None = None


class Trade(msgspec.Struct, frozen=True, gc=False):
    """``trade``: t id, p price, q quantity, T ms, m whether the buyer was the maker.

    X (futures): MARKET, or INSURANCE_FUND, ADL, NA, which are no prints of the market (at times of price 0).
    """

    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool
    X: str = MARKET


class AggTrade(msgspec.Struct, frozen=True, gc=False):
    """``aggTrade``: several fills of one taker order at one price; a id."""

    s: str
    a: int
    p: str
    q: str
    T: int
    m: bool


class BookTicker(msgspec.Struct, frozen=True, gc=False):
    """``bookTicker``: best bid b with size B, best ask a with size A, as of update id u; T ms (futures)."""

    s: str
    u: int
    b: str
    B: str
    a: str
    A: str
    T: int | None = None


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """REST ``/depth``: spot gives neither symbol nor time."""

    lastUpdateId: int  # noqa: N815
    bids: msgspec.Raw
    asks: msgspec.Raw
    E: int | None = None
    T: int | None = None
    symbol: str | None = None


NOTHING = msgspec.Raw(b"")


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """A combined stream's wrapper, or (no ``stream``) a REST snapshot."""

    stream: str | None = None
    data: msgspec.Raw = NOTHING


class Problem(msgspec.Struct, frozen=True, gc=False):
    """What is wrong with a request."""

    code: int | None = None
    msg: str = ""


class Notice(msgspec.Struct, frozen=True, gc=False):
    """What is no stream: an answer to a request (``id``, ``error``), or an event of the connection."""

    e: str | None = None
    id: int | str | None = None
    error: Problem | None = None
    code: int | None = None
    msg: str = ""


decode_envelope = msgspec.json.Decoder(Envelope).decode
decode_notice = msgspec.json.Decoder(Notice).decode
decode_snapshot = msgspec.json.Decoder(Snapshot).decode
Message = Depth | Trade | AggTrade | BookTicker
DECODERS: dict[str, Callable[[msgspec.Raw], Message]] = {
    "depth": msgspec.json.Decoder(Depth).decode,
    "trade": msgspec.json.Decoder(Trade).decode,
    "aggTrade": msgspec.json.Decoder(AggTrade).decode,
    "bookTicker": msgspec.json.Decoder(BookTicker).decode,
}
"""By the part of the stream's name after ``@`` (``depth@100ms`` is depth)."""


def request(method: str, streams: Sequence[str], number: int) -> str:
    """Return a SUBSCRIBE or UNSUBSCRIBE of streams."""
    return msgspec.json.encode({"method": method, "params": streams, "id": number}).decode()

"""OKX v5's JSON as typed structs, and its requests; fields that nothing here needs are not named.

Source: OKX API guide, *WebSocket*, *Order book channel*, *Trades channel*, *Get instruments*.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import msgspec

CHECKED_LEVELS = 25
"""Levels a side that the checksum covers."""

ARGS_A_REQUEST = 200
"""Channels in one request: far below the 64 KB that one may have."""


class Arg(msgspec.Struct, frozen=True, gc=False):
    """Which channel of which instrument."""

    channel: str
    instId: str = ""  # noqa: N815


NOTHING = msgspec.Raw(b"")


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """Any message: an ``event`` (answer, error, notice), or ``data`` of a channel."""

    arg: Arg | None = None
    action: str | None = None
    data: msgspec.Raw = NOTHING
    event: str | None = None
    code: str | None = None
    msg: str | None = None


class Book(msgspec.Struct, frozen=True, gc=False):
    """``books``, ``books5``, ``bbo-tbt`` and REST ``/market/books``; ts ms, checksum 0: absent."""

    asks: msgspec.Raw
    bids: msgspec.Raw
    ts: str
    checksum: int = 0
    seqId: int | None = None  # noqa: N815
    prevSeqId: int | None = None  # noqa: N815


class Trade(msgspec.Struct, frozen=True, gc=False):
    """``trades``: several matches of one taker order at one price; tradeId is the last of ``count``."""

    tradeId: str  # noqa: N815
    px: str
    sz: str
    side: str
    ts: str
    count: str = "1"


class Ticker(msgspec.Struct, frozen=True, gc=False):
    """``tickers``: best prices and sizes as text, empty where a side is."""

    bidPx: str  # noqa: N815
    bidSz: str  # noqa: N815
    askPx: str  # noqa: N815
    askSz: str  # noqa: N815
    ts: str


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A REST answer; code "0" is success."""

    code: str
    data: msgspec.Raw = NOTHING
    msg: str = ""


decode_envelope = msgspec.json.Decoder(Envelope).decode
decode_books = msgspec.json.Decoder(list[Book]).decode
decode_trades = msgspec.json.Decoder(list[Trade]).decode
decode_tickers = msgspec.json.Decoder(list[Ticker]).decode
decode_answer = msgspec.json.Decoder(Answer).decode
decode_texts = msgspec.json.Decoder(list[list[str]]).decode


def request(op: str, args: Sequence[tuple[str, str]]) -> str:
    """Return a ``subscribe`` or ``unsubscribe`` of (channel, instrument) pairs."""
    pairs = [{"channel": channel, "instId": name} for channel, name in args]
    return msgspec.json.encode({"op": op, "args": pairs}).decode()


def checksum(bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]]) -> int:
    """Return the signed CRC32 of the best levels, bid and ask in turn, of the longer side what is left.

    Parameters
    ----------
    bids, asks : sequence of (str, str)
        Price and size in the venue's own text, best first; the first 25 count.
    """
    bids, asks = bids[:CHECKED_LEVELS], asks[:CHECKED_LEVELS]
    parts: list[str] = []
    for i in range(max(len(bids), len(asks))):
        for side in (bids, asks):
            if i < len(side):
                parts += side[i]
    value = crc32(":".join(parts).encode())
    return value - (1 << 32) if value >= 1 << 31 else value

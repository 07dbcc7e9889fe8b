"""HFTP messages as Python values, for tests, tools and control paths; the hot path never makes one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from libs.wire import encoders as e
from libs.wire import kernels as k
from libs.wire.layout import TYPE_BOOK, TYPE_HEARTBEAT, TYPE_INSTRUMENT, TYPE_STATUS, TYPE_TRADE

MAX_MESSAGE = 65_507
"""Bytes: the largest UDP payload."""

Levels = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class OrderBook:
    """A part of a book event; levels are (price, size) mantissas, size 0 removes."""

    sequence: int
    timestamp_us: int
    exchange_id: int
    symbol: str
    flags: int
    price_exponent: int
    size_exponent: int
    cut: int
    exchange_timestamp_us: int
    feed_timestamp_us: int
    bids: Levels
    asks: Levels


@dataclass(frozen=True, slots=True)
class Trade:
    """One print of the venue."""

    sequence: int
    timestamp_us: int
    exchange_id: int
    symbol: str
    flags: int
    price_exponent: int
    size_exponent: int
    trade_id: int
    exchange_timestamp_us: int
    feed_timestamp_us: int
    price: int
    size: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A sign of life; takes no sequence, its header carries ``next_sequence``."""

    timestamp_us: int
    exchange_id: int
    session: int
    next_sequence: int
    feed_timestamp_us: int

    @property
    def sequence(self) -> int:
        """The header's sequence."""
        return self.next_sequence


@dataclass(frozen=True, slots=True)
class Status:
    """A state of a symbol, or with an empty symbol of the channel."""

    sequence: int
    timestamp_us: int
    exchange_id: int
    symbol: str
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Instrument:
    """Tick, lot and multiplier of a symbol."""

    sequence: int
    timestamp_us: int
    exchange_id: int
    symbol: str
    flags: int
    tick_exponent: int
    lot_exponent: int
    multiplier_exponent: int
    tick: int
    lot: int
    multiplier: int


Message = OrderBook | Trade | Heartbeat | Status | Instrument


def _signed(value: int) -> int:
    """Return an unsigned 64-bit value as the int64 of the same bits."""
    return value - (1 << 64) if value >= 1 << 63 else value


def encode(message: Message) -> bytes:
    """Return a message's bytes.

    Raises
    ------
    ValueError
        When the symbol is longer than 64 bytes, or the message than a datagram.
    """
    out = np.zeros(MAX_MESSAGE, np.uint8)
    symbol = "" if isinstance(message, Heartbeat) else message.symbol
    name = np.frombuffer(symbol.encode() or b"\0", np.uint8).copy()
    length = len(symbol.encode())
    if length > 64:
        raise ValueError(f"symbol: expected at most 64 bytes, found {length}")
    kind = _KINDS[type(message)]
    body = e.put_header(out, 0, message.sequence, message.timestamp_us, message.exchange_id, kind, name, 0, length)
    end = _put_body(out, body, message)
    if end < 0:
        raise ValueError(f"message: expected at most {MAX_MESSAGE} bytes")
    return out[:end].tobytes()


def _put_body(out: np.ndarray, body: int, message: Message) -> int:
    if isinstance(message, OrderBook):
        levels = np.array([*message.bids, *message.asks, (0, 0)], np.int64).reshape(-1)
        return int(e.put_book(
            out, body, message.flags, message.price_exponent, message.size_exponent, message.cut,
            len(message.bids), len(message.asks), message.exchange_timestamp_us, message.feed_timestamp_us, levels, 0,
        ))  # fmt: skip
    if isinstance(message, Trade):
        return int(e.put_trade(
            out, body, message.flags, message.price_exponent, message.size_exponent, _signed(message.trade_id),
            message.exchange_timestamp_us, message.feed_timestamp_us, message.price, message.size,
        ))  # fmt: skip
    if isinstance(message, Heartbeat):
        return int(e.put_heartbeat(out, body, message.session, message.next_sequence, message.feed_timestamp_us))
    if isinstance(message, Status):
        text = np.frombuffer(message.text.encode() or b"\0", np.uint8).copy()
        return int(e.put_status(out, body, message.code, text, len(message.text.encode())))
    return int(e.put_instrument(
        out, body, message.flags, message.tick, message.tick_exponent, message.lot, message.lot_exponent,
        message.multiplier, message.multiplier_exponent,
    ))  # fmt: skip


_KINDS = {
    OrderBook: TYPE_BOOK,
    Trade: TYPE_TRADE,
    Heartbeat: TYPE_HEARTBEAT,
    Status: TYPE_STATUS,
    Instrument: TYPE_INSTRUMENT,
}


def encode_datagram(messages: Iterable[Message]) -> bytes:
    """Return several messages back to back."""
    return b"".join(map(encode, messages))


def decode_datagram(data: bytes) -> tuple[list[Message], str | None]:
    """Return a datagram's messages, and why the walk ended early.

    Returns
    -------
    tuple of (list of messages, str or None)
        The reason is a name of libs.wire.kernels.REASONS, ``unknown_type``, or None.
    """
    buf = np.frombuffer(data or b"\0", np.uint8).copy()
    m = np.zeros(16, np.int64)
    found: list[Message] = []
    off = 0
    while True:
        code = k.next_message(buf, off, len(data), m)
        if code in (k.END, k.PADDING):
            return found, None
        if code != k.OK:
            return found, k.REASONS.get(code, "unknown_type")
        found.append(_read(buf, m))
        off = int(m[k.NEXT_OFF])


def _read(buf: np.ndarray, m: np.ndarray) -> Message:
    b = np.zeros(16, np.int64)
    kind, body = int(m[k.TYPE]), int(m[k.BODY_OFF])
    start = int(m[k.SYMBOL_OFF])
    symbol = buf[start : start + int(m[k.SYMBOL_LEN])].tobytes().decode()
    head = (int(m[k.SEQUENCE]), int(m[k.TIMESTAMP_US]), int(m[k.EXCHANGE]))
    if kind == TYPE_BOOK:
        k.book_body(buf, body, b)
        at, bids, asks = int(b[k.BOOK_LEVELS_OFF]), int(b[k.BOOK_BIDS]), int(b[k.BOOK_ASKS])
        pairs = np.frombuffer(buf[at : at + 16 * (bids + asks)].tobytes(), "<i8").reshape(-1, 2).tolist()
        levels = tuple((p, s) for p, s in pairs)
        v = b.tolist()
        return OrderBook(*head, symbol, v[0], v[1], v[2], v[3], v[6], v[7], levels[:bids], levels[bids:])
    if kind == TYPE_TRADE:
        k.trade_body(buf, body, b)
        v = b.tolist()
        return Trade(*head, symbol, v[0], v[1], v[2], v[3] % (1 << 64), v[4], v[5], v[6], v[7])
    if kind == TYPE_HEARTBEAT:
        k.heartbeat_body(buf, body, b)
        v = b.tolist()
        return Heartbeat(head[1], head[2], v[0], v[1], v[2])
    if kind == TYPE_STATUS:
        k.status_body(buf, body, b)
        at = int(b[k.STATUS_TEXT_OFF])
        text = buf[at : at + int(b[k.STATUS_TEXT_LEN])].tobytes().decode(errors="replace")
        return Status(*head, symbol, int(b[k.STATUS_CODE]), text)
    k.instrument_body(buf, body, b)
    return Instrument(*head, symbol, *b.tolist()[:7])

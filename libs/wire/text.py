"""Text mode: the same messages, one JSON object a datagram, for people and debugging (wire.md)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from libs.market.exchanges import EXCHANGES, exchange_id
from libs.units import format_decimal, parse_decimal, rescale
from libs.wire.layout import BOOK_BAD, BOOK_LAST, BOOK_REFRESH, BOOK_SNAPSHOT, TRADE_BUYER, TRADE_UNKNOWN
from libs.wire.messages import Heartbeat, Instrument, Levels, Message, OrderBook, Status, Trade, encode

_FLAGS = {"snapshot": BOOK_SNAPSHOT, "last": BOOK_LAST, "bad": BOOK_BAD, "refresh": BOOK_REFRESH}
_INSTRUMENT_FLAGS = {"inverse": 1, "delisted": 2}
_CUTS = {"bids": 1, "asks": 2}
_SIDES = {"buy": TRADE_BUYER, "sell": 0, "unknown": TRADE_UNKNOWN}


def to_text(message: Message) -> bytes:
    """Return a message as one JSON object; 64-bit integers and decimals are strings."""
    row: dict[str, Any] = {
        "seq": str(message.sequence),
        "ts_us": str(message.timestamp_us),
        "exchange": EXCHANGES[message.exchange_id],
    }
    if isinstance(message, Heartbeat):
        row |= {
            "type": "heartbeat",
            "session": str(message.session),
            "next_seq": str(message.next_sequence),
            "feed_ts_us": str(message.feed_timestamp_us),
        }
        return json.dumps(row).encode()
    row["symbol"] = message.symbol
    if isinstance(message, OrderBook):
        row |= {
            "type": "book",
            "flags": _names(_FLAGS, message.flags),
            "cut": _names(_CUTS, message.cut),
            "exchange_ts_us": str(message.exchange_timestamp_us),
            "feed_ts_us": str(message.feed_timestamp_us),
            "bids": _pairs(message.bids, message),
            "asks": _pairs(message.asks, message),
        }
    elif isinstance(message, Trade):
        side = "unknown" if message.flags & TRADE_UNKNOWN else ("buy" if message.flags & TRADE_BUYER else "sell")
        row |= {
            "type": "trade",
            "trade_id": str(message.trade_id),
            "side": side,
            "price": format_decimal(message.price, message.price_exponent),
            "size": format_decimal(message.size, message.size_exponent),
            "exchange_ts_us": str(message.exchange_timestamp_us),
            "feed_ts_us": str(message.feed_timestamp_us),
        }
    elif isinstance(message, Status):
        row |= {"type": "status", "code": message.code, "text": message.text}
    else:
        row |= {
            "type": "instrument",
            "flags": _names(_INSTRUMENT_FLAGS, message.flags),
            "tick": format_decimal(message.tick, message.tick_exponent),
            "lot": format_decimal(message.lot, message.lot_exponent),
            "multiplier": format_decimal(message.multiplier, message.multiplier_exponent),
        }
    return json.dumps(row).encode()


def _names(table: dict[str, int], flags: int) -> list[str]:
    return [name for name, bit in table.items() if flags & bit]


def _pairs(levels: Levels, message: OrderBook) -> list[list[str]]:
    p, s = message.price_exponent, message.size_exponent
    return [[format_decimal(price, p), format_decimal(size, s)] for price, size in levels]


def from_text(data: bytes) -> Message:
    """Return the message of one JSON object.

    Raises
    ------
    ValueError
        Naming what is missing, unknown or not a number.
    """
    try:
        row = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(row, dict):
        raise ValueError(f"expected a JSON object, found {type(row).__name__}")
    readers: dict[str, Callable[[dict[str, Any]], Message]] = {
        "book": _book,
        "trade": _trade,
        "heartbeat": _heartbeat,
        "status": _status,
        "instrument": _instrument,
    }
    kind = row.get("type")
    if not isinstance(kind, str) or kind not in readers:
        raise ValueError(f"type: expected one of {', '.join(readers)}, found {kind!r}")
    try:
        return readers[kind](row)
    except KeyError as error:
        raise ValueError(f"{kind}: {error.args[0]} is missing or not known") from None
    except (TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{kind}: {error}") from None


def text_to_binary(data: bytes) -> bytes:
    """Return the binary form of a datagram in text mode.

    Raises
    ------
    ValueError
        When it is no message, or has no binary form.
    """
    return encode(from_text(data))


def _head(row: dict[str, Any]) -> tuple[int, int, int]:
    name = row["exchange"]
    if name not in EXCHANGES:
        raise ValueError(f"exchange: expected one of {', '.join(EXCHANGES)}, found {name!r}")
    return _int(row["seq"]), _int(row["ts_us"]), exchange_id(name)


def _int(value: Any, low: int = -(1 << 63), high: int = (1 << 63) - 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"expected an integer, found {value!r}")
    number = int(value)
    if not low <= number <= high:
        raise ValueError(f"expected an integer from {low} to {high}, found {number}")
    return number


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a text, found {value!r}")
    return value


def _bits(table: dict[str, int], names: Any) -> int:
    return sum({table[name] for name in names})


def _common(decimals: Sequence[tuple[int, int]]) -> tuple[list[int], int]:
    """Return mantissas in the finest unit among decimals, and its exponent."""
    exponent = min((e for _, e in decimals), default=0)
    found = []
    for mantissa, e in decimals:
        scaled = rescale(mantissa, e, exponent)
        if scaled is None or not -(1 << 63) <= scaled < 1 << 63:
            raise ValueError(f"decimals: {mantissa}e{e} does not fit 64 bits beside {exponent} places")
        found.append(scaled)
    if not -128 <= exponent <= 127:
        raise ValueError(f"exponent: expected -128 to 127, found {exponent}")
    return found, exponent


def _book(row: dict[str, Any]) -> OrderBook:
    sides = [[(parse_decimal(p), parse_decimal(s)) for p, s in row[side]] for side in ("bids", "asks")]
    levels = sides[0] + sides[1]
    prices, price_exponent = _common([price for price, _ in levels])
    sizes, size_exponent = _common([size for _, size in levels])
    pairs = tuple(zip(prices, sizes, strict=True))
    n = len(sides[0])
    return OrderBook(
        *_head(row), _str(row["symbol"]), _bits(_FLAGS, row["flags"]), price_exponent, size_exponent,
        _bits(_CUTS, row.get("cut", [])), _int(row["exchange_ts_us"]), _int(row["feed_ts_us"]), pairs[:n], pairs[n:],
    )  # fmt: skip


def _trade(row: dict[str, Any]) -> Trade:
    (price,), price_exponent = _common([parse_decimal(row["price"])])
    (size,), size_exponent = _common([parse_decimal(row["size"])])
    return Trade(
        *_head(row), _str(row["symbol"]), _SIDES[row["side"]], price_exponent, size_exponent,
        _int(row["trade_id"], 0, (1 << 64) - 1), _int(row["exchange_ts_us"]), _int(row["feed_ts_us"]), price, size,
    )  # fmt: skip


def _heartbeat(row: dict[str, Any]) -> Heartbeat:
    _, timestamp_us, exchange = _head(row | {"seq": row.get("seq", row["next_seq"])})
    return Heartbeat(timestamp_us, exchange, _int(row["session"]), _int(row["next_seq"]), _int(row["feed_ts_us"]))


def _status(row: dict[str, Any]) -> Status:
    symbol, text = _str(row.get("symbol", "")), _str(row.get("text", ""))
    return Status(*_head(row), symbol, _int(row["code"], 0, 255), text)


def _instrument(row: dict[str, Any]) -> Instrument:
    (tick,), tick_exponent = _common([parse_decimal(row["tick"])])
    (lot,), lot_exponent = _common([parse_decimal(row["lot"])])
    (multiplier,), multiplier_exponent = _common([parse_decimal(row["multiplier"])])
    return Instrument(
        *_head(row), _str(row["symbol"]), _bits(_INSTRUMENT_FLAGS, row["flags"]), tick_exponent, lot_exponent,
        multiplier_exponent, tick, lot, multiplier,
    )  # fmt: skip

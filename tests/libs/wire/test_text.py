"""Text mode: the same values as binary, and a reason for whatever is no message."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.wire.messages import Heartbeat, Instrument, Message, OrderBook, Status, Trade, decode_datagram, encode
from libs.wire.text import from_text, text_to_binary, to_text
from tests.libs.wire.golden import MESSAGES
from tests.libs.wire.strategies import HEARTBEATS, STATUSES

SMALL = st.integers(-(10**12), 10**12)
EXPONENT = st.integers(-12, 4)
LEVELS = st.lists(st.tuples(SMALL, SMALL), max_size=4).map(tuple)
NAME = st.text(min_size=1, max_size=12)
TIME = st.integers(0, 2**62)
HEAD = (st.integers(1, 2**63 - 1), TIME, st.integers(0, 4), NAME)
BOOKS = st.builds(
    OrderBook, *HEAD, st.integers(0, 15), EXPONENT, EXPONENT, st.integers(0, 3), TIME, TIME, LEVELS, LEVELS
)
TRADE_FLAGS = st.sampled_from([0, 1, 2])
TRADES = st.builds(Trade, *HEAD, TRADE_FLAGS, EXPONENT, EXPONENT, st.integers(0, 2**64 - 1), TIME, TIME, SMALL, SMALL)
INSTRUMENTS = st.builds(Instrument, *HEAD, st.integers(0, 3), EXPONENT, EXPONENT, EXPONENT, SMALL, SMALL, SMALL)


def values(message: Message) -> tuple:
    """Return what a message says, its decimals exact whatever the exponents."""
    if isinstance(message, OrderBook):
        p, s = Fraction(10) ** message.price_exponent, Fraction(10) ** message.size_exponent
        sides = [[(price * p, size * s) for price, size in side] for side in (message.bids, message.asks)]
        times = (message.exchange_timestamp_us, message.feed_timestamp_us)
        return (*_head(message), message.flags, message.cut, *times, *sides)
    if isinstance(message, Trade):
        price = message.price * Fraction(10) ** message.price_exponent
        size = message.size * Fraction(10) ** message.size_exponent
        times = (message.exchange_timestamp_us, message.feed_timestamp_us)
        return (*_head(message), message.flags, message.trade_id, *times, price, size)
    if isinstance(message, Instrument):
        pairs = (
            (message.tick, message.tick_exponent),
            (message.lot, message.lot_exponent),
            (message.multiplier, message.multiplier_exponent),
        )
        return (*_head(message), message.flags, *(m * Fraction(10) ** e for m, e in pairs))
    return (message,)


def _head(message: Any) -> tuple:
    return (type(message), message.sequence, message.timestamp_us, message.exchange_id, message.symbol)


@given(st.one_of(BOOKS, TRADES, INSTRUMENTS, STATUSES, HEARTBEATS))
def test_text_and_binary_say_the_same(message: Message) -> None:
    """A message that goes through text decodes to the values that its binary form decodes to."""
    (binary,), _ = decode_datagram(encode(message))
    (through,), reason = decode_datagram(text_to_binary(to_text(message)))
    assert reason is None
    assert values(through) == values(binary)


def test_reads_the_example_of_the_protocol() -> None:
    """The example of the protocol's text gives the values that it shows."""
    data = b"""{"seq":"7","ts_us":"1723161255088176","exchange":"binance","type":"book","symbol":"BTC-USDT",
     "flags":["last"],"exchange_ts_us":"1723161256322000","feed_ts_us":"1723161255088176",
     "bids":[["61800.30","0.006"]],"asks":[]}"""
    t = 1723161255088176
    assert from_text(data) == OrderBook(7, t, 0, "BTC-USDT", 2, -2, -3, 0, 1723161256322000, t, ((6180030, 6),), ())


@pytest.mark.parametrize("name", MESSAGES)
def test_golden_messages_have_a_text(name: str) -> None:
    """Each golden message goes through text; its 64-bit integers and decimals are strings."""
    row = json.loads(to_text(MESSAGES[name]))
    assert isinstance(row["seq"], str) and isinstance(row["ts_us"], str)
    assert values(from_text(to_text(MESSAGES[name]))) == values(MESSAGES[name])


def changed(name: str, **fields: Any) -> bytes:
    return json.dumps(json.loads(to_text(MESSAGES[name])) | fields).encode()


def without(name: str, field: str) -> bytes:
    row = json.loads(to_text(MESSAGES[name]))
    del row[field]
    return json.dumps(row).encode()


WRONG = {
    "not JSON": b"{",
    "expected a JSON object": b"[1]",
    "expected one of book": changed("trade", type="quote"),
    "found \\['book'\\]": changed("trade", type=["book"]),
    "exchange: expected one of": changed("trade", exchange="nyse"),
    "price is missing": without("trade", "price"),
    "'high' is missing or not known|high is missing or not known": changed("trade", side="high"),
    "expected a decimal number": changed("trade", price="nan"),
    "expected a text, found 5": changed("trade", symbol=5),
    "expected a text, found None": changed("status", text=None),
    "from 0 to 255, found 256": changed("status", code=256),
    "found 9223372036854775808": changed("trade", ts_us=str(2**63)),
    "from 0 to 18446744073709551615, found -1": changed("trade", trade_id="-1"),
    "expected an integer, found 1.5": changed("heartbeat", session=1.5),
    "expected an integer, found True": changed("heartbeat", session=True),
    "does not fit 64 bits": changed("book", bids=[["1e18", "1"], ["1e-5", "1"]]),
    "exponent: expected": changed("trade", size="1e-200"),
    "at most 64 bytes": changed("trade", symbol="x" * 65),
    "surrogates not allowed": changed("trade", symbol="\ud800"),
}


@pytest.mark.parametrize("reason", WRONG)
def test_wrong_text_is_refused_with_its_reason(reason: str) -> None:
    """Whatever is no message raises ValueError that says what is wrong with it."""
    with pytest.raises(ValueError, match=reason):
        text_to_binary(WRONG[reason])


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**65), 2**65), st.floats(), st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=4,
)


@given(st.sampled_from(sorted(MESSAGES)), st.data())
def test_no_field_of_any_kind_gets_through_as_another_error(name: str, data: st.DataObject) -> None:
    """A field of whatever type gives a message or ValueError, never another error that would end a thread."""
    row = json.loads(to_text(MESSAGES[name]))
    row[data.draw(st.sampled_from(sorted(row)))] = data.draw(JSON)
    try:
        decode_datagram(text_to_binary(json.dumps(row).encode()))
    except ValueError as error:
        assert str(error)


@given(st.binary(max_size=40).map(lambda data: b"{" + data))
def test_no_bytes_give_another_error(data: bytes) -> None:
    """Any bytes after the brace give ValueError."""
    with pytest.raises(ValueError):
        text_to_binary(data)


def test_status_and_heartbeat_are_equal_as_they_are() -> None:
    """Types without decimals come back as equal messages."""
    for name, kind in (("status", Status), ("heartbeat", Heartbeat)):
        assert from_text(to_text(MESSAGES[name])) == MESSAGES[name]
        assert isinstance(MESSAGES[name], kind)

"""Recorded connections of Kraken: checksums, depth, and what is wrong with messages."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import pytest

from libs.venues.core import Refused
from libs.venues.events import BUYER, SELLER, BookEvent
from libs.venues.kraken import KrakenCore, canonical, native
from tests.libs.venues.captures import compact, feed, shown

NAME = "BTC-EUR"


def sum_of(asks: list[list[str]], bids: list[list[str]]) -> str:
    words = [text.replace(".", "").lstrip("0") for rows in (asks, bids) for row in rows[:10] for text in row[:2]]
    return str(crc32("".join(words).encode()))


def told(*payloads: dict[str, Any], channel: str = "book-10") -> list[Any]:
    return [1, *payloads, channel, "XBT/EUR"]


ASKS = [[f"{101 + k}.50", "0.10000000", "5.5"] for k in range(10)]
BIDS = [[f"{100 - k}.50", "2.00000000", "6.25"] for k in range(10)]


@pytest.fixture
def core() -> KrakenCore:
    made = KrakenCore([NAME])
    made.opened(0)
    (event,) = feed(made, told({"as": ASKS, "bs": BIDS}))
    assert isinstance(event, BookEvent)
    assert event.snapshot
    assert event.exchange_ts_us == 6_250_000
    return made


def test_checksums_of_ten_levels(core: KrakenCore) -> None:
    """A level that is pushed out of the depth is gone without a word; both sides may come in two payloads."""
    better = ["101.25", "7.00000000", "7.5"]
    bid = ["100.75", "1.00000000", "7.5"]
    asks, bids = [better, *ASKS[:9]], [bid, *BIDS[:9]]
    assert len(feed(core, told({"a": [better]}, {"b": [bid], "c": sum_of(asks, bids)}))) == 1
    gone = ["101.25", "0.00000000", "8.5"]
    assert len(feed(core, told({"a": [gone], "c": sum_of(ASKS[:9], bids)}))) == 1
    assert core.counts["checksum_ok"] == 2


def test_a_wrong_checksum_costs_the_book(core: KrakenCore) -> None:
    """Nothing of it is used until the next snapshot."""
    found = feed(core, told({"a": [["101.50", "1.0", "7"]], "c": "1"}))
    assert shown(found) == [("status", NAME, 2)]
    assert feed(core, told({"a": [["101.50", "1.0", "7"]], "c": "1"})) == []
    assert (core.counts["checksum_bad"], core.counts["before_snapshot"]) == (1, 1)
    assert len(feed(core, told({"as": ASKS, "bs": BIDS}))) == 1


def test_trades(core: KrakenCore) -> None:
    """b bought, s sold."""
    rows = [["10.5", "1", "5.25", "b", "l", ""], ["10.5", "1", "5.5", "s", "m", ""]]
    assert [f[3] for f in shown(feed(core, [1, rows, "trade", "XBT/EUR"]))] == [BUYER, SELLER]


@pytest.mark.parametrize(
    "message", [[1, 2], told({"a": [["-1", "1", "5"]]}), [1, [["x", "1", "5", "b"]], "trade", "XBT/EUR"]]
)
def test_what_makes_no_sense_is_refused(core: KrakenCore, message: Any) -> None:
    """Never an exception."""
    assert any(isinstance(o, Refused) for o in core.received(compact(message), 5))


def test_names() -> None:
    """XBT is BTC."""
    assert (canonical("XBT/EUR"), native("BTC-EUR")) == ("BTC-EUR", "XBT/EUR")
    for wrong in ("XBTEUR", "BTC-EUR"):
        with pytest.raises(ValueError, match="XBT/EUR"):
            canonical(wrong)
    with pytest.raises(ValueError, match="BTC-EUR"):
        native("BTC-USD-PERP")

"""Messages of one Binance symbol to events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from libs.venues.binance import Market, SymbolFeed, Units
from libs.venues.binance.messages import DECODERS, decode_snapshot
from libs.venues.events import BUYER, CUT_ASKS, CUT_BIDS, SELLER, BookEvent, StatusEvent, TradeEvent


def depth(first: int, last: int, bids: list[Any], asks: list[Any], **more: int) -> Any:
    m = {"e": "depthUpdate", "E": 17, "s": "BTCUSDT", "U": first, "u": last, "b": bids, "a": asks} | more
    return DECODERS["depth"](json.dumps(m).encode())


def snapshot(last: int, bids: list[Any], asks: list[Any], **more: int) -> Any:
    return decode_snapshot(json.dumps({"lastUpdateId": last, "bids": bids, "asks": asks} | more).encode())


def trade(kind: str, number: int, *, maker: bool, price: str = "61800.30", size: str = "0.006") -> Any:
    m = {"e": kind, "s": "BTCUSDT", "t": number, "a": number, "p": price, "q": size, "T": 5, "m": maker}
    return DECODERS[kind](json.dumps(m).encode())


@pytest.fixture
def feed() -> SymbolFeed:
    return SymbolFeed("BTCUSDT", Market.SPOT, Units(-2, -5), snapshot_limit=3)


def test_snapshot_comes_first_then_kept_diffs_at_its_feed_time(feed: SymbolFeed) -> None:
    """Diffs from before the snapshot follow it, stamped with its feed time."""
    assert feed.depth(depth(1, 2, [["1.00", "1"]], []), 100) == []
    assert feed.depth(depth(3, 4, [["2.00", "1"]], []), 110) == []
    events = feed.snapshot(snapshot(2, [["3.00", "1"]], [["4.00", "2"]]), 120)
    assert [(e.snapshot, e.feed_ts_us) for e in events if isinstance(e, BookEvent)] == [(True, 120), (False, 120)]
    assert events[1].levels.tolist() == [200, 100_000]
    assert events[1].exchange_ts_us == 17_000
    assert feed.counts["depth_kept"] == 1


def test_gap_is_told_and_a_new_snapshot_heals(feed: SymbolFeed) -> None:
    """Status 2 at the gap; until the next snapshot no diff comes out."""
    feed.snapshot(snapshot(2, [], []), 1)
    assert len(feed.depth(depth(3, 3, [], []), 2)) == 1
    (status,) = feed.depth(depth(6, 6, [], []), 3)
    assert isinstance(status, StatusEvent)
    assert status.code == 2
    assert feed.depth(depth(7, 7, [], []), 4) == []
    healed = feed.snapshot(snapshot(6, [], []), 5)
    assert [type(e) for e in healed] == [BookEvent, BookEvent]


def test_unasked_snapshot_follows_status_2(feed: SymbolFeed) -> None:
    """A snapshot on a valid book is announced; one that is older than the book is not used."""
    feed.snapshot(snapshot(10, [], []), 1)
    assert feed.snapshot(snapshot(9, [], []), 2) == []
    assert [type(e) for e in feed.snapshot(snapshot(12, [], []), 3)] == [StatusEvent, BookEvent]


def test_cut_says_which_side_had_as_many_levels_as_were_asked_for(feed: SymbolFeed) -> None:
    """A side with fewer levels than the limit is the whole side."""
    three = [["3", "1"], ["2", "1"], ["1", "1"]]
    assert feed.snapshot(snapshot(1, three, three[:2]), 1)[0].cut == CUT_BIDS
    assert feed.snapshot(snapshot(2, three[:2], three), 1)[-1].cut == CUT_ASKS
    assert feed.snapshot(snapshot(3, three, three), 1)[-1].cut == CUT_BIDS | CUT_ASKS


def test_aggressor_is_the_seller_when_the_buyer_made_the_market(feed: SymbolFeed) -> None:
    """m true: the seller took."""
    (sold,) = feed.trade(trade("trade", 1, maker=True), 9)
    (bought,) = feed.trade(trade("trade", 2, maker=False), 9)
    assert isinstance(sold, TradeEvent)
    assert (sold.aggressor, bought.aggressor) == (SELLER, BUYER)
    assert (sold.price, sold.price_exponent, sold.size, sold.size_exponent) == (6_180_030, -2, 6, -3)
    assert (sold.exchange_ts_us, sold.feed_ts_us) == (5000, 9)


def test_a_jump_in_trade_ids_is_told_and_old_ids_are_dropped(feed: SymbolFeed) -> None:
    """Status 8 stands before the print that follows missing ones; a print that was seen comes once."""
    feed.trade(trade("trade", 5, maker=True), 1)
    assert feed.trade(trade("trade", 5, maker=True), 2) == []
    assert [type(e) for e in feed.trade(trade("trade", 7, maker=True), 3)] == [StatusEvent, TradeEvent]


def test_what_was_not_traded_in_the_book_is_no_print(feed: SymbolFeed) -> None:
    """An insurance fund's id is one of the chain."""
    fund = {"e": "trade", "s": "BTCUSDT", "t": 6, "p": "0", "q": "0", "T": 5, "m": True, "X": "INSURANCE_FUND"}
    assert len(feed.trade(trade("trade", 5, maker=True), 1)) == 1
    assert feed.trade(DECODERS["trade"](json.dumps(fund).encode()), 2) == []  # type: ignore[arg-type]
    assert [type(e) for e in feed.trade(trade("trade", 7, maker=True), 3)] == [TradeEvent]


def test_two_kinds_of_trades_are_never_mixed(feed: SymbolFeed) -> None:
    """aggTrade holds the same matches as trade: the kind that came first is used."""
    assert feed.trade(trade("aggTrade", 5, maker=True), 1)
    assert feed.trade(trade("trade", 900, maker=True), 2) == []


def test_a_finer_level_makes_only_its_own_message_finer(feed: SymbolFeed) -> None:
    """The unit is the instrument's; a message that needs more decimals has them."""
    feed.snapshot(snapshot(1, [["1.00", "1"]], []), 1)
    (fine,) = feed.depth(depth(2, 2, [["1.00125", "1"]], []), 2)
    (coarse,) = feed.depth(depth(3, 3, [["1.00", "1"]], []), 3)
    assert (fine.price_exponent, coarse.price_exponent) == (-5, -2)
    assert fine.levels.tolist() == [100_125, 100_000]
    guessing = SymbolFeed("BTCUSDT", Market.SPOT)
    guessing.snapshot(snapshot(1, [["1.25", "1"]], []), 1)
    assert guessing.depth(depth(2, 2, [["1", "1"]], []), 2)[0].price_exponent == -2

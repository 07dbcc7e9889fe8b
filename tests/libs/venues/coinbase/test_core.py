"""Coinbase Advanced Trade: one sequence for all, makers' sides, huge snapshots; and Exchange, which has no sequence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from libs.venues.coinbase import ADVANCED, EXCHANGE, CoinbaseCore, ExchangeCore
from libs.venues.core import Close, Refused, Send
from libs.venues.events import BUYER, SELLER, BookEvent
from tests.libs.venues.captures import compact, feed, shown

NAME, OTHER = "BTC-USD", "ETH-USD"
TIME = "2026-08-09T21:05:48.228568Z"


def message(number: int, channel: str, *events: dict[str, Any]) -> dict[str, Any]:
    return {"channel": channel, "timestamp": TIME, "sequence_num": number, "events": list(events)}


def level(side: str, price: str, size: str) -> dict[str, str]:
    return {"side": side, "event_time": TIME, "price_level": price, "new_quantity": size}


def book(number: int, kind: str, *updates: dict[str, str], name: str = NAME) -> dict[str, Any]:
    return message(number, "l2_data", {"type": kind, "product_id": name, "updates": list(updates)})


def trades(number: int, kind: str, *ids: int, **more: str) -> dict[str, Any]:
    plain = {"product_id": NAME, "price": "10.50", "size": "2", "time": TIME, "side": "BUY"} | more
    return message(number, "market_trades", {"type": kind, "trades": [plain | {"trade_id": str(i)} for i in ids]})


@pytest.fixture
def core() -> CoinbaseCore:
    made = CoinbaseCore([NAME, OTHER])
    made.opened(0)
    feed(made, book(0, "snapshot", level("bid", "1.5", "2"), level("offer", "2", "1")), book(1, "snapshot", name=OTHER))
    return made


def test_what_is_subscribed() -> None:
    """Heartbeats keep idle channels open; ten products a connection."""
    sends = [json.loads(o.text) for o in CoinbaseCore([NAME]).opened(0) if isinstance(o, Send)]
    assert [s["channel"] for s in sends] == ["heartbeats", "level2", "market_trades"]
    assert sends[1] == {"type": "subscribe", "product_ids": [NAME], "channel": "level2"}
    assert [len(some) for some in ADVANCED.connections([f"A{k}-USD" for k in range(25)])] == [10, 10, 5]


def test_updates_are_exact(core: CoinbaseCore) -> None:
    """Both sides in one array; the time that the message names, to the microsecond."""
    (event,) = feed(core, book(2, "update", level("offer", "2.25", "0.5"), level("bid", "1.5", "0")))
    assert isinstance(event, BookEvent)
    assert (event.bids, event.asks, event.levels.tolist(), event.price_exponent) == (1, 1, [150, 0, 225, 5], -2)
    assert event.exchange_ts_us == 1786309548228568


def test_a_missing_message_costs_every_book_of_the_connection(core: CoinbaseCore) -> None:
    """Status 2 and 8 for each, new subscriptions, nothing before the snapshots."""
    found = shown(feed(core, book(4, "update", level("bid", "1", "1"))))
    assert [f for f in found if isinstance(f, tuple)] == [
        ("status", NAME, 2), ("status", OTHER, 2), ("status", NAME, 8), ("status", OTHER, 8),
    ]  # fmt: skip
    assert not core.synchronised(NAME)
    assert core.counts["before_snapshot"] == 1
    assert shown(feed(core, book(5, "snapshot", level("bid", "1", "1"))))[0][0] == "book"
    assert core.synchronised(NAME)
    assert not core.synchronised(OTHER)


def test_what_came_already_is_dropped(core: CoinbaseCore) -> None:
    """By the number of the connection."""
    assert feed(core, book(1, "update", level("bid", "1", "1"))) == []
    assert core.counts["old"] == 1


def test_the_side_is_the_makers_and_old_prints_are_remembered(core: CoinbaseCore) -> None:
    """A maker who sells has met a buyer; a jump in ids is told."""
    found = shown(
        feed(core, trades(2, "snapshot", 7, 6), trades(3, "update", 9, 8, side="SELL"), trades(4, "update", 12))
    )
    assert [f[0] for f in found] == ["trade", "trade", "status", "trade"]
    assert [(f[2], f[3]) for f in found if f[0] == "trade"] == [(8, BUYER), (9, BUYER), (12, SELLER)]
    assert core.counts["trade_old"] == 2


def test_one_book_is_resubscribed_alone(core: CoinbaseCore) -> None:
    """Once, however often it is asked."""
    found = core.resync(NAME, "test", 5)
    assert [json.loads(o.text)["type"] for o in found if isinstance(o, Send)] == ["unsubscribe", "subscribe"]
    assert core.resync(NAME, "test", 6) == []
    assert core.synchronised(OTHER)
    assert len(core.tick(9_900_000)) == 0
    core.received(compact(message(2, "heartbeats", {"heartbeat_counter": "1"})), 9_950_000)
    assert len([o for o in core.tick(10_100_000) if isinstance(o, Send)]) == 2


def test_silence_closes(core: CoinbaseCore) -> None:
    """Heartbeats come every second."""
    core.received(compact(message(2, "heartbeats", {"heartbeat_counter": "1"})), 1_000_000)
    assert core.last_heard_us() == (1_000_000, 1_000_000)
    assert core.tick(11_000_000) == [Close("coinbase: no heartbeat")]


WRONG = {
    "[1": "message",
    "{}": "expected channel",
    '{"type":"error","message":"channel x is not supported"}': "not supported",
    '{"channel":"l2_data","events":[]}': "sequence_num",
    json.dumps(book(2, "other")): "type snapshot or update",
    json.dumps(book(2, "update", level("buy side", "1", "1"))): "side bid or offer",
    json.dumps(book(2, "update", level("bid", "1", "-1"))): "not negative",
    json.dumps(trades(2, "update", 3, side="x")): "BUY or SELL",
    json.dumps(trades(2, "update", 3, price="x")): "decimal",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_makes_no_sense_is_refused_by_name(core: CoinbaseCore, text: str) -> None:
    """One Refused that names the field."""
    found = core.received(text.encode(), 5)
    (reason,) = [o.reason for o in found if isinstance(o, Refused)]
    assert WRONG[text] in reason
    if "price_level" in text:
        assert not core.synchronised(NAME)
        assert core.synchronised(OTHER)


def test_the_lists_of_products() -> None:
    """Aliases make no second book; what does not trade is left out."""
    one = {"product_id": "BTC-USD", "base_increment": "0.00000001", "quote_increment": "0.01",
           "price_increment": "0.01", "status": "online", "product_type": "SPOT", "alias": ""}  # fmt: skip
    others = [one | {"product_id": "BTC-USDC", "alias": "BTC-USD"}, one | {"product_id": "X-USD", "is_disabled": True}]
    ((name, instrument),) = ADVANCED.instruments(compact({"products": [one, *others]}))
    assert (name, str(instrument)) == ("BTC-USD", "coinbase BTC-USD: tick 0.01, lot 0.00000001, multiplier 1, linear")
    pair = {"id": "BTC-USD", "base_increment": "0.00000001", "quote_increment": "0.01", "status": "online"}
    assert [n for n, _ in EXCHANGE.instruments(compact([pair, pair | {"id": "X-USD", "status": "delisted"}]))] == [
        "BTC-USD"
    ]
    for rules in (ADVANCED, EXCHANGE):
        with pytest.raises(ValueError, match="list of products"):
            rules.instruments(b'{"x":1}')
    with pytest.raises(ValueError, match="BTC-USD-PERP"):
        ADVANCED.native("BTC-USD-PERP")


@pytest.fixture
def flat() -> ExchangeCore:
    made = ExchangeCore([NAME, OTHER])
    made.opened(0)
    feed(made, {"type": "snapshot", "product_id": NAME, "bids": [["1.5", "2"]], "asks": [["2", "1"]]})
    return made


def match(number: int, **more: Any) -> dict[str, Any]:
    return {
        "type": "match",
        "trade_id": number,
        "side": "sell",
        "size": "1",
        "price": "2",
        "product_id": NAME,
        "time": TIME,
    } | more


def test_exchange_changes_and_matches(flat: ExchangeCore) -> None:
    """No sequence proves a book whole, and that is said; trades are counted."""
    change = {
        "type": "l2update",
        "product_id": NAME,
        "changes": [["sell", "2.5", "1"], ["buy", "1.5", "0"]],
        "time": TIME,
    }
    (event,) = feed(flat, change)
    assert isinstance(event, BookEvent)
    assert event.levels.tolist() == [15, 0, 25, 1]
    found = shown(feed(flat, match(4, type="last_match"), match(5), match(8, side="buy")))
    assert [(f[0], f[3]) if f[0] == "trade" else f for f in found] == [
        ("trade", BUYER),
        ("status", NAME, 8),
        ("trade", SELLER),
    ]
    assert any("no sequence" in line for line in flat.unverifiable)


def test_exchange_heartbeats_name_the_last_trade(flat: ExchangeCore) -> None:
    """One that has not come by the next heartbeat is missing; in between it may still be on its way."""
    feed(flat, match(5))
    beat = {"type": "heartbeat", "product_id": NAME, "last_trade_id": 6, "time": TIME}
    assert feed(flat, beat) == []
    assert shown(feed(flat, beat)) == [("status", NAME, 8)]
    assert [f[0] for f in shown(feed(flat, match(7)))] == ["trade"]


def test_exchange_waits_for_its_snapshot(flat: ExchangeCore) -> None:
    """A change before it is dropped; a resync of one book leaves the other."""
    assert feed(flat, {"type": "l2update", "product_id": OTHER, "changes": [["buy", "1", "1"]]}) == []
    sends = [json.loads(o.text) for o in flat.resync(NAME, "test", 5) if isinstance(o, Send)]
    assert sends[1] == {"type": "subscribe", "product_ids": [NAME], "channels": ["level2_batch"]}
    assert flat.tick(10_000_100) == [Close("coinbase: no heartbeat")]


FLAT_WRONG = {
    '{"type":"error","message":"Failed to subscribe","reason":"x is not a channel"}': "x is not a channel",
    '{"type":"l2update","product_id":"BTC-USD"}': "changes",
    '{"type":"l2update","product_id":"BTC-USD","changes":[["up","1","1"]]}': "buy|sell",
    '{"type":"snapshot","product_id":"BTC-USD","bids":[]}': "bids and asks",
    json.dumps(match(1, side="x")): "side buy or sell",
    json.dumps(match(1, price="x")): "decimal",
}


@pytest.mark.parametrize("text", FLAT_WRONG)
def test_exchange_refuses_what_makes_no_sense(flat: ExchangeCore, text: str) -> None:
    """One Refused that names the field."""
    found = flat.received(text.encode(), 5)
    (reason,) = [o.reason for o in found if isinstance(o, Refused)]
    assert FLAT_WRONG[text] in reason
    assert flat.synchronised(NAME) == ("product_id" not in text or "match" in text)

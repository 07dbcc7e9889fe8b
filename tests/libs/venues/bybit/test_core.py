"""Bybit's connection: update ids, restarts, trades, pings, and what is wrong with messages; its names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from libs.venues.bybit import INVERSE, LINEAR, SPOT, BybitCore
from libs.venues.bybit.symbols import last_friday
from libs.venues.core import Close, Refused, Send
from libs.venues.events import BUYER, CUT_ASKS, SELLER, BookEvent
from tests.libs.venues.captures import compact, feed, shown

NAME, OTHER = "BTC-USDT-PERP", "ETH-USDT-PERP"


def book(
    kind: str, update: int, bids: list[Any], asks: list[Any], name: str = "BTCUSDT", **more: Any
) -> dict[str, Any]:
    data = {"s": name, "b": bids, "a": asks, "u": update, "seq": 9} | more
    return {"topic": f"orderbook.200.{name}", "type": kind, "ts": 8, "data": data, "cts": 7}


def prints(*trades: dict[str, Any]) -> dict[str, Any]:
    plain = {"T": 5, "s": "BTCUSDT", "S": "Buy", "v": "0.5", "p": "10.50", "i": "a9188a0a-82bc"}
    return {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 5, "data": [plain | t for t in trades]}


@pytest.fixture
def core() -> BybitCore:
    made = BybitCore([NAME, OTHER])
    made.opened(0)
    return made


def test_topics_are_subscribed_in_batches() -> None:
    """Ten a request for spot, which refuses more as a whole."""
    sends = [
        json.loads(o.text)
        for o in BybitCore([f"A{k}-USDT" for k in range(12)], rules=SPOT).opened(0)
        if isinstance(o, Send)
    ]
    assert [len(s["args"]) for s in sends] == [10, 10, 4]
    assert sends[0] == {"op": "subscribe", "args": [f"orderbook.200.A{k}USDT" for k in range(10)]}
    assert sends[-1]["args"][-1] == "publicTrade.A11USDT"
    with pytest.raises(ValueError, match="depth of 50, 200, 1000"):
        BybitCore([NAME], depth=20)


def test_deltas_follow_by_one(core: BybitCore) -> None:
    """Exact decimals, the engine's time; the same id again is old."""
    found = feed(
        core,
        book("snapshot", 10, [["1.5", "2"]], []),
        book("delta", 11, [], [["1.75", "3"]]),
        book("delta", 11, [], []),
    )
    assert [type(o) for o in found] == [BookEvent, BookEvent]
    assert (found[1].price_exponent, found[1].levels.tolist(), found[1].exchange_ts_us) == (-2, [175, 3], 7000)
    assert core.counts["old"] == 1
    assert core.synchronised(NAME)
    assert not core.synchronised(OTHER)


def test_a_gap_resyncs_that_symbol_only(core: BybitCore) -> None:
    """Status 2, a new subscription, nothing before its snapshot."""
    feed(core, book("snapshot", 10, [], []), book("snapshot", 7, [], [], "ETHUSDT"))
    found = feed(core, book("delta", 12, [], []), book("delta", 13, [["1", "1"]], []))
    assert shown(found)[0] == ("status", NAME, 2)
    assert [json.loads(o.text)["op"] for o in found if isinstance(o, Send)] == ["unsubscribe", "subscribe"]
    assert core.counts["before_snapshot"] == 1
    assert core.synchronised(OTHER)
    assert len(feed(core, book("snapshot", 14, [], []), book("delta", 15, [], []))) == 2
    assert core.counts["gap"] == core.counts["resync"] == 1


def test_a_restarted_service_begins_again_at_one(core: BybitCore) -> None:
    """A snapshot on a valid book is preceded by Status 2."""
    feed(core, book("snapshot", 500, [["1", "1"]], []))
    found = shown(feed(core, book("snapshot", 1, [["2", "1"]], []), book("delta", 2, [], [])))
    assert [f[0] for f in found] == ["status", "book", "book"]


def test_a_snapshot_that_does_not_come_is_asked_for_again(core: BybitCore) -> None:
    """After 5 s, then after longer; a resync meanwhile asks for nothing more."""
    assert core.tick(4_999_999) == []
    assert len(core.tick(5_000_000)) == 4
    assert core.tick(14_000_000) == []
    assert not any(isinstance(o, Send) for o in core.resync(NAME, "test", 14_000_001))
    assert len(core.tick(15_000_000)) == 4


def test_a_side_with_as_many_levels_as_there_can_be_goes_on(core: BybitCore) -> None:
    """200 of them."""
    deep = [[str(1000 + k), "1"] for k in range(200)]
    (event,) = feed(core, book("snapshot", 1, [["1", "1"]], deep))
    assert isinstance(event, BookEvent)
    assert event.cut == CUT_ASKS


def test_trades_are_the_takers(core: BybitCore) -> None:
    """Without a sequence: every one is new, and the venue's words say that none can be missed visibly."""
    found = shown(feed(core, prints({}, {"S": "Sell", "i": "2290000000064683805"})))
    assert [f[3] for f in found] == [BUYER, SELLER]
    assert found[1][2] == 2290000000064683805
    assert any("no sequence" in line for line in core.unverifiable)
    assert ("status", NAME, 8) in shown(core.closed(9))


def test_pings_and_silence(core: BybitCore) -> None:
    """A ping after 20 s; no answer in 10 s more closes the connection."""
    feed(core, book("snapshot", 1, [], []), book("snapshot", 1, [], [], "ETHUSDT"))
    assert core.tick(20_000_000) == [Send('{"op":"ping"}')]
    assert core.received(b'{"success":true,"ret_msg":"pong","op":"ping"}', 20_100_000) == []
    assert core.last_heard_us() == (20_100_000, 20_100_000)
    assert core.tick(40_000_000) == [Send('{"op":"ping"}')]
    assert core.tick(50_000_000) == [Close("bybit: no answer to a ping")]


WRONG = {
    "[1": "message",
    "{}": "expected topic or op",
    '{"success":false,"ret_msg":"error:handler not found,topic:orderbook.200.X","op":"subscribe"}': "handler not found",
    json.dumps(book("other", 2, [], [])): "type snapshot or delta",
    json.dumps(book("delta", 2, [["-1", "1"]], [])): "levels",
    '{"topic":"orderbook.200.BTCUSDT","type":"delta","data":{"b":[],"a":[]}}': "`u`",
    json.dumps(prints({"S": "None"})): "Buy or Sell",
    json.dumps(prints({"p": "NaN"})): "decimal",
    json.dumps(prints({"v": "0"})): "above 0",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_makes_no_sense_is_refused_by_name(core: BybitCore, text: str) -> None:
    """One Refused that names the field; a book that lost a message is invalid, the other stays."""
    feed(core, book("snapshot", 1, [], []), book("snapshot", 7, [], [], "ETHUSDT"))
    found = core.received(text.encode(), 5)
    (reason,) = [o.reason for o in found if isinstance(o, Refused)]
    assert WRONG[text] in reason
    assert core.synchronised(OTHER)
    assert core.synchronised(NAME) != ("orderbook.200.BTC" in text)
    assert (("status", NAME, 8) in shown(found)) == ("publicTrade" in text)


NAMES = [
    (SPOT, "BTC-USDT", "BTCUSDT"), (LINEAR, "BTC-USDT-PERP", "BTCUSDT"), (LINEAR, "BTC-USDC-PERP", "BTCPERP"),
    (LINEAR, "BTC-USDT-20261225", "BTCUSDT-25DEC26"), (LINEAR, "BTC-USDC-20260306", "BTC-6MAR26"),
    (INVERSE, "BTC-USD-PERP", "BTCUSD"), (INVERSE, "BTC-USD-20261225", "BTCUSDZ26"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "symbol", "name"), NAMES)
def test_names_both_ways(rules: Any, symbol: str, name: str) -> None:
    """Each category has its own."""
    assert rules.native(symbol) == name
    assert rules.canonical(name) == symbol


@pytest.mark.parametrize(
    ("rules", "symbol"), [(SPOT, "BTC-USDT-PERP"), (LINEAR, "BTC-USD-PERP"), (INVERSE, "BTC-USDT"), (SPOT, "x")]
)
def test_what_a_category_does_not_have(rules: Any, symbol: str) -> None:
    """Said by name."""
    with pytest.raises(ValueError, match=rules.category):
        rules.native(symbol)


def test_inverse_futures_end_on_the_last_friday() -> None:
    """Of March, June, September and December."""
    assert [last_friday(2026, month).isoformat() for month in (3, 6, 9, 12)] == [
        "2026-03-27",
        "2026-06-26",
        "2026-09-25",
        "2026-12-25",
    ]


def test_the_list_of_instruments() -> None:
    """What trades and has a name that leads back to it."""
    entry = {
        "symbol": "BTCUSDT", "status": "Trading", "baseCoin": "BTC", "quoteCoin": "USDT",
        "contractType": "LinearPerpetual",
        "deliveryTime": "0", "priceFilter": {"tickSize": "0.10"}, "lotSizeFilter": {"qtyStep": "0.001"},
    }  # fmt: skip
    dated = entry | {"symbol": "BTCUSDT-25DEC26", "deliveryTime": "1798185600000"}
    others = [entry | {"symbol": "OLDUSDT", "status": "Closed"}, entry | {"symbol": "BTCX"}]
    answer = {"retCode": 0, "retMsg": "OK", "result": {"category": "linear", "list": [entry, dated, *others]}}
    found = LINEAR.instruments(compact(answer))
    assert [str(i) for _, i in found] == [
        "bybit BTC-USDT-PERP: tick 0.1, lot 0.001, multiplier 1, linear",
        "bybit BTC-USDT-20261225: tick 0.1, lot 0.001, multiplier 1, linear",
    ]
    for body, words in ((b"[]", "list of instruments"), (compact({"retCode": 10001, "retMsg": "bad"}), "10001: bad")):
        with pytest.raises(ValueError, match=words):
            LINEAR.instruments(body)

"""Binance's connection: splice, gaps, trades, the witness, and what is wrong with messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from libs.venues.binance import COINM, SPOT, USDM, BinanceCore
from libs.venues.core import Close, Fetch, Refused, Send, TopEvent
from libs.venues.events import BUYER, CUT_BIDS, SELLER, BookEvent
from tests.libs.venues.captures import compact, feed, shown

NAME, OTHER = "BTC-USDT", "ETH-USDT"


def depth(first: int, last: int, bids: list[Any], asks: list[Any], **more: Any) -> dict[str, Any]:
    name = more.pop("name", "BTCUSDT")
    data = {"e": "depthUpdate", "E": 7, "s": name, "U": first, "u": last, "b": bids, "a": asks} | more
    return {"stream": f"{name.lower()}@depth@100ms", "data": data}


def trade(number: int, **more: Any) -> dict[str, Any]:
    data = {"e": "trade", "s": "BTCUSDT", "t": number, "p": "10.50", "q": "2", "T": 9, "m": False} | more
    return {"stream": "btcusdt@trade", "data": data}


def rest(last: int, bids: list[Any], asks: list[Any], **more: Any) -> bytes:
    return compact({"lastUpdateId": last, "bids": bids, "asks": asks} | more)


@pytest.fixture
def core() -> BinanceCore:
    made = BinanceCore([NAME, OTHER])
    made.opened(0)
    return made


def begin(core: BinanceCore, last: int = 10) -> None:
    """Let the book stand on a snapshot."""
    feed(core, depth(last, last, [], []))
    core.answered(NAME, rest(last, [["1", "1"]], [["3", "1"]]), 5)
    assert core.synchronised(NAME)


def test_streams_are_subscribed_in_batches() -> None:
    """Books, trades and on request tickers, by the venue's own names."""
    core = BinanceCore([f"A{k}-USDT" for k in range(60)], witness=True)
    sends = [json.loads(o.text) for o in core.opened(0) if isinstance(o, Send)]
    assert [len(s["params"]) for s in sends] == [100, 80]
    assert sends[0]["method"] == "SUBSCRIBE"
    assert sends[0]["params"][0] == "a0usdt@depth@100ms"
    assert sends[1]["params"][-1] == "a59usdt@bookTicker"


def test_the_first_diff_asks_for_the_snapshot_that_it_is_spliced_to(core: BinanceCore) -> None:
    """Kept until then; what the snapshot has already is dropped; feed time is that of the snapshot."""
    found = core.received(compact(depth(8, 10, [["1", "5"]], [])), 1)
    assert found == [Fetch(NAME, "/api/v3/depth?symbol=BTCUSDT&limit=1000", 50)]
    assert feed(core, depth(11, 12, [["1.25", "5"]], []), depth(13, 14, [], [["3", "0"]])) == []
    found = core.answered(NAME, rest(11, [["1", "2"]], [["3", "4"]]), 77)
    assert [o[:3] for o in shown(found)] == [("book", NAME, True), ("book", NAME, False), ("book", NAME, False)]
    assert {o.feed_ts_us for o in found if isinstance(o, BookEvent)} == {77}
    assert core.position(NAME) == 14
    assert core.synchronised(NAME)
    assert not core.synchronised(OTHER)


def test_a_quiet_symbol_is_fetched_all_the_same(core: BinanceCore) -> None:
    """A second after opening, once; again after a failure, later each time."""
    assert core.tick(999_999) == []
    assert {o.symbol for o in core.tick(1_000_000) if isinstance(o, Fetch)} == {NAME, OTHER}
    assert core.tick(5_000_000) == []
    core.failed(NAME, 5_000_000)
    assert core.tick(5_400_000) == []
    assert [o.symbol for o in core.tick(5_500_000) if isinstance(o, Fetch)] == [NAME]
    core.failed(NAME, 6_000_000)
    assert core.tick(6_900_000) == []
    assert len(core.tick(7_000_000)) == 1


def test_a_snapshot_older_than_what_is_kept_is_fetched_again(core: BinanceCore) -> None:
    """It is never applied."""
    feed(core, depth(20, 22, [], []))
    assert core.answered(NAME, rest(18, [], []), 100) == []
    assert core.counts["snapshot_too_old"] == 1
    assert len(core.tick(600_100)) == 1
    assert core.answered(NAME, rest(21, [], []), 700_000)
    assert core.synchronised(NAME)


def test_a_gap_costs_that_symbol_its_book_until_a_new_snapshot(core: BinanceCore) -> None:
    """Status 2 and one fetch; the diffs after it are kept for that."""
    begin(core)
    found = feed(core, depth(13, 14, [], []))
    assert shown(found)[0] == ("status", NAME, 2)
    assert [type(o) for o in found[1:]] == [Fetch]
    assert feed(core, depth(15, 16, [["2", "9"]], [])) == []
    healed = core.answered(NAME, rest(14, [["1", "1"]], []), 9)
    assert [o[0] for o in shown(healed)] == ["book", "book"]
    assert core.counts["gap"] == core.by_symbol[NAME]["gap"] == 1


def test_duplicates_change_nothing(core: BinanceCore) -> None:
    """The same diff again is old."""
    begin(core)
    diff = depth(11, 12, [["1", "7"]], [])
    assert len(feed(core, diff, diff)) == 1
    assert core.counts["old"] == 1


@pytest.mark.parametrize(
    ("rules", "symbol", "name"), [(USDM, "BTC-USDT-PERP", "BTCUSDT"), (COINM, "BTC-USD-PERP", "BTCUSD_PERP")]
)
def test_futures_are_continuous_by_pu(rules: Any, symbol: str, name: str) -> None:
    """A snapshot may end where a diff does; then pu is the last u."""
    core = BinanceCore([symbol], rules=rules)
    core.opened(0)
    feed(core, depth(5, 9, [], [], name=name, pu=4, T=3))
    assert len(core.answered(symbol, rest(9, [["1", "1"]], [["2", "1"]], T=5), 1)) == 2
    (event,) = feed(core, depth(20, 25, [["1", "3"]], [], name=name, pu=9, T=6))
    assert isinstance(event, BookEvent)
    assert event.exchange_ts_us == 6000
    assert shown(feed(core, depth(40, 45, [], [], name=name, pu=30, T=6)))[0] == ("status", symbol, 2)
    (refused, *_) = feed(core, depth(46, 47, [], [], name=name, T=6))
    assert isinstance(refused, Refused)
    assert "pu" in refused.reason


def test_a_cut_snapshot_says_which_side_goes_on(core: BinanceCore) -> None:
    """A thousand levels are as many as were asked for."""
    feed(core, depth(1, 1, [], []))
    bids = [[str(5000 - k), "1"] for k in range(1000)]
    (event,) = core.answered(NAME, rest(1, bids, [["6000", "1"]]), 1)
    assert isinstance(event, BookEvent)
    assert event.cut == CUT_BIDS


def test_trades_have_the_takers_side_and_missing_ones_are_told(core: BinanceCore) -> None:
    """A maker who buys has met a seller; the kind of trade that came first is the kind that counts."""
    agg = {"stream": "btcusdt@aggTrade", "data": {"s": "BTCUSDT", "a": 1, "p": "1", "q": "1", "T": 9, "m": True}}
    found = shown(feed(core, trade(5), trade(6, m=True), agg, trade(6), trade(9)))
    assert [f[0] for f in found] == ["trade", "trade", "status", "trade"]
    assert [f[3] for f in found if f[0] == "trade"] == [BUYER, SELLER, BUYER]
    assert found[2] == ("status", NAME, 8)
    assert core.counts["trade_other_kind"] == core.counts["trade_dropped"] == 1


@pytest.mark.parametrize("kind", ["INSURANCE_FUND", "ADL", "NA"])
def test_what_was_not_traded_in_the_book_is_no_print(core: BinanceCore, kind: str) -> None:
    """Of any price, even 0; its id is one of the trades', so nothing is missing, and what is missing is told."""
    found = feed(core, trade(5), trade(6, X=kind, p="0", q="0"), trade(7, X="MARKET"))
    assert [f[:3] for f in shown(found)] == [("trade", NAME, 5), ("trade", NAME, 7)]
    found = feed(core, trade(9, X=kind), trade(10), trade(9, X=kind), trade(11))
    assert [f[:3] for f in shown(found)] == [("status", NAME, 8), ("trade", NAME, 10), ("trade", NAME, 11)]
    assert core.counts["trade_off_market"] == 3
    assert core.counts["trade_gap"] == 1


def test_a_ticker_is_a_witness(core: BinanceCore) -> None:
    """With the update id that a diff may share."""
    data = {"u": 12, "s": "BTCUSDT", "b": "1.50", "B": "2", "a": "3", "A": "0.5"}
    (top,) = feed(core, {"stream": "btcusdt@bookTicker", "data": data})
    assert top == TopEvent(NAME, 12, (15, -1), (2, 0), (3, 0), (5, -1), 0, 1)


def test_the_end_of_a_connection(core: BinanceCore) -> None:
    """Status 2 for what was valid, 8 for trades; the announced end closes; nothing old is applied afterwards."""
    begin(core)
    assert feed(core, {"e": "serverShutdown", "E": 1}) == [Close("binance: the server shuts down")]
    assert shown(core.closed(9))[0] == ("status", NAME, 2)
    core.opened(10)
    assert not core.synchronised(NAME)
    assert [type(o) for o in feed(core, depth(11, 12, [], []))] == [Fetch]


WRONG = {
    "[1": "message",
    "{}": "expected stream and data",
    '{"error":{"code":2,"msg":"bad request"},"id":1}': "bad request",
    '{"code":3,"msg":"Invalid JSON"}': "Invalid JSON",
    '{"stream":"btcusdt@depth@100ms","data":{"s":"BTCUSDT","U":11}}': "`u`",
    json.dumps(depth(12, 11, [], [])): "U at most u",
    json.dumps(depth(11, 11, [["x", "1"]], [])): "levels",
    json.dumps(depth(11, 11, [["1", "-1"]], [])): "levels",
    json.dumps(trade(1, p="nan")): "decimal",
    json.dumps(trade(1, q="0")): "above 0",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_makes_no_sense_is_refused_by_name(core: BinanceCore, text: str) -> None:
    """One Refused that names the field; a book that lost a message is invalid."""
    begin(core)
    found = core.received(text.encode(), 5)
    (reason,) = [o.reason for o in found if isinstance(o, Refused)]
    assert WRONG[text] in reason
    assert core.synchronised(NAME) != ("@depth" in text)
    assert (("status", NAME, 8) in shown(found)) == ("@trade" in text)


def test_answers_that_are_no_snapshot_are_refused(core: BinanceCore) -> None:
    """And asked for again."""
    feed(core, depth(1, 1, [], []))
    for body in (b"<html>", compact({"code": -1121, "msg": "Invalid symbol."}), rest(1, [["x", "1"]], [])):
        (refused,) = core.answered(NAME, body, 1)
        assert isinstance(refused, Refused)
    assert len(core.tick(10_000_000)) >= 1


def test_unknown_symbols_channels_and_fields_are_ignored(core: BinanceCore) -> None:
    """New fields change nothing."""
    begin(core)
    assert len(feed(core, depth(11, 11, [], [], new={"a": 1}))) == 1
    assert feed(core, depth(1, 1, [], [], name="XRPUSDT")) == []
    assert feed(core, {"stream": "btcusdt@kline_1m", "data": {}}) == []
    assert feed(core, {"result": None, "id": 1}) == []


NAMES = [
    (SPOT, "BTC-USDT", "BTCUSDT"), (SPOT, "1INCH-BTC", "1INCHBTC"), (USDM, "BTC-USDT-PERP", "BTCUSDT"),
    (USDM, "BTC-USDT-20261225", "BTCUSDT_261225"), (COINM, "BTC-USD-PERP", "BTCUSD_PERP"),
    (COINM, "BTC-USD-20261225", "BTCUSD_261225"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "symbol", "name"), NAMES)
def test_names_both_ways(rules: Any, symbol: str, name: str) -> None:
    """Each market has its own."""
    assert rules.native(symbol) == name
    assert rules.canonical(name) == symbol
    for other in (SPOT, USDM, COINM):
        if other is not rules and (rules, other) != (USDM, COINM):
            with pytest.raises(ValueError, match="expected a symbol such as"):
                other.native("BTC-USDT-PERP" if other is not USDM else "BTC-USDT")


def test_the_list_of_instruments() -> None:
    """What trades, with its steps; a COIN-M contract is worth so many dollars; what has no name is passed over."""
    filters = [{"filterType": "PRICE_FILTER", "tickSize": "0.10"}, {"filterType": "LOT_SIZE", "stepSize": "1"}]
    one = {"symbol": "BTCUSD_PERP", "baseAsset": "BTC", "quoteAsset": "USD", "contractStatus": "TRADING",
           "contractSize": 100, "filters": filters}  # fmt: skip
    others = [
        one | {"symbol": "ETHUSD_PERP", "baseAsset": "ETH", "contractStatus": "SETTLING"},
        one | {"symbol": "BTC币"},
    ]
    ((name, instrument),) = COINM.instruments(compact({"symbols": [one, *others]}))
    assert name == "BTCUSD_PERP"
    assert str(instrument) == "binance BTC-USD-PERP: tick 0.1, lot 1, multiplier 100, inverse"
    with pytest.raises(ValueError, match="exchangeInfo"):
        SPOT.instruments(b"[]")
    assert [len(some) for some in SPOT.connections(["A-B"] * 450)] == [200, 200, 50]

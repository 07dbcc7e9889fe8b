"""Deribit's connection: chain of change ids, heartbeats, trades, and what is wrong with messages; its names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from libs.venues.core import Close, Refused, Send
from libs.venues.deribit import DeribitCore, canonical, instruments, native
from libs.venues.events import BUYER, SELLER, BookEvent
from tests.libs.venues.captures import compact, feed, shown

NAME, OTHER = "BTC-USD-PERP", "ETH-USD-PERP"


def told(channel: str, data: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}


def book(
    kind: str, last: int, bids: list[Any], asks: list[Any], previous: int | None = None, name: str = "BTC-PERPETUAL"
) -> Any:
    data = {"type": kind, "timestamp": 5, "instrument_name": name, "change_id": last, "bids": bids, "asks": asks}
    return told(f"book.{name}.100ms", data if previous is None else data | {"prev_change_id": previous})


def trades(*numbers: int, **more: Any) -> Any:
    plain = {"trade_id": "ETH-1", "timestamp": 6, "price": 10.5, "amount": 10.0, "direction": "buy"} | more
    return told("trades.BTC-PERPETUAL.100ms", [plain | {"trade_seq": number} for number in numbers])


@pytest.fixture
def core() -> DeribitCore:
    made = DeribitCore([NAME, OTHER])
    made.opened(0)
    feed(
        made,
        book("snapshot", 10, [["new", 10.5, 30.0]], [["new", 11.0, 4e-05]]),
        book("snapshot", 7, [], [], name="ETH-PERPETUAL"),
    )
    return made


def test_what_is_subscribed() -> None:
    """Heartbeats, then books and trades; with a key, only after signing in."""
    sends = [json.loads(o.text) for o in DeribitCore([NAME]).opened(0) if isinstance(o, Send)]
    assert [s["method"] for s in sends] == ["public/set_heartbeat", "public/subscribe"]
    assert sends[1]["params"]["channels"] == ["book.BTC-PERPETUAL.100ms", "trades.BTC-PERPETUAL.100ms"]
    keyed = DeribitCore([NAME], interval="raw", key=("id", "hidden"))
    sends = [json.loads(o.text) for o in keyed.opened(0) if isinstance(o, Send)]
    assert [s["method"] for s in sends] == ["public/set_heartbeat", "public/auth"]
    (sent,) = feed(keyed, {"jsonrpc": "2.0", "id": sends[1]["id"], "result": {"access_token": "x"}})
    assert isinstance(sent, Send)
    assert "book.BTC-PERPETUAL.raw" in sent.text
    with pytest.raises(ValueError, match="interval"):
        DeribitCore([NAME], interval="1s")


def test_actions_are_numbers_to_the_last_digit(core: DeribitCore) -> None:
    """Exponents are legal; a delete has no size."""
    (event,) = feed(core, book("change", 12, [["delete", 10.5, 0.0]], [["change", 11.0, 2.5e-05]], 10))
    assert isinstance(event, BookEvent)
    assert (event.bids, event.asks, event.price_exponent, event.size_exponent) == (1, 1, -1, -6)
    assert event.levels.tolist() == [105, 0, 110, 25]
    assert event.exchange_ts_us == 5000


def test_a_gap_resyncs_that_symbol_only(core: DeribitCore) -> None:
    """Status 2, a new subscription, nothing before its snapshot; again only when that does not come."""
    found = feed(core, book("change", 14, [], [], 12))
    assert shown(found)[0] == ("status", NAME, 2)
    assert [json.loads(o.text)["method"] for o in found if isinstance(o, Send)] == [
        "public/unsubscribe",
        "public/subscribe",
    ]
    assert feed(core, book("change", 15, [], [], 14)) == []
    assert core.resync(NAME, "test", 100) == []
    assert core.synchronised(OTHER)
    core.received(compact({"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "heartbeat"}}), 10_000_000)
    assert len([o for o in core.tick(10_100_000) if isinstance(o, Send)]) == 2
    assert len(feed(core, book("snapshot", 20, [], []), book("change", 21, [], [], 20))) == 2


def test_a_duplicate_changes_nothing(core: DeribitCore) -> None:
    """The same ids again."""
    change = book("change", 12, [], [], 10)
    assert len(feed(core, change, change)) == 1
    assert core.counts["old"] == 1


def test_tests_are_answered_and_silence_closes(core: DeribitCore) -> None:
    """Three heartbeats without a word are the end."""
    (sent,) = core.received(compact({"method": "heartbeat", "params": {"type": "test_request"}}), 5_000_000)
    assert isinstance(sent, Send)
    assert json.loads(sent.text)["method"] == "public/test"
    assert core.last_heard_us() == (5_000_000, 5_000_000)
    assert core.tick(34_999_999) == []
    assert core.tick(35_000_000) == [Close("deribit: no heartbeat")]


def test_trades(core: DeribitCore) -> None:
    """By their number; the direction is the taker's."""
    found = shown(feed(core, trades(4, 5), trades(5), trades(8, direction="sell")))
    assert [f[0] for f in found] == ["trade", "trade", "status", "trade"]
    assert [f[3] for f in found if f[0] == "trade"] == [BUYER, BUYER, SELLER]
    assert core.counts["trade_dropped"] == 1


WRONG = {
    "[1": "message",
    "{}": "expected method or id",
    json.dumps(book("other", 12, [], [], 10)): "snapshot or change",
    json.dumps(book("change", 12, [["new", -1.0, 1.0]], [], 10)): "not negative",
    json.dumps(book("change", 12, [["old", 1.0, 1.0]], [], 10)): "new|change|delete",
    json.dumps(trades(3, direction="up")): "direction",
    json.dumps(trades(3, amount=-1)): "above 0",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_makes_no_sense_is_refused_by_name(core: DeribitCore, text: str) -> None:
    """One Refused that names the field; a book that lost a message is invalid, the other stays."""
    found = core.received(text.encode(), 5)
    (reason,) = [o.reason for o in found if isinstance(o, Refused)]
    assert WRONG[text] in reason
    assert core.synchronised(OTHER)
    assert core.synchronised(NAME) != ("book." in text)


def test_what_the_venue_does_not_know_is_said() -> None:
    """A channel that the answer leaves out, and an error's own words; the secret is in neither."""
    core = DeribitCore([NAME])
    (number,) = [json.loads(o.text)["id"] for o in core.opened(0) if isinstance(o, Send)][1:]
    (refused,) = feed(core, {"id": number, "result": ["book.BTC-PERPETUAL.100ms"]})
    assert isinstance(refused, Refused)
    assert "trades.BTC-PERPETUAL.100ms" in refused.reason
    (refused,) = feed(core, {"id": 99, "error": {"code": 13778, "message": "raw_subscriptions_not_available"}})
    assert isinstance(refused, Refused)
    assert "13778: raw_subscriptions_not_available" in refused.reason


NAMES = {
    "BTC-PERPETUAL": "BTC-USD-PERP", "BTC_USDC-PERPETUAL": "BTC-USDC-PERP", "ETH-25DEC26": "ETH-USD-20261225",
    "ETH_USDC-6MAR26": "ETH-USDC-20260306", "BTC-24SEP21-8000-P": "BTC-BTC-20210924-8000-P",
    "XRP_USDC-9MAR24-0d55-C": "XRP-USDC-20240309-0.55-C", "BTC_USDC": "BTC-USDC",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_both_ways(name: str) -> None:
    """Perpetuals, futures, options and spot."""
    assert canonical(name) == NAMES[name]
    assert native(NAMES[name]) == name


def test_what_is_no_name() -> None:
    """Combinations have none."""
    for wrong in ("BTC", "BTC-FS-25DEC26_PERP", "btc-perpetual"):
        with pytest.raises(ValueError, match="Deribit instrument"):
            canonical(wrong)


def test_the_list_of_instruments() -> None:
    """Active futures, options and spot."""
    one = {"instrument_name": "BTC-PERPETUAL", "kind": "future", "tick_size": 0.5, "min_trade_amount": 10,
           "is_active": True, "quote_currency": "USD", "instrument_type": "reversed"}  # fmt: skip
    others = [one | {"instrument_name": "X-PERPETUAL", "is_active": False}, one | {"kind": "future_combo"}]
    ((_, instrument),) = instruments(compact({"result": [one, *others]}))
    assert str(instrument) == "deribit BTC-USD-PERP: tick 0.5, lot 10, multiplier 1, inverse"
    with pytest.raises(ValueError, match="list of instruments"):
        instruments(b"[]")

"""OKX's connection: chain, checksum, splice, rations, trades, and what is wrong with messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from libs.venues.core import Close, Fetch, Refused, Send
from libs.venues.events import BUYER, CUT_BIDS, SELLER, BookEvent
from libs.venues.okx import OkxCore
from libs.venues.okx.messages import checksum
from tests.libs.venues.captures import compact, feed, shown

NAME = "BTC-USDT"
OTHER = "ETH-USDT"


def book(
    action: str | None,
    previous: int | None,
    seq: int | None,
    bids: list[Any],
    asks: list[Any],
    name: str = NAME,
    **more: Any,
) -> dict[str, Any]:
    data = {"asks": asks, "bids": bids, "ts": "5", "checksum": 0, "seqId": seq, "prevSeqId": previous} | more
    return {"arg": {"channel": "books", "instId": name}, "action": action, "data": [data]}


def rest(seq: int | None, bids: list[Any], asks: list[Any]) -> bytes:
    return compact({"code": "0", "msg": "", "data": [{"asks": asks, "bids": bids, "ts": "5", "seqId": seq}]})


def print_of(number: int, **more: Any) -> dict[str, Any]:
    t = {"instId": NAME, "tradeId": str(number), "px": "10.50", "sz": "2", "side": "buy", "ts": "7"} | more
    return {"arg": {"channel": "trades", "instId": NAME}, "data": [t]}


@pytest.fixture
def core() -> OkxCore:
    made = OkxCore([NAME, OTHER])
    made.opened(0)
    return made


def row(price: str, size: str) -> list[str]:
    return [price, size, "0", "1"]


def test_subscriptions_are_batched() -> None:
    """Books and trades of each symbol, at most 200 channels a request."""
    core = OkxCore([f"A{i}-USDT" for i in range(250)])
    sends = [json.loads(o.text) for o in core.opened(0) if isinstance(o, Send)]
    assert [len(s["args"]) for s in sends] == [200, 200, 100]
    assert sends[0]["op"] == "subscribe"
    assert sends[0]["args"][0] == {"channel": "books", "instId": "A0-USDT"}
    assert {a["channel"] for s in sends for a in s["args"]} == {"books", "trades"}


def test_snapshot_then_deltas_then_keep_alive_and_maintenance(core: OkxCore) -> None:
    """The chain is prevSeqId alone; an empty message makes no event; seqId may fall once."""
    found = feed(
        core,
        book("snapshot", -1, 10, [row("1.5", "2")], []),
        book("update", 10, 15, [], [row("1.75", "3")]),
        book("update", 15, 15, [], []),
        book("update", 15, 3, [], [row("1.75", "0")]),
        book("update", 3, 5, [row("1.5", "4")], []),
    )
    assert all(isinstance(o, BookEvent) for o in found)
    assert len(found) == 4
    assert core.counts["keep_alive"] == 1
    assert (found[1].price_exponent, found[1].levels.tolist(), found[1].exchange_ts_us) == (-2, [175, 3], 5000)
    assert core.synchronised(NAME)
    assert not core.synchronised(OTHER)


def test_a_gap_resyncs_that_symbol_only(core: OkxCore) -> None:
    """Status 2, unsubscribe and subscribe of one book; its deltas are kept; the next snapshot heals."""
    feed(core, book("snapshot", -1, 10, [], []), book("snapshot", -1, 7, [], [], OTHER))
    found = feed(core, book("update", 12, 13, [], []))
    assert shown(found)[0] == ("status", NAME, 2)
    args = [json.loads(o.text) for o in found if isinstance(o, Send)]
    assert [a["op"] for a in args] == ["unsubscribe", "subscribe"]
    assert args[1]["args"] == [{"channel": "books", "instId": NAME}]
    assert not core.synchronised(NAME)
    assert core.synchronised(OTHER)
    assert feed(core, book("update", 13, 14, [], [])) == []
    (healed,) = feed(core, book("snapshot", -1, 14, [], []))
    assert isinstance(healed, BookEvent)
    assert healed.snapshot
    assert core.counts["gap"] == core.by_symbol[NAME]["gap"] == 1
    assert core.by_symbol[OTHER]["gap"] == 0


def test_a_duplicate_changes_nothing_and_a_reordered_delta_is_a_gap(core: OkxCore) -> None:
    """The same ids twice are the same delta."""
    feed(core, book("snapshot", -1, 10, [], []), book("update", 10, 15, [row("1", "1")], []))
    assert feed(core, book("update", 10, 15, [row("1", "1")], [])) == []
    assert core.counts["old"] == 1
    assert core.synchronised(NAME)
    feed(core, book("update", 18, 20, [], []))
    assert core.counts["gap"] == 1


def test_a_delta_before_its_snapshot_is_never_applied(core: OkxCore) -> None:
    """It is kept; an unasked snapshot on a valid book follows Status 2."""
    assert feed(core, book("update", 9, 10, [row("1", "1")], [])) == []
    assert len(feed(core, book("snapshot", -1, 10, [], []))) == 1
    assert shown(feed(core, book("snapshot", -1, 20, [], [])))[0] == ("status", NAME, 2)


def test_without_a_snapshot_in_two_seconds_rest_is_spliced(core: OkxCore) -> None:
    """Drop seqId up to the snapshot's, begin with the delta around it, go on by the chain."""
    feed(core, *(book("update", a, a + 2, [row("1", str(a))], []) for a in (10, 12, 14)))
    assert core.tick(1_000_000) == []
    fetches = [o for o in core.tick(2_000_001) if isinstance(o, Fetch)]
    assert {f.symbol for f in fetches} == {NAME, OTHER}
    assert fetches[0].path == "/api/v5/market/books?instId=BTC-USDT&sz=400"
    assert core.tick(9_000_000) == []
    found = core.answered(NAME, rest(13, [row("1", "7")], []), 2_500_000)
    assert [o.levels.tolist() for o in found if isinstance(o, BookEvent)] == [[1, 7], [1, 12], [1, 14]]
    assert feed(core, book("update", 16, 17, [], [row("2", "1")]))
    assert core.synchronised(NAME)


def test_a_rest_snapshot_between_deltas_waits_for_the_first(core: OkxCore) -> None:
    """The first delta after it may begin before it, not after it."""
    core.tick(2_000_001)
    core.answered(NAME, rest(13, [], []), 2_500_000)
    assert feed(core, book("update", 9, 12, [], [])) == []
    assert len(feed(core, book("update", 12, 14, [row("1", "1")], []))) == 1
    core.resync(NAME, "test", 3_000_000)
    core.tick(5_000_001)
    core.answered(NAME, rest(20, [], []), 5_500_000)
    assert shown(feed(core, book("update", 21, 23, [], [])))[0] == ("status", NAME, 2)


def test_a_rest_snapshot_older_than_the_deltas_is_fetched_again(core: OkxCore) -> None:
    """It is not used; a second later the next fetch is due. So it is after a failure and after a wrong answer."""
    feed(core, book("update", 50, 52, [], []))
    core.tick(2_000_001)
    assert core.answered(NAME, rest(40, [], []), 2_100_000) == []
    assert core.counts["snapshot_too_old"] == 1
    assert core.tick(3_000_000) == []
    assert [type(o) for o in core.tick(3_200_000)] == [Fetch]
    core.failed(NAME, 3_300_000)
    assert [type(o) for o in core.tick(4_300_000)] == [Fetch]
    for body in (b"<html>", compact({"code": "50011", "msg": "Too Many Requests", "data": []}), rest(None, [], [])):
        (refused,) = core.answered(NAME, body, 4_400_000)
        assert isinstance(refused, Refused)
    assert [type(o) for o in core.tick(5_500_000)] == [Fetch]
    core.answered(NAME, rest(52, [], []), 5_600_000)
    assert core.synchronised(NAME)


def test_resyncs_are_rationed_to_what_an_hour_allows(core: OkxCore) -> None:
    """Of 480 requests the subscription took one; when they are spent, REST is spliced without a request."""
    kinds = [tuple(type(o).__name__ for o in core.resync(NAME, "test", 10 + i)) for i in range(300)]
    assert kinds.count(("Send", "Send")) == 239
    assert kinds[239:] == [("Fetch",)] * 61
    assert len(core.resync(NAME, "test", 3_600_000_011)) == 2


def test_checksums_that_fail_make_the_book_invalid(core: OkxCore) -> None:
    """Over the venue's own texts, from the first snapshot that has one; the wrong event never comes out."""
    bids, asks = [("3366.1", "7"), ("3366", "6")], [("3366.8", "9"), ("3368", "8")]
    rows = [[row(*level) for level in side] for side in (bids, asks)]
    feed(core, book("snapshot", -1, 1, *rows, checksum=-1881014294))
    assert core.counts["checksum_ok"] == 1
    good = checksum([("3366.1", "7.50"), *bids[1:]], asks)
    assert len(feed(core, book("update", 1, 2, [row("3366.1", "7.50")], [], checksum=good))) == 1
    found = feed(core, book("update", 2, 3, [row("3366.1", "8")], [], checksum=good))
    assert shown(found)[0] == ("status", NAME, 2)
    assert not any(isinstance(o, BookEvent) for o in found)
    assert core.counts["checksum_bad"] == 1
    feed(core, book("snapshot", -1, 9, *rows, checksum=1))
    assert not core.synchronised(NAME)


def test_cut_says_which_side_has_as_many_levels_as_there_can_be(core: OkxCore) -> None:
    """400 levels: the side goes on."""
    deep = [row(str(1000 - i), "1") for i in range(400)]
    (event,) = feed(core, book("snapshot", -1, 1, deep, [row("2000", "1")]))
    assert isinstance(event, BookEvent)
    assert event.cut == CUT_BIDS


def test_books5_is_snapshots() -> None:
    """Each message replaces the book, without Status 2."""
    core = OkxCore([NAME], channel="books5")
    core.opened(0)
    m = book(None, None, 5, [row("1", "1")], [])
    m["arg"]["channel"] = "books5"
    del m["action"]
    found = feed(core, m, m)
    assert [o.snapshot for o in found if isinstance(o, BookEvent)] == [True, True]
    with pytest.raises(ValueError, match="books5"):
        OkxCore([NAME], channel="books50")


def test_trades_have_the_takers_side_and_gaps_are_told_once(core: OkxCore) -> None:
    """An aggregate of n matches covers n ids; what was seen is dropped."""
    found = shown(feed(core, print_of(5), print_of(8, count="3", side="sell"), print_of(8), print_of(10)))
    assert [f[0] for f in found] == ["trade", "trade", "status", "trade"]
    assert [f[3] for f in found if f[0] == "trade"] == [BUYER, SELLER, BUYER]
    assert found[2] == ("status", NAME, 8)
    assert core.counts["trade_gap"] == core.counts["trade_dropped"] == 1


def test_a_lost_connection_invalidates_what_was_valid(core: OkxCore) -> None:
    """Status 2 for the valid book, Status 8 for trades; a jump in ids right after it is not told again."""
    feed(core, book("snapshot", -1, 1, [], []), print_of(5))
    assert shown(core.closed(9)) == [("status", NAME, 2), ("status", NAME, 8), ("status", OTHER, 8)]
    core.opened(10)
    assert feed(core, book("update", 1, 2, [], [])) == []
    assert [f[0] for f in shown(feed(core, print_of(9)))] == ["trade"]


def test_pings_and_silence(core: OkxCore) -> None:
    """A ping after 20 s; no answer in 10 s more closes the connection; pong is a sign of life and no message."""
    assert core.tick(19_999_999)[-1:] != [Send("ping")]
    assert core.tick(20_000_000)[-1:] == [Send("ping")]
    assert core.received(b"pong", 20_100_000) == []
    assert core.last_heard_us() == (20_100_000, 20_100_000)
    assert core.tick(40_000_000)[-1:] == [Send("ping")]
    assert any(isinstance(o, Close) for o in core.tick(50_000_000))
    assert [type(o) for o in core.received(b'{"event":"notice","code":"64008","msg":"upgrade"}', 1)] == [Close]


WRONG = {
    "[1,2": "message",
    '{"arg":{"channel":"books"': "message",
    '{"event":"error","code":"60018","msg":"no such channel"}': "60018",
    "{}": "expected arg or event",
    '{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[],"bids":[]}]}': "`ts`",
    json.dumps(book("other", 1, 2, [], [])): "action",
    json.dumps(book("update", 1, 2, [row("-1", "1")], [])): "not negative",
    json.dumps(book("update", 1, 2, [row("1", "-1")], [])): "not negative",
    json.dumps(book("update", 1, 2, [row("1", "NaN")], [])): "not negative",
    json.dumps(book("update", None, 2, [], [])): "prevSeqId",
    json.dumps(print_of(1, px="nan")): "decimal",
    json.dumps(print_of(1, sz="-1")): "above 0",
    json.dumps(print_of(1, side="none")): "side",
    json.dumps(print_of(1, tradeId="x")): "x",
    json.dumps({"arg": {"channel": "trades", "instId": NAME}, "data": [{"px": "1"}]}): "`tradeId`",
    "[" * 5000: "message",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_makes_no_sense_is_refused_by_name(core: OkxCore, text: str) -> None:
    """One Refused that names the field; a book that lost a message is invalid, the other stays."""
    feed(core, book("snapshot", -1, 1, [], []), book("snapshot", -1, 7, [], [], OTHER))
    found = core.received(text.encode(), 5)
    (reason,) = [o.reason for o in found if isinstance(o, Refused)]
    assert WRONG[text] in reason
    assert core.counts["refused"] == 1
    assert core.synchronised(OTHER)
    if '"books"' in text and "data" in text:
        assert not core.synchronised(NAME)
    if '"trades"' in text:
        assert ("status", NAME, 8) in shown(found)


def test_unknown_fields_channels_and_symbols_are_ignored(core: OkxCore) -> None:
    """New fields change nothing, other channels are counted."""
    feed(core, book("snapshot", -1, 1, [], [], news=[1], other={"a": 1}))
    assert core.synchronised(NAME)
    assert feed(core, book("snapshot", -1, 1, [], [], "XRP-USDT")) == []
    assert feed(core, {"arg": {"channel": "mark-price", "instId": NAME}, "data": []}) == []
    assert feed(core, {"event": "subscribe", "arg": {"channel": "books", "instId": NAME}}) == []
    assert core.counts["ignored"] == 3

"""OKX's core over recordings and vectors of others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from libs.venues.okx import OkxCore, canonical, instruments
from tests.libs.venues.captures import Replayed, agrees, capture, compact, shown, vectors

pytestmark = pytest.mark.recordings
SYMBOLS = ["BTC-USDT", "UNI-USD-PERP", "BTC-USD-20220527"]


def test_the_recording_of_2022_is_whole(recordings: Path) -> None:
    """290 of 290 checksums agree, no trade id is missing, never crossed; ticks and lots of the venue are the units."""
    lines = capture(recordings / "okx/okx_books_20220513.jsonl.gz")
    listed = dict(
        pair
        for kind, _, url, text in lines
        if kind == "http" and "OPTION" not in url
        for pair in instruments(text.encode())
    )
    assert str(listed["BTC-USD-220527"]) == ("okx BTC-USD-20220527: tick 0.1, lot 1, multiplier 100, inverse")
    assert str(listed["BTC-USDT"]) == "okx BTC-USDT: tick 0.1, lot 0.00000001, multiplier 1, linear"
    core, replayed = OkxCore(SYMBOLS, {i.symbol: i for i in listed.values()}), Replayed()
    core.opened(lines[0][1])
    for kind, now_us, _, text in lines:
        if kind == "recv":
            replayed.take(core.received(text.encode(), now_us))
    assert core.counts["checksum_ok"] == 290
    assert core.counts["checksum_bad"] == core.counts["refused"] == core.counts["trade_gap"] == 0
    assert sum(c["snapshots"] for c in core.by_symbol.values()) == 3
    assert replayed.kinds == {"BookEvent": 290, "TradeEvent": 74, "TopEvent": 28}
    assert replayed.crossed == 0
    assert [len(side) for side in replayed.sides["BTC-USDT"]] == [400, 400]
    assert all(core.synchronised(symbol) for symbol in SYMBOLS)
    assert any("without seqId" in line for line in core.unverifiable)


def test_the_excerpt_of_2026_is_one_chain(recordings: Path) -> None:
    """Six deltas kept for the snapshot before them, then in the book; checksum 0 is absent, not wrong."""
    text = (recordings / "okx/okx_books_seqid_excerpt_20260824.jsonl").read_text().splitlines()
    core = OkxCore(["BTC-USDT"])
    core.opened(0)
    assert [core.received(line.encode(), i) for i, line in enumerate(text)] == [[]] * 6
    core.tick(2_000_001)
    seed = {"code": "0", "data": [{"asks": [], "bids": [], "ts": "1787612486107", "seqId": 80274874800}]}
    found = core.answered("BTC-USDT", compact(seed), 2_500_000)
    assert len(found) == 7
    assert core.counts["gap"] == core.counts["checksum_bad"] == 0
    assert core.counts["checksum_absent"] == 7
    assert any("checksum 0" in line for line in core.unverifiable)


def test_a_lost_message_of_the_excerpt_is_a_gap(recordings: Path) -> None:
    """Without any one delta but the first, the chain breaks."""
    text = (recordings / "okx/okx_books_seqid_excerpt_20260824.jsonl").read_text().splitlines()
    for lost in range(5):
        core = OkxCore(["BTC-USDT"])
        core.opened(0)
        first = json.loads(text[0])
        first["action"] = "snapshot"
        first["data"][0]["seqId"] = first["data"][0]["prevSeqId"]
        core.received(compact(first), 0)
        for i, line in enumerate(text):
            if i != lost:
                core.received(line.encode(), i)
        assert core.counts["gap"] == 1


def test_the_documented_chain_has_no_gap(recordings: Path) -> None:
    """Snapshot, update, keep-alive, reset, update."""
    (chain,) = json.loads((recordings / "vectors/sequence_rules.json").read_text())
    core = OkxCore(["BTC-USDT"])
    core.opened(0)
    for m in chain["messages"]:
        data = {"asks": [], "bids": [], "ts": "1", "seqId": m["seqId"], "prevSeqId": m["prevSeqId"]}
        message = {"arg": {"channel": "books", "instId": "BTC-USDT"}, "action": m["kind"], "data": [data]}
        core.received(compact(message), 1)
    assert core.counts["gap"] == 0
    assert core.synchronised("BTC-USDT")


@pytest.mark.parametrize("name", ["spot", "swap"])
def test_vectors_of_api_v5(recordings: Path, name: str) -> None:
    """Trades, best prices and books of the mapping tests, value by value; those of v3 (``table``) are not spoken."""
    compared = 0
    for vector in vectors(recordings / f"vectors/normalised_okex-{name}.jsonl"):
        m = vector["message"]
        if "arg" not in m or "data" not in m:
            continue
        channel = m["arg"]["channel"]
        m["arg"]["channel"] = {"books-l2-tbt": "books", "trades-all": "trades"}.get(channel, channel)
        symbol = canonical(m["arg"]["instId"])
        core = OkxCore([symbol])
        core.opened(0)
        if m.get("action") == "update":
            empty = {"asks": [], "bids": [], "ts": "1"}
            core.received(compact(m | {"action": "snapshot", "data": [empty]}), 1)
        if m.get("action") == "snapshot":
            m["data"][0]["checksum"] = 0  # the vector shows a few of the levels it was made from
        found = shown(core.received(compact(m), 1))
        compared += agrees(found, symbol, vector["expected"])
    assert compared == {"spot": 5, "swap": 4}[name]

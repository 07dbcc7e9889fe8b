"""Recordings of several venues on one clock."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from libs.errors import RecordingError
from libs.market.exchanges import EXCHANGES
from libs.offline.passes import Pass
from libs.storage.mixed import MixedRecording
from libs.storage.source import RecordingSource
from libs.venues.events import BookEvent, TradeEvent

OWN = Path(__file__).resolve().parents[2] / "data/binance"
BYBIT, OKX = EXCHANGES.index("bybit"), EXCHANGES.index("okx")
INSTRUMENTS = {"retCode": 0, "result": {"list": [{
    "symbol": "BTCUSDT", "status": "Trading", "baseCoin": "BTC", "quoteCoin": "USDT", "deliveryTime": "0",
    "priceFilter": {"tickSize": "0.10"}, "lotSizeFilter": {"qtyStep": "0.001"},
}]}}  # fmt: skip


def line(kind: str, ts: float, data: Any, url: str = "") -> str:
    return json.dumps(
        {"t": kind, "conn": "X.ws", "ts": ts, "url": url, "data": json.dumps(data, separators=(",", ":"))}
    )


def bybit(kind: str, update: int, bids: list[Any]) -> Any:
    return {
        "topic": "orderbook.200.BTCUSDT",
        "type": kind,
        "ts": 1,
        "data": {"s": "BTCUSDT", "b": bids, "a": [["9", "1"]], "u": update},
    }


def okx(number: int) -> Any:
    trade = {"instId": "BTC-USDT", "tradeId": str(number), "px": "8.5", "sz": "1", "side": "buy", "ts": "5"}
    return {"arg": {"channel": "trades", "instId": "BTC-USDT"}, "data": [trade]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give recordings of Bybit and OKX that overlap."""
    lines = {
        "BYBIT": [
            line("http", 0.5, INSTRUMENTS, "https://x/v5/market/instruments-info"),
            line("recv", 1.0, bybit("snapshot", 5, [["8", "2"]])),
            line("recv", 3.0, bybit("delta", 6, [["8", "0"]])),
            line("recv", 5.0, bybit("delta", 8, [])),
        ],
        "OKX": [line("recv", 2.0, okx(7)), line("recv", 4.0, okx(2**64 - 1))],
    }  # fmt: skip
    for name, each in lines.items():
        text = "\n".join([json.dumps({"t": "header", "exchange": name}), *each])
        (tmp_path / f"{name}.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    return tmp_path


def test_events_come_in_order_of_time(folder: Path) -> None:
    """Each with its exchange; a gap is a status, and a second round is like the first."""
    recording = MixedRecording([folder])
    assert recording.exchanges == [BYBIT, OKX]
    assert str(recording.instruments[BYBIT, "BTC-USDT-PERP"]).endswith("tick 0.1, lot 0.001, multiplier 1, linear")
    for _ in range(2):
        found = list(recording.events())
        assert [(ns // 10**9, exchange, type(e).__name__) for ns, exchange, e in found] == [
            (1, BYBIT, "BookEvent"), (2, OKX, "TradeEvent"), (3, BYBIT, "BookEvent"), (4, OKX, "StatusEvent"),
            (4, OKX, "TradeEvent"), (5, BYBIT, "StatusEvent"),
        ]  # fmt: skip
        assert [e.price_exponent for _, _, e in found if isinstance(e, BookEvent)] == [-1, -1]


def test_they_are_a_source_like_any_other(folder: Path) -> None:
    """Rows of the right exchange; numbers of trades beyond int64 too."""
    source = RecordingSource([folder])
    assert source.channels == [BYBIT, OKX]
    blocks = [(b.features.copy(), b.trades.copy()) for b in Pass(source, levels=1).blocks()]
    features = [(row["exchange"].item(), row["symbol"].decode()) for f, _ in blocks for row in f]
    assert features == [(BYBIT, "BTC-USDT-PERP")] * 2
    assert [row["trade_id"].item() for _, t in blocks for row in t] == [7, 2**64 - 1]
    assert source.bad.count == 0


def test_a_collectors_files_beside_others(folder: Path) -> None:
    """Read by the cores that run live."""
    recording = MixedRecording([OWN / "cm_btcusd_perp_20240808.gz", folder])
    assert recording.exchanges == [0, BYBIT, OKX]
    kinds = {(exchange, type(e)) for _, exchange, e in recording.events()}
    assert {(0, BookEvent), (0, TradeEvent), (BYBIT, BookEvent)} <= kinds


def test_a_witness_is_not_multicast(tmp_path: Path) -> None:
    """Said by name."""
    (tmp_path / "k.jsonl").write_text('{"t":"header","exchange":"KRAKEN"}\n')
    with pytest.raises(RecordingError, match="kraken, a witness"):
        MixedRecording([tmp_path])


RECORDED = {
    "bybit": ("bybit", 4, 1_598, 327), "okx/okx_books_20220513.jsonl.gz": ("okx", 3, 290, 74),
    "deribit": ("deribit", 10, 46, 0),
    "coinbase/coinbase_advanced_20260809_first520.jsonl.gz": ("coinbase", 2, 373, 55),
    "coinbase/gdax_btcusd_20180416_2min.csv.gz": ("coinbase", 1, 11_651, 59),
    "binance/captures/binance_usdm_20210722.jsonl.gz": ("binance", 4, 756, 91),
}  # fmt: skip


@pytest.mark.recordings
@pytest.mark.parametrize("path", RECORDED)
def test_recordings_of_every_venue_are_sources(recordings: Path, path: str) -> None:
    """A row an event, prints, of the right exchange, in order of feed time."""
    exchange, symbols, events, prints = RECORDED[path]
    source = RecordingSource([recordings / path])
    rows = trades = 0
    seen = set()
    for block in Pass(source, levels=1).blocks():
        rows += len(block.features)
        trades += len(block.trades)
        seen |= {(row["exchange"].item(), row["symbol"]) for row in block.features}
        assert block.features["valid"].all()
    assert (rows, trades) == (events, prints)
    assert {number for number, _ in seen} == {EXCHANGES.index(exchange)}
    assert len(seen) == symbols

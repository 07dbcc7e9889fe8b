"""What a path holds is told by its content."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from libs.errors import MissingError, RecordingError
from libs.offline.audit import audit
from libs.storage.lines import BadLines
from libs.storage.recordings import find


def captured(path: Path, exchange: str, *lines: dict[str, object]) -> Path:
    """Write capture lines."""
    every = [{"t": "header", "format": 2, "exchange": exchange}, *lines]
    path.write_bytes(gzip.compress("\n".join(json.dumps(line) for line in every).encode()))
    return path


def test_each_form_finds_its_venue(tmp_path: Path) -> None:
    """Headers, first messages, columns."""
    captured(tmp_path / "a.jsonl.gz", "KRAKEN")
    (tmp_path / "b.jsonl").write_text('{"arg":{"channel":"books","instId":"BTC-USDT"},"data":[]}\n')
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(b"ts_ns,type,side,price,qty\n1756195622348000000,book,B,1.5,2\n"))
    (tmp_path / "d.txt.gz").write_bytes(gzip.compress(b'wss://ws-feed.pro.coinbase.com <-> 1.5\n1.75: {"type":"x"}\n'))
    (tmp_path / "spot_btcusdt_20240808.dat").write_text('1723161255088176367 {"stream":"btcusdt@trade","data":{}}\n')
    found = {recording.path.name[0]: recording.venue.name for recording in find([tmp_path])}
    assert found == {"a": "kraken", "b": "okx", "c": "binanceus", "d": "coinbase_exchange", "s": "binance"}


def test_lines_are_sorted_by_time(tmp_path: Path) -> None:
    """They are grouped by connection; what cannot be read is counted and loses nothing else."""
    path = captured(
        tmp_path / "a.jsonl.gz", "OKX",
        {"t": "recv", "conn": "2", "ts": 3.0, "data": "c"}, {"t": "send", "conn": "1", "ts": 1.0, "data": "x"},
        {"t": "http", "conn": "0", "ts": 1.0, "url": "https://x/y", "data": "a"}, {"bad": 1},
        {"t": "recv", "conn": "1", "ts": 2.0, "data": "b"},
    )  # fmt: skip
    (recording,) = find([path])
    bad = BadLines()
    assert [(said.us, said.url, said.text) for said in recording.read(bad)] == [
        (1_000_000, "https://x/y", b"a"), (2_000_000, "", b"b"), (3_000_000, "", b"c"),
    ]  # fmt: skip
    assert bad.count == 1


def test_a_table_without_a_snapshot_fills_up(tmp_path: Path) -> None:
    """All changes of one time are one event."""
    rows = [
        "ts_ns,type,side,price,qty",
        "1000,book,B,1.5,2",
        "1000,book,A,1.75,1",
        "2000,book,B,1.5,0",
        "3000,trade,A,1.75,1",
    ]
    path = tmp_path / "x.csv"
    path.write_text("\n".join(rows) + "\n")
    (recording,) = find([path])
    found = audit(recording)
    entry = found._entry("BTC-USDT")
    assert (entry["updates"], entry["trades"], entry["best_bid"], entry["best_ask"]) == (3, 1, None, "1.75")
    assert any("no sequence" in str(line) for line in found.core.unverifiable)


def test_what_is_no_recording_is_said(tmp_path: Path) -> None:
    """By name, with what was found."""
    with pytest.raises(MissingError, match="no such recording"):
        find([tmp_path / "none"])
    with pytest.raises(MissingError, match="no recording in this folder"):
        find([tmp_path])
    (tmp_path / "x.jsonl").write_text("hello\n")
    with pytest.raises(RecordingError, match="hello"):
        find([tmp_path])
    with pytest.raises(RecordingError, match="MTGOX"):
        find([captured(tmp_path / "x.jsonl", "MTGOX")])

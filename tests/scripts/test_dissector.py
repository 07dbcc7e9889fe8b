"""The dissector for Wireshark, by tshark: every field of every message, and what is malformed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from libs.storage.pcap import PcapWriter
from libs.wire.messages import Heartbeat, Instrument, OrderBook, Status, Trade, encode, encode_datagram
from tests.needs import skip_unless

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/wireshark/hftp.lua"
NOW = 1_700_000_000_000_000
BOOK = OrderBook(
    7,
    NOW,
    3,
    "BTC-USDT",
    3,
    -2,
    -8,
    1,
    NOW - 5,
    NOW - 3,
    ((6_000_001, 123_456_789),),
    ((6_000_002, 0), (-1, 2**63 - 1)),
)
TRADE = Trade(8, NOW, 3, "BTC-USDT", 1, -2, 3, 2**64 - 1, 0, NOW, 6_000_001, 25)
BEAT = Heartbeat(NOW, 3, 1_700_000_000_000_000_000, 9, NOW)
STATUS = Status(9, NOW, 3, "", 1, "disconnected")
INSTRUMENT = Instrument(10, NOW, 3, "ÅÆØ-USDT", 3, -2, -8, 0, 1, 5, 100)


@pytest.fixture(scope="module", autouse=True)
def _tshark() -> None:
    skip_unless(shutil.which("tshark") is not None, "no tshark")


def dissected(path: Path, *payloads: bytes, port: int = 9001) -> list[dict[str, Any]]:
    """Return tshark's words of each packet, as JSON."""
    with PcapWriter(path) as writer:
        for payload in payloads:
            writer.put(10**18, ("127.0.0.1", 5), ("239.192.0.1", port), payload)
    command = ["tshark", "-X", f"lua_script:{SCRIPT}", "-r", str(path), "-T", "json", "--no-duplicate-keys"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return [packet["_source"]["layers"] for packet in json.loads(done.stdout)]


def values(layer: Any, name: str) -> list[str]:
    """Return every value of a field, wherever it stands."""
    if isinstance(layer, list):
        return [value for each in layer for value in values(each, name)]
    if not isinstance(layer, dict):
        return []
    found = []
    for key, value in layer.items():
        if key == name:
            found += [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]
        found += values(value, name)
    return found


def test_every_field_of_every_message(tmp_path: Path) -> None:
    """Exact decimals, signs, 64 bits."""
    (layers,) = dissected(tmp_path / "x.pcap", encode_datagram([BOOK, TRADE, BEAT, STATUS, INSTRUMENT]))
    hftp = layers["hftp"]
    wanted = {
        "sequence": ["7", "8", "9", "9", "10"], "type": ["0", "1", "2", "3", "4"], "exchange": ["3"] * 5,
        "timestamp": [str(NOW)] * 5, "symbol": ["BTC-USDT", "BTC-USDT", "ÅÆØ-USDT"], "bid_count": ["1"],
        "bid": ["60000.01 x 1.23456789"], "ask": ["60000.02 x 0.00000000", "-0.01 x 92233720368.54775807"],
        "ask_count": ["2"], "cut": ["1"],
        "price": ["6000001", "6000002", "-1", "6000001"], "size": ["123456789", "0", str(2**63 - 1), "25"],
        "trade_id": [str(2**64 - 1)], "session": ["1700000000000000000"], "next_sequence": ["9"], "code": ["1"],
        "text": ["disconnected"], "multiplier": ["100"], "tick": ["1"], "lot": ["5"], "tick_exponent": ["-2"],
        "exchange_timestamp": [str(NOW - 5), "0"], "feed_timestamp": [str(NOW - 3), str(NOW), str(NOW)],
    }  # fmt: skip
    for name, expected in wanted.items():
        assert sorted(values(hftp, f"hftp.{name}")) == sorted(expected), name


def test_other_ports_text_mode_and_padding(tmp_path: Path) -> None:
    """Told by the magic on any port; zeros at the end are padding."""
    layers = dissected(tmp_path / "x.pcap", encode(TRADE) + b"\0" * 10, port=31_337)
    assert values(layers, "hftp.trade_id") == [str(2**64 - 1)]
    assert len(values(layers, "hftp.padding")) == 1
    (text,) = dissected(tmp_path / "x.pcap", b'{"type":"heartbeat"}')
    assert values(text, "hftp.json") == ['{"type":"heartbeat"}']


@pytest.mark.parametrize("cut", [10, 30, len(encode(BOOK)) - 1])
def test_what_is_malformed_is_said(tmp_path: Path, cut: int) -> None:
    """What stood before counts."""
    (layers,) = dissected(tmp_path / "x.pcap", encode(TRADE) + encode(BOOK)[:cut])
    assert values(layers, "hftp.trade_id") == [str(2**64 - 1)]
    assert "hftp.malformed" in json.dumps(layers)

"""OKX's names both ways, its instruments, its connections."""

from __future__ import annotations

import json

import pytest

from libs.venues.okx import canonical, connections, instruments, native

PAIRS = [
    ("BTC-USDT", "BTC-USDT"),
    ("BTC-USDT-SWAP", "BTC-USDT-PERP"),
    ("BTC-USD-SWAP", "BTC-USD-PERP"),
    ("BTC-USD-220527", "BTC-USD-20220527"),
    ("BTC-USDT-240628", "BTC-USDT-20240628"),
    ("BTC-USD-220514-22000-C", "BTC-BTC-20220514-22000-C"),
    ("ETH-USD-220514-1300.5-P", "ETH-ETH-20220514-1300.5-P"),
]


@pytest.mark.parametrize(("theirs", "ours"), PAIRS)
def test_names_go_both_ways(theirs: str, ours: str) -> None:
    """Each instrument has one name here and one there."""
    assert canonical(theirs) == ours
    assert native(ours) == theirs


@pytest.mark.parametrize("name", ["", "BTC", "btc-usdt", "BTC-USDT-PERPETUAL", "BTC-USD-2205"])
def test_what_is_no_name_is_an_error_that_shows_it(name: str) -> None:
    """The message has the name."""
    with pytest.raises(ValueError, match=f"'{name}'"):
        canonical(name)
    with pytest.raises(ValueError, match=f"'{name}'"):
        native(name)


def entry(name: str, kind: str, **more: str) -> dict[str, str]:
    return {"instId": name, "instType": kind, "tickSz": "0.10", "lotSz": "1", "state": "live", "new": "x"} | more


def test_multipliers_are_coins_or_dollars_a_contract() -> None:
    """ctVal times ctMult; what is not live is left out."""
    entries = [
        entry("BTC-USDT", "SPOT", lotSz="0.00000001"),
        entry("BTC-USDT-SWAP", "SWAP", ctVal="0.01", ctMult="1", ctType="linear"),
        entry("BTC-USD-SWAP", "SWAP", ctVal="100", ctMult="1", ctType="inverse"),
        entry("BTC-USD-220514-22000-C", "OPTION", ctVal="1", ctMult="0.1"),
        entry("OLD-USDT", "SPOT", state="suspend"),
    ]
    found = [str(i) for _, i in instruments(json.dumps({"code": "0", "data": entries}).encode())]
    assert found == [
        "okx BTC-USDT: tick 0.1, lot 0.00000001, multiplier 1, linear",
        "okx BTC-USDT-PERP: tick 0.1, lot 1, multiplier 0.01, linear",
        "okx BTC-USD-PERP: tick 0.1, lot 1, multiplier 100, inverse",
        "okx BTC-BTC-20220514-22000-C: tick 0.1, lot 1, multiplier 0.1, linear",
    ]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"code":"0","data":[{"instId":"A-B"}]}', b'{"code":"50011","msg":"slow down","data":[]}']
)
def test_what_is_no_list_is_a_value_error(body: bytes) -> None:
    """Garbage, missing fields and the venue's own errors."""
    with pytest.raises(ValueError, match=r"expected|50011"):
        instruments(body)


def test_connections_hold_a_hundred_symbols() -> None:
    """Every symbol once."""
    symbols = [f"A{i}-USDT" for i in range(250)]
    shared = connections(symbols)
    assert [len(some) for some in shared] == [100, 100, 50]
    assert [s for some in shared for s in some] == symbols

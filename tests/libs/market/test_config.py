"""The consumer's JSON file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from libs.errors import ConfigError
from libs.market.config import load_consumer_config

ROOT = Path(__file__).resolve().parents[3]
Change = Callable[[dict[str, Any]], Any]


def _file(folder: Path, change: Change) -> Path:
    content: dict[str, Any] = {
        "udp_config": {"port": 9001, "buffer_size": 8388608},
        "symbols": [
            {"exchange": "binance", "symbol": "BTC-USDT", "tick_size": "0.01", "enabled": True},
            {"exchange": "okx", "symbol": "BTC-USDT", "tick_size": 0.1, "enabled": False},
        ],
        "processing_config": {"cpu_core": 1, "ring_buffer_size": 65536, "batch_size": 16, "max_symbols": 2048},
    }
    change(content)
    path = folder / "symbols.json"
    path.write_text(json.dumps(content))
    return path


def test_the_shape_of_the_issue_is_enough(tmp_path: Path) -> None:
    """The keys that the issue names make a whole file; the rest has defaults."""
    config = load_consumer_config(_file(tmp_path, lambda c: None))
    assert (config.udp_config.group, config.udp_config.interface) == ("239.192.0.1", "127.0.0.1")
    assert [entry.tick_size for entry in config.symbols] == ["0.01", "0.1"]
    assert config.processing_config.cpu_core == 1
    assert config.processing_config.max_books == 10_240
    assert config.processing_config.stale_after_ms.for_exchange("deribit") == 2000


def test_the_file_that_ships_is_right() -> None:
    """config/consumer/symbols.json loads and names all five exchanges."""
    config = load_consumer_config(ROOT / "config/consumer/symbols.json")
    assert {entry.exchange for entry in config.symbols} == {"binance", "bybit", "coinbase", "okx", "deribit"}
    inverse = {(e.exchange, e.symbol) for e in config.symbols if e.inverse}
    assert ("binance", "BTC-USD-PERP") in inverse
    assert ("binance", "BTC-USDT-PERP") not in inverse


@pytest.mark.parametrize(
    ("change", "key", "found"),
    [
        (lambda c: c["udp_config"].update(prot=1), "udp_config.prot", "a key that does not exist"),
        (lambda c: c["udp_config"].update(port=70000), "udp_config.port", "70000"),
        (lambda c: c["udp_config"].update(port=0), "udp_config.port", "0"),
        (lambda c: c["udp_config"].update(group="10.0.0.1"), "udp_config.group", '"10.0.0.1"'),
        (lambda c: c["udp_config"].update(interface="lo"), "udp_config.interface", '"lo"'),
        (lambda c: c["udp_config"].update(interface="239.1.1.1"), "udp_config.interface", '"239.1.1.1"'),
        (lambda c: c["udp_config"].update(wait="spin"), "udp_config.wait", '"spin"'),
        (
            lambda c: c["udp_config"].update(line_b={"group": "1.2.3.4", "port": 9002}),
            "udp_config.line_b.group",
            '"1.2.3.4"',
        ),
        (
            lambda c: c["udp_config"].update(line_b={"group": "239.192.0.1", "port": 9001}),
            "udp_config.line_b",
            '"239.192.0.1"',
        ),
        (lambda c: c["udp_config"].update(allowed_sources=["x"]), "udp_config.allowed_sources[0]", '"x"'),
        (
            lambda c: c["processing_config"].update(history={"flow": 1000}),
            "processing_config.history.flow",
            "1000",
        ),
        (
            lambda c: c["processing_config"].update(history={"flows": 1024}),
            "processing_config.history.flows",
            "a key that does not exist",
        ),
        (
            lambda c: c["processing_config"].update(microprice={"BTC-USDT": "a.json"}),
            "processing_config.microprice",
            '"BTC-USDT"',
        ),
        (lambda c: c["symbols"][1].update(tick_size=0), "symbols[1].tick_size", "0"),
        (lambda c: c["symbols"][1].update(lot_size="many"), "symbols[1].lot_size", '"many"'),
        (lambda c: c["symbols"][1].update(exchange="binanse"), "symbols[1].exchange", '"binanse"'),
        (lambda c: c["symbols"][1].update(symbol=""), "symbols[1].symbol", '""'),
        (
            lambda c: c["symbols"][1].update(exchange="binance"),
            "symbols[1].symbol",
            "binance BTC-USDT as in symbols[0]",
        ),
        (
            lambda c: c["processing_config"].update(ring_buffer_size=60000),
            "processing_config.ring_buffer_size",
            "60000",
        ),
        (lambda c: c["processing_config"].update(batch_size=0), "processing_config.batch_size", "0"),
        (lambda c: c["processing_config"].update(max_books=5), "processing_config.max_books", "5"),
        (lambda c: c["processing_config"].update(cpu_core=-1), "processing_config.cpu_core", "-1"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: Change, key: str, found: str) -> None:
    """Each mistake is one line with file, key and what was found."""
    path = _file(tmp_path, change)
    with pytest.raises(ConfigError) as caught:
        load_consumer_config(path)
    assert (caught.value.file, caught.value.key, caught.value.found) == (str(path), key, found)


def test_more_symbols_than_there_is_room_for_are_refused(tmp_path: Path) -> None:
    """Enabled symbols past max_symbols or max_books are a mistake of the file, not a silent refusal."""

    def crowd(content: dict[str, Any]) -> None:
        content["symbols"] = [{"exchange": "okx", "symbol": f"S{i}", "tick_size": "1"} for i in range(3)]
        content["processing_config"].update(max_symbols=2)

    with pytest.raises(ConfigError, match=r"symbols: expected at most max_symbols \(2\) canonical, found 3"):
        load_consumer_config(_file(tmp_path, crowd))


def test_tables_are_beside_the_file(tmp_path: Path) -> None:
    """The file of a microprice is relative to the file that names it."""
    named = {"binance BTC-USDT": "tables/a.json", "okx ETH-USDT": "/b.json"}
    config = load_consumer_config(_file(tmp_path, lambda c: c["processing_config"].update(microprice=named)))
    assert config.processing_config.microprice == {
        "binance BTC-USDT": str(tmp_path / "tables/a.json"),
        "okx ETH-USDT": "/b.json",
    }

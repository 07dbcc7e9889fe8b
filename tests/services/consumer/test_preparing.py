"""What kernels are told of the settings, and the books that configuration makes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from libs.config import PositiveDecimal
from libs.engine import words
from libs.errors import ConfigError
from libs.features.history import BUCKETS
from libs.features.microprice import Table, TableFile, Training, write
from libs.market.config import ConsumerConfig, SymbolConfig, load_consumer_config
from libs.market.symbol_table import t_name, t_shard
from services.consumer.__main__ import main
from services.consumer.preparing import put_microprices, register_symbols, spinning, tell_kernels
from services.consumer.settings import Settings
from tests.conftest import ROOT
from tests.libs.engine.harness import Host

CONFIG = load_consumer_config(ROOT / "config/consumer/symbols.json")
NO_SYMBOLS = ConsumerConfig()


def books(settings: Settings) -> Iterator[tuple[int, str]]:
    """Give exchange and symbol of the books that configuration makes."""
    host = Host(max_books=1024, max_symbols=512)
    register_symbols(host.engine, settings, CONFIG)
    table = host.engine.table
    for book in range(int(table.counts[0])):
        yield int(table.book_exchange[book]), t_name(table, book)


def test_a_consumer_alone_takes_everything() -> None:
    """Without channels and shard the receive thread passes nothing over."""
    host = Host()
    tell_kernels(host.engine, Settings(), CONFIG)
    r = host.engine.arrays["receive_settings"]
    assert (r[words.OTHER_CHANNELS], r[words.SHARDS], r[words.SHARD]) == (0, 1, 0)
    assert len(list(books(Settings()))) == sum(entry.enabled for entry in CONFIG.symbols) > 0


def test_what_other_processes_take_is_told() -> None:
    """Channels become bits of those left out; the shard counts from 0."""
    host = Host()
    tell_kernels(host.engine, Settings(channels=("bybit", "deribit"), shard="3/4"), CONFIG)
    r = host.engine.arrays["receive_settings"]
    assert (r[words.OTHER_CHANNELS], r[words.SHARDS], r[words.SHARD]) == (0b01101, 4, 2)


def test_configured_symbols_of_others_have_no_book() -> None:
    """Each configured book is made by one shard and on the channels that are taken."""
    everything = set(books(Settings()))
    one, two = (set(books(Settings(shard=f"{number}/2"))) for number in (1, 2))
    assert one | two == everything and not one & two
    assert all(t_shard(symbol, 2) == 0 for _, symbol in one)
    assert set(books(Settings(channels=("okx",)))) == {key for key in everything if key[0] == 3}


@pytest.mark.parametrize(
    ("wait", "cores", "receive", "book_thread"),
    [
        ("epoll", 64, False, False),
        ("auto", 2, False, False),
        ("auto", 5, False, False),
        ("auto", 6, True, True),
        ("busy", 1, True, False),
        ("busy", 2, True, False),
        ("busy", 3, True, True),
    ],
)
def test_who_spins_follows_from_the_cores(wait: str, cores: int, receive: bool, book_thread: bool) -> None:
    """Nothing spins by default on a small machine, and never more than one thread on two cores."""
    assert spinning(wait, cores) == (receive, book_thread)


def test_microprices_are_given_to_the_books_taken() -> None:
    """A table makes its book; those of other channels and shards are left to others."""
    tables = [Table(exchange, "BTC-USDT", (1, -2), np.array([[-1.0], [1.0]])) for exchange in ("binance", "okx")]
    for taken, shard, wanted in ((("okx",), "1/1", {3}), ((), "1/1", {0, 3})):
        host = Host()
        put_microprices(host.engine, Settings(channels=taken, shard=shard), NO_SYMBOLS, tables)
        table = host.engine.table
        assert set(table.book_exchange[: int(table.counts[0])].tolist()) == wanted
        assert (host.engine.arrays["history_heads"][: len(wanted), BUCKETS] == 2).all()
    of = 1 + t_shard("BTC-USDT", 2)
    for shard, books_made in ((of, 2), (3 - of, 0)):
        host = Host()
        put_microprices(host.engine, Settings(shard=f"{shard}/2"), NO_SYMBOLS, tables)
        assert int(host.engine.table.counts[0]) == books_made


def test_a_microprice_of_another_tick_is_refused() -> None:
    """The symbols file knows the tick."""
    config = ConsumerConfig(symbols=(SymbolConfig("okx", "BTC-USDT", PositiveDecimal("0.10")),))
    table = Table("okx", "BTC-USDT", (1, -2), np.zeros((2, 2)))
    with pytest.raises(ConfigError, match=r"tick_size of okx BTC-USDT: expected its microprice's \(1e-2\), found 0.10"):
        put_microprices(Host().engine, Settings(), config, [table])


def test_a_consumer_with_another_instruments_table_does_not_start(tmp_path: Path, capsys: Any) -> None:
    """Exit 2 before anything is opened, naming the table, what was expected and what was found."""
    training = Training(start="a", end="b", rows=1, moves=100, sources=("c",))
    table = TableFile(
        kind="microprice", version=1, exchange="okx", symbol="BTC-USDT", tick=PositiveDecimal("0.1"), buckets=2,
        spreads=1, table=((0.0, -0.5), (0.0, 0.5)), training=training,
    )  # fmt: skip
    write(tmp_path / "table.json", table)
    named = {"processing_config": {"microprice": {"okx ETH-USDT": "table.json"}}}
    (tmp_path / "symbols.json").write_text(json.dumps(named))
    (tmp_path / "consumer.toml").write_text('symbols_file = "symbols.json"\nhttp_port = 0\n')
    assert main(["--config", str(tmp_path / "consumer.toml")]) == 2
    said = "symbol: expected a table of okx ETH-USDT, found one of okx BTC-USDT"
    assert capsys.readouterr().err == f"consumer: {tmp_path / 'table.json'}: {said}\n"

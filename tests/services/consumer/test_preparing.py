"""What kernels are told of the settings, and the books that configuration makes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from libs.engine import words
from libs.market.config import load_consumer_config
from libs.market.symbol_table import t_name, t_shard
from services.consumer.preparing import register_symbols, spinning, tell_kernels
from services.consumer.settings import Settings
from tests.conftest import ROOT
from tests.libs.engine.harness import Host

CONFIG = load_consumer_config(ROOT / "config/consumer/symbols.json")


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

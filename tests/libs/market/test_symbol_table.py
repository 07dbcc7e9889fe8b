"""The symbol table against a dict."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.market import symbol_table as table
from libs.market.symbol_table import (
    BOOKS,
    BOOKS_FULL,
    NOT_A_SYMBOL,
    SYMBOLS,
    SYMBOLS_FULL,
    UNKNOWN,
    lookup,
    register,
    t_find,
    t_name,
    t_register,
    t_shard,
    t_symbol_name,
)

names = st.one_of(
    st.sampled_from(["BTC-USDT", "ETH-USDT", "BTC-USDT-PERP", "BTC-USD", "BTC-USD-PERP", "X"]),
    st.text(min_size=1, max_size=16).filter(lambda s: len(s.encode(errors="replace")) <= 64),
).filter(lambda s: s.isprintable())
pairs = st.lists(st.tuples(st.integers(0, 4), names), max_size=60)


@given(pairs, st.integers(1, 24), st.integers(1, 12))
@settings(max_examples=150)
def test_it_does_what_a_dict_does(stream: list[tuple[int, str]], max_books: int, max_symbols: int) -> None:
    """Ids are dense and in order of arrival, and each limit refuses what is past it and nothing else."""
    t = table.new(max_books, max_symbols)
    books: dict[tuple[int, str], int] = {}
    symbols: dict[str, int] = {}
    for exchange, name in stream:
        found = t_register(t, exchange, name)
        if (exchange, name) in books:
            assert found == books[exchange, name]
        elif len(books) == max_books:
            assert found == BOOKS_FULL
        elif name not in symbols and len(symbols) == max_symbols:
            assert found == SYMBOLS_FULL
        else:
            symbols.setdefault(name, len(symbols))
            books[exchange, name] = len(books)
            assert found == books[exchange, name]
        assert t.counts.tolist() == [len(books), len(symbols)]
    for (exchange, name), book in books.items():
        assert t_find(t, exchange, name) == book
        assert t_name(t, book) == name
        assert (t.book_exchange[book], t.book_symbol[book]) == (exchange, symbols[name])
    for name, symbol in symbols.items():
        assert t_symbol_name(t, symbol) == name
        assert t.symbol_books[symbol].tolist() == [books.get((e, name), -1) for e in range(8)]
    for exchange, name in stream:
        assert t_find(t, exchange, name) == books.get((exchange, name), UNKNOWN)


def test_the_kernels_read_a_symbol_inside_a_datagram() -> None:
    """A symbol is found where it stands in a buffer, and not one byte beside it."""
    t = table.new(4, 4)
    buf = np.frombuffer(b"--BTC-USDT--", np.uint8).copy()
    book = register(t, 3, buf, 2, 8)
    assert (book, t_name(t, book)) == (0, "BTC-USDT")
    assert lookup(t, 3, buf, 2, 8) == book
    assert lookup(t, 3, buf, 2, 7) == UNKNOWN
    assert lookup(t, 3, buf, 1, 8) == UNKNOWN
    assert lookup(t, 2, buf, 2, 8) == UNKNOWN


def test_a_name_that_cannot_be_is_refused() -> None:
    """An empty name, one of 65 bytes, and an exchange out of range make no book; 64 bytes do."""
    t = table.new(4, 4)
    assert t_register(t, 0, "") == NOT_A_SYMBOL
    assert t_register(t, 0, "x" * 65) == NOT_A_SYMBOL
    assert t_register(t, 8, "x") == NOT_A_SYMBOL
    assert t.counts.tolist() == [0, 0]
    assert t_register(t, 0, "€" * 21 + "x") == 0
    assert t_name(t, 0) == "€" * 21 + "x"


def test_a_full_symbol_list_still_takes_known_symbols() -> None:
    """Past max_symbols a known symbol still gets a book on another exchange."""
    t = table.new(4, 1)
    assert t_register(t, 0, "A") == 0
    assert t_register(t, 0, "B") == SYMBOLS_FULL
    assert t_register(t, 1, "A") == 1
    assert (t.counts[BOOKS], t.counts[SYMBOLS]) == (2, 1)


def test_it_fills_to_the_last_place() -> None:
    """Every one of 10,240 books of 2,048 symbols is found again."""
    t = table.new(10_240, 2048)
    ids = [t_register(t, e, f"S{i:04d}-USDT") for i in range(2048) for e in range(5)]
    assert ids == list(range(10_240))
    assert t_register(t, 5, "S0000-USDT") == BOOKS_FULL
    assert [t_find(t, e, f"S{i:04d}-USDT") for i in range(2048) for e in range(5)] == ids


def shard_oracle(symbol: str, shards: int) -> int:
    """Return the shard of a symbol: its length and its words of 8 bytes mixed, spread, the upper bits scaled."""
    mask, spread = 2**64 - 1, 0x9E3779B97F4A7C15

    def mixed(h: int, word: int) -> int:
        h = (h ^ word) * spread & mask
        signed = h - 2**64 if h >> 63 else h
        return (signed ^ signed >> 29) & mask

    name = symbol.encode()
    starts = [*range(0, len(name) - 7, 8), max(0, len(name) - 8)]
    h = mixed(0xCBF29CE484222325, len(name))
    for at in starts:
        h = mixed(h, int.from_bytes(name[at : at + 8], "little"))
    signed = h - 2**64 if h >> 63 else h
    h = (signed ^ signed >> 32) * spread & mask
    return ((h >> 33) * shards) >> 31


@given(st.text(min_size=1, max_size=16), st.integers(1, 16))
def test_a_symbol_has_one_shard(symbol: str, shards: int) -> None:
    """The shard is what plain Python computes, so it is the same in every process and version."""
    assert t_shard(symbol, shards) == shard_oracle(symbol, shards)
    assert 0 <= t_shard(symbol, shards) < shards


def test_shards_share_alike() -> None:
    """Of 2,048 symbols no shard takes a quarter more than its share, however alike their names."""
    symbols = [f"{base}{i}-USDT" for base in ("S", "BTC", "PEPE", "X") for i in range(512)]
    for shards in (2, 3, 4, 16):
        counts = np.bincount([t_shard(symbol, shards) for symbol in symbols], minlength=shards)
        assert counts.max() < 1.25 * len(symbols) / shards, counts

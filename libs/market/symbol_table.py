"""Symbols to dense ids: an open-addressing hash from (exchange, symbol) to a book, and from symbol to a canonical id.

One thread writes. Others, in this process or another, see an entry only once it is complete: the count that covers it
is stored last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from libs.jit import kernel
from libs.market.limits import MAX_SYMBOL
from libs.memory import load_acquire, load_i64, store_release

MAX_EXCHANGES = 8

BOOKS, SYMBOLS = 0, 1
"""Indices of ``counts``."""

UNKNOWN = -1
BOOKS_FULL = -1
SYMBOLS_FULL = -2
NOT_A_SYMBOL = -3

_OFFSET = -3750763034362895579
_SPREAD = -7046029254386353131


class SymbolTable(NamedTuple):
    """The table's arrays; nothing is initialised per slot, so pages are touched only where used.

    Attributes
    ----------
    counts : int64[2]
        Books and canonical symbols registered.
    names : uint8[max_books, 64]
        UTF-8, zero padded; ``name_lengths`` in bytes.
    book_exchange, book_symbol : int64[max_books]
        Exchange id and canonical symbol id of a book.
    symbol_books : int64[max_symbols, 8]
        The book of a symbol on each exchange, -1: none. Rows below ``counts[SYMBOLS]`` only.
    symbol_book : int64[max_symbols]
        The first book of a symbol, which holds its name.
    book_slots, symbol_slots : int64[power of two]
        Hash slots: id + 1, or 0.
    """

    counts: np.ndarray
    names: np.ndarray
    name_lengths: np.ndarray
    book_exchange: np.ndarray
    book_symbol: np.ndarray
    symbol_books: np.ndarray
    symbol_book: np.ndarray
    book_slots: np.ndarray
    symbol_slots: np.ndarray


def spec(max_books: int, max_symbols: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return name → (dtype, shape) of the arrays.

    Parameters
    ----------
    max_books : int
        (exchange, symbol) pairs.
    max_symbols : int
        Canonical symbols.
    """
    return {
        "counts": ("<i8", (2,)),
        "names": ("u1", (max_books, MAX_SYMBOL)),
        "name_lengths": ("<i8", (max_books,)),
        "book_exchange": ("<i8", (max_books,)),
        "book_symbol": ("<i8", (max_books,)),
        "symbol_books": ("<i8", (max_symbols, MAX_EXCHANGES)),
        "symbol_book": ("<i8", (max_symbols,)),
        "book_slots": ("<i8", (_slots(max_books),)),
        "symbol_slots": ("<i8", (_slots(max_symbols),)),
    }


def _slots(entries: int) -> int:
    """Return a power of two of at least twice the entries, so that probing stays short and always ends."""
    return 1 << max(1, (2 * entries - 1).bit_length())


def bind(arrays: Mapping[str, np.ndarray]) -> SymbolTable:
    """Return the table over arrays that :func:`spec` named, which start as zeros."""
    return SymbolTable(*(arrays[name] for name in SymbolTable._fields))


def new(max_books: int, max_symbols: int) -> SymbolTable:
    """Return an empty table in this process's memory."""
    return bind({name: np.zeros(shape, dtype) for name, (dtype, shape) in spec(max_books, max_symbols).items()})


@kernel(inline=True)
def _mixed(h: int, word: int) -> int:
    h = (h ^ word) * _SPREAD
    return h ^ (h >> 29)


@kernel(inline=True)
def _hash(seed: int, buf: np.ndarray, off: int, length: int) -> int:
    """Multiply and fold the length and the words of 8 bytes, the last of which may overlap the one before."""
    h = _mixed(_OFFSET ^ seed, length)
    if length < 8:
        word = 0
        for i in range(length):
            word |= np.int64(buf[off + i]) << (8 * i)  # type: ignore[assignment]
        return _mixed(h, word)
    for at in range(off, off + length - 7, 8):
        h = _mixed(h, load_i64(buf, at))
    return _mixed(h, load_i64(buf, off + length - 8))


@kernel(inline=True)
def _same(t: SymbolTable, book: int, buf: np.ndarray, off: int, length: int) -> bool:
    if t.name_lengths[book] != length:
        return False
    name = t.names[book]
    if length < 8:
        for i in range(length):  # noqa: SIM110 - all() of a generator is slower to compile and to run
            if name[i] != buf[off + i]:
                return False
        return True
    for i in range(0, length - 7, 8):
        if load_i64(name, i) != load_i64(buf, off + i):
            return False
    return load_i64(name, length - 8) == load_i64(buf, off + length - 8)


@kernel(inline=True)
def shard_of(buf: np.ndarray, off: int, length: int, shards: int) -> int:
    """Return the shard of a canonical symbol, from 0; the same in every process, whatever the exchange.

    Parameters
    ----------
    buf : uint8[:]
        Holds the symbol's UTF-8 bytes from ``off`` on.
    length : int
        Of the symbol, in bytes.
    shards : int
        How many there are.
    """
    # The table's slots are the low bits of the hash, so these are others: a shard's symbols must not share slots.
    h = _hash(0, buf, off, length)
    h = (h ^ (h >> 32)) * _SPREAD
    return ((h >> 33 & 0x7FFFFFFF) * shards) >> 31


@kernel(inline=True)
def lookup(t: SymbolTable, exchange: int, buf: np.ndarray, off: int, length: int) -> int:
    """Return the book of (exchange, symbol), or UNKNOWN.

    Parameters
    ----------
    buf : uint8[:]
        Holds the symbol's UTF-8 bytes from ``off`` on.
    length : int
        Of the symbol, in bytes.
    """
    mask = len(t.book_slots) - 1
    slot = _hash(exchange + 1, buf, off, length) & mask
    while True:
        book = load_acquire(t.book_slots, slot) - 1
        if book < 0:
            return UNKNOWN
        if t.book_exchange[book] == exchange and _same(t, book, buf, off, length):
            return book
        slot = (slot + 1) & mask


@kernel
def register(t: SymbolTable, exchange: int, buf: np.ndarray, off: int, length: int) -> int:
    """Return the book of (exchange, symbol), making it when it is new.

    Only the table's one writer may call this.

    Returns
    -------
    int
        The book, BOOKS_FULL, SYMBOLS_FULL, or NOT_A_SYMBOL for an empty or too long name.
    """
    book = lookup(t, exchange, buf, off, length)
    if book >= 0:
        return book
    if length < 1 or length > MAX_SYMBOL or exchange < 0 or exchange >= MAX_EXCHANGES:
        return NOT_A_SYMBOL
    book = t.counts[BOOKS]
    if book >= len(t.names):
        return BOOKS_FULL
    mask = len(t.symbol_slots) - 1
    slot = _hash(0, buf, off, length) & mask
    symbol = t.symbol_slots[slot] - 1
    while symbol >= 0 and not _same(t, t.symbol_book[symbol], buf, off, length):
        slot = (slot + 1) & mask
        symbol = t.symbol_slots[slot] - 1
    is_new = symbol < 0
    if is_new:
        symbol = t.counts[SYMBOLS]
        if symbol >= len(t.symbol_book):
            return SYMBOLS_FULL
    for i in range(length):
        t.names[book, i] = buf[off + i]
    t.name_lengths[book] = length
    t.book_exchange[book] = exchange
    t.book_symbol[book] = symbol
    if is_new:
        t.symbol_book[symbol] = book
        for e in range(MAX_EXCHANGES):
            t.symbol_books[symbol, e] = -1
    t.symbol_books[symbol, exchange] = book
    if is_new:
        store_release(t.symbol_slots, slot, symbol + 1)
        store_release(t.counts, SYMBOLS, symbol + 1)
    mask = len(t.book_slots) - 1
    slot = _hash(exchange + 1, buf, off, length) & mask
    while t.book_slots[slot] != 0:
        slot = (slot + 1) & mask
    store_release(t.book_slots, slot, book + 1)
    store_release(t.counts, BOOKS, book + 1)
    return book


def t_register(t: SymbolTable, exchange: int, text: str) -> int:
    """Return what :func:`register` says of a symbol given as text."""
    buf = _bytes(text)
    return int(register(t, exchange, buf, 0, len(buf)))


def t_shard(text: str, shards: int) -> int:
    """Return what :func:`shard_of` says of a symbol given as text."""
    buf = _bytes(text)
    return int(shard_of(buf, 0, len(buf), shards))


def t_find(t: SymbolTable, exchange: int, text: str) -> int:
    """Return the book of (exchange, symbol), or UNKNOWN."""
    buf = _bytes(text)
    return int(lookup(t, exchange, buf, 0, len(buf)))


def t_name(t: SymbolTable, book: int) -> str:
    """Return a book's symbol."""
    return bytes(t.names[book, : t.name_lengths[book]]).decode()


def t_symbol_name(t: SymbolTable, symbol: int) -> str:
    """Return the name of a canonical symbol."""
    return t_name(t, int(t.symbol_book[symbol]))


def _bytes(text: str) -> np.ndarray:
    # A copy, because a read-only array is another type to a kernel and would compile it again.
    return np.frombuffer(text.encode(), np.uint8).copy()

"""Quote currencies that a configured mapping joins: rows of the quote beside those of the symbols.

Symbols in different quote currencies (``BTC-USDT``, ``BTC-USDC``) are different symbols. Where a group joins their
currencies, those that differ in nothing else make a family, whose quote is consolidated over all of their books as if
the currencies were worth the same. It never takes the place of a symbol's own quote: it is a row more, with a name that
says so (``BTC-USDT+USDC``), once a second symbol of it is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from libs.jit import kernel
from libs.market.limits import MAX_SYMBOL
from libs.market.symbol_table import SymbolTable
from libs.memory import copy_bytes
from libs.nbbo.state import EXCHANGES

QUOTES = 4
"""Quote currencies in a group at the most."""
SLOTS = QUOTES * EXCHANGES
GROUPS = 8
CURRENCY_BYTES = 16

COUNT, NAMELESS, NO_ROOM = range(3)
"""Words of ``counts``: families, and symbols that make none because its name or the families would not fit."""

NO_FAMILY = -1
_DASH, _PLUS = 45, 43


class Families(NamedTuple):
    """Groups as configured, and the families found so far.

    Attributes
    ----------
    currencies : uint8[GROUPS, QUOTES * CURRENCY_BYTES]
        Names by group, zero padded.
    lengths : int64[GROUPS, QUOTES]
        Of the names, in bytes; 0: no such currency.
    counts : int64[8]
    of_symbol : int64[max_symbols]
        0: not looked at, -1: of no family, else family + 1.
    names : uint8[families + 1, MAX_SYMBOL]
        Zero padded; the last row is room to write in.
    name_lengths : int64[families + 1]
    symbols : int64[families + 1, QUOTES]
        Canonical symbol + 1 by place of its currency in the group; 0: none yet.
    members : int64[families + 1, SLOTS]
        Books by slot, as :func:`fill` left them.
    """

    currencies: np.ndarray
    lengths: np.ndarray
    counts: np.ndarray
    of_symbol: np.ndarray
    names: np.ndarray
    name_lengths: np.ndarray
    symbols: np.ndarray
    members: np.ndarray


def spec(max_symbols: int, families: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return name → (dtype, shape) of the arrays, for shared memory."""
    return {
        "currencies": ("u1", (GROUPS, QUOTES * CURRENCY_BYTES)),
        "lengths": ("<i8", (GROUPS, QUOTES)),
        "counts": ("<i8", (8,)),
        "of_symbol": ("<i8", (max_symbols,)),
        "names": ("u1", (families + 1, MAX_SYMBOL)),
        "name_lengths": ("<i8", (families + 1,)),
        "symbols": ("<i8", (families + 1, QUOTES)),
        "members": ("<i8", (families + 1, SLOTS)),
    }


def bind(arrays: Mapping[str, np.ndarray]) -> Families:
    """Return the state whose arrays :func:`spec` named."""
    return Families(*(arrays[field] for field in Families._fields))


def new(max_symbols: int, families: int) -> Families:
    """Return no families, in this process's memory."""
    return bind({name: np.zeros(shape, dtype) for name, (dtype, shape) in spec(max_symbols, families).items()})


def configure(f: Families, groups: Sequence[Sequence[str]]) -> None:
    """Write the groups of quote currencies; each currency stands in one of them.

    Raises
    ------
    ValueError
        When there are too many, or one has an empty or too long name.
    """
    if len(groups) > GROUPS or any(not 2 <= len(group) <= QUOTES for group in groups):
        raise ValueError(f"expected at most {GROUPS} groups of 2 to {QUOTES} currencies")
    for g, group in enumerate(groups):
        for q, currency in enumerate(group):
            name = currency.encode()
            if not 1 <= len(name) <= CURRENCY_BYTES:
                raise ValueError(f"currency {currency!r}: expected 1 to {CURRENCY_BYTES} bytes")
            f.currencies[g, q * CURRENCY_BYTES : q * CURRENCY_BYTES + len(name)] = np.frombuffer(name, np.uint8)
            f.lengths[g, q] = len(name)


def t_name(f: Families, family: int) -> str:
    """Return a family's name."""
    return bytes(f.names[family, : f.name_lengths[family]]).decode()


def currencies(name: str) -> list[str]:
    """Return the quote currencies of a symbol's or a family's name, in the order of their places; [] for none."""
    parts = name.split("-")
    return parts[1].split("+") if len(parts) > 1 else []


@kernel
def _same(one: np.ndarray, at: int, other: np.ndarray, from_: int, length: int) -> bool:
    for k in range(length):  # noqa: SIM110 - numba compiles no generator expressions
        if one[at + k] != other[from_ + k]:
            return False
    return True


@kernel
def _dash(name: np.ndarray, start: int, length: int) -> int:
    """Return the place of the next dash, or the name's end."""
    at = start
    while at < length and name[at] != _DASH:
        at += 1
    return at


@kernel
def _group_of(f: Families, name: np.ndarray, start: int, end: int) -> tuple[int, int]:
    """Return group and place of a currency that stands in a name; -1: in none."""
    for g in range(GROUPS if end > start else 0):
        for q in range(QUOTES):
            if f.lengths[g, q] == end - start and _same(f.currencies[g], q * CURRENCY_BYTES, name, start, end - start):
                return g, q
    return -1, -1


@kernel
def _write_name(f: Families, row: int, group: int, name: np.ndarray, start: int, end: int, length: int) -> int:
    """Write a family's name, its currencies joined by plus signs; return its length, or -1 where it does not fit."""
    total = start + length - end
    for q in range(QUOTES):
        total += f.lengths[group, q] + (1 if q > 0 and f.lengths[group, q] > 0 else 0)
    if total > MAX_SYMBOL:
        return -1
    out = f.names[row]
    out[:] = 0
    copy_bytes(out, 0, name, 0, start)
    at = start
    for q in range(QUOTES):
        if f.lengths[group, q] > 0:
            if q > 0:
                out[at] = _PLUS
                at += 1
            copy_bytes(out, at, f.currencies[group], q * CURRENCY_BYTES, f.lengths[group, q])
            at += f.lengths[group, q]
    copy_bytes(out, at, name, end, length - end)
    return total


@kernel
def _enrol(f: Families, table: SymbolTable, symbol: int) -> int:
    book = table.symbol_book[symbol]
    name = table.names[book]
    length = table.name_lengths[book]
    start = _dash(name, 0, length) + 1
    end = _dash(name, start, length)
    group, place = _group_of(f, name, start, end)
    if group < 0:
        return NO_FAMILY
    last = f.counts[COUNT]
    total = _write_name(f, last, group, name, start, end, length)
    if total < 0:
        f.counts[NAMELESS] += 1
        return NO_FAMILY
    family = 0
    while family < last and not (
        f.name_lengths[family] == total and _same(f.names[family], 0, f.names[last], 0, total)
    ):
        family += 1
    if family == last:
        if last + 1 >= len(f.names):
            f.counts[NO_ROOM] += 1
            return NO_FAMILY
        f.name_lengths[last] = total
        f.counts[COUNT] += 1
    f.symbols[family, place] = symbol + 1
    return family


@kernel
def family_of(f: Families, table: SymbolTable, symbol: int) -> int:
    """Return the family of a canonical symbol, or NO_FAMILY; one that is seen for the first time takes its place in it.

    Only the thread that consolidates may call this.
    """
    if f.of_symbol[symbol] == 0:
        family = _enrol(f, table, symbol)
        f.of_symbol[symbol] = family + 1 if family >= 0 else -1
    return f.of_symbol[symbol] - 1 if f.of_symbol[symbol] > 0 else NO_FAMILY


@kernel
def fill(f: Families, table: SymbolTable, family: int) -> int:
    """Bring the books of a family up to date in ``members``; return how many symbols it has."""
    found = 0
    for q in range(QUOTES):
        symbol = f.symbols[family, q] - 1
        found += 1 if symbol >= 0 else 0
        for e in range(EXCHANGES):
            f.members[family, q * EXCHANGES + e] = table.symbol_books[symbol, e] if symbol >= 0 else -1
    return found

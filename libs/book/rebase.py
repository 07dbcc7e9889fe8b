"""The decimal unit of a book: from a message's exponents to the book's, and to a finer unit when a level needs one."""

from __future__ import annotations

import numpy as np

from libs.book.state import (
    COUNTERS,
    COUNTS,
    FIRST,
    HAS_UNIT,
    KNOWN_END,
    KNOWN_SET,
    KNOWN_TO,
    LOT,
    LOT_EXP,
    LOT_UNITS,
    PRICE_EXP,
    REBASED,
    SIZE_EXP,
    TICK,
    TICK_EXP,
    TICK_UNITS,
)
from libs.jit import kernel

MAX = 2**63 - 1
DIGITS = 18
"""The largest power of ten in an int64."""

POW10 = np.array([10**k for k in range(DIGITS + 1)], np.int64)


@kernel
def _in_units(mantissa: int, exponent: int, unit: int) -> int:
    """Return a positive quantity in 10^unit, or 0 when it is no whole number of them or beyond int64."""
    up = exponent - unit
    if up >= 0:
        return mantissa * POW10[up] if up <= DIGITS and mantissa <= MAX // POW10[up] else 0
    if -up > DIGITS or mantissa % POW10[-up] != 0:
        return 0
    return mantissa // POW10[-up]


@kernel
def count_in_units(words: np.ndarray, base: int) -> None:
    """Work out tick and lot in the book's unit after either changed."""
    words[base + TICK_UNITS] = _in_units(words[base + TICK], words[base + TICK_EXP], words[base + PRICE_EXP])
    words[base + LOT_UNITS] = _in_units(words[base + LOT], words[base + LOT_EXP], words[base + SIZE_EXP])


@kernel
def set_unit(words: np.ndarray, base: int, price_exp: int, size_exp: int) -> None:
    """Choose the unit of a book without levels: the Instrument's decimals, else a message's exponents."""
    if words[base + TICK] > 0 and words[base + LOT] > 0:
        price_exp = words[base + TICK_EXP]
        size_exp = words[base + LOT_EXP]
    words[base + PRICE_EXP] = price_exp
    words[base + SIZE_EXP] = size_exp
    words[base + HAS_UNIT] = 1
    count_in_units(words, base)


@kernel
def _finest(data: np.ndarray, at: int, n: int, exponent: int, unit: int) -> int:
    """Return the exponent that ``n`` mantissas, every second word, need: ``unit`` or a finer one."""
    need = unit
    for i in range(at, at + 2 * n, 2):
        mantissa = data[i]
        decimals = exponent
        while decimals < need and mantissa != 0 and mantissa % 10 == 0:
            mantissa //= 10
            decimals += 1
        if mantissa != 0 and decimals < need:
            need = decimals
            if need == exponent:
                break
    return need


@kernel
def _fits(values: np.ndarray, first: int, count: int, digits: int) -> bool:
    if digits > DIGITS:
        return count == 0
    limit = MAX // POW10[digits]
    for k in range(first, first + count):  # noqa: SIM110 - kernels have no generators
        if values[k] > limit:
            return False
    return True


@kernel
def _known_end_fits(words: np.ndarray, base: int, side: int, digits: int) -> bool:
    if words[base + KNOWN_SET + side] != KNOWN_TO:
        return True
    return digits <= DIGITS and words[base + KNOWN_END + side] <= MAX // POW10[digits]


@kernel
def rebase(prices: np.ndarray, sizes: np.ndarray, words: np.ndarray, base: int, price_exp: int, size_exp: int) -> bool:
    """Take a book to a unit at least as fine, exactly; False, and nothing is changed, when something leaves int64.

    Parameters
    ----------
    prices, sizes : int64[2, :]
        The book's rows.
    """
    price_digits = words[base + PRICE_EXP] - price_exp
    size_digits = words[base + SIZE_EXP] - size_exp
    if price_digits == 0 and size_digits == 0:
        return True
    for side in range(2):
        first = words[base + FIRST + side]
        count = words[base + COUNTS + side]
        if not _fits(prices[side], first, count, price_digits) or not _fits(sizes[side], first, count, size_digits):
            return False
        if not _known_end_fits(words, base, side, price_digits):
            return False
    price_factor = POW10[price_digits] if price_digits <= DIGITS else 1
    size_factor = POW10[size_digits] if size_digits <= DIGITS else 1
    for side in range(2):
        first = words[base + FIRST + side]
        for k in range(first, first + words[base + COUNTS + side]):
            prices[side, k] *= price_factor
            sizes[side, k] *= size_factor
        if words[base + KNOWN_SET + side] == KNOWN_TO:
            words[base + KNOWN_END + side] *= price_factor
    words[base + PRICE_EXP] = price_exp
    words[base + SIZE_EXP] = size_exp
    words[base + COUNTERS + REBASED] += 1
    count_in_units(words, base)
    return True


@kernel
def make_room(
    prices: np.ndarray,
    sizes: np.ndarray,
    words: np.ndarray,
    base: int,
    price_exp: int,
    size_exp: int,
    data: np.ndarray,
    at: int,
    n: int,
) -> bool:
    """Re-base the book when one of ``n`` levels has more decimals than its unit; False when that leaves int64."""
    price_unit = _finest(data, at, n, price_exp, words[base + PRICE_EXP])
    size_unit = _finest(data, at + 1, n, size_exp, words[base + SIZE_EXP])
    return rebase(prices, sizes, words, base, price_unit, size_unit)


@kernel(inline=True)
def scale_of(exponent: int, unit: int) -> tuple[int, int, int]:
    """Return factor, divisor and largest mantissa from a message's exponent to the book's unit.

    A finer message has only mantissas that divide, after :func:`make_room`; a coarser one may leave int64.
    """
    up = exponent - unit
    if up == 0:
        return 1, 1, MAX
    if up > DIGITS:
        return 1, 1, 0
    if up > 0:
        return POW10[up], 1, MAX // POW10[up]
    return 1, POW10[min(-up, DIGITS)], MAX

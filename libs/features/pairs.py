"""Integers of two words, for sums that may leave int64: high × 2^62 + low with 0 ≤ low < 2^62."""

from __future__ import annotations

from libs.book.rebase import DIGITS, POW10
from libs.jit import kernel

BITS = 62
MASK = 2**BITS - 1
MASK_31 = 2**31 - 1
TWO_62 = 2.0**BITS
MOST = 2**60
"""Bound of ``high``: what is scaled stays below it, which leaves room for 2^60 further int64."""

Pair = tuple[int, int]


@kernel(inline=True)
def pair_of(n: int) -> Pair:
    """Return an int64 as a pair."""
    return n >> BITS, n & MASK


@kernel(inline=True)
def plus(pair: Pair, n: int) -> Pair:
    """Return the pair plus an int64."""
    low = pair[1] + (n & MASK)
    return pair[0] + (n >> BITS) + (low >> BITS), low & MASK


@kernel(inline=True)
def sum_of_pairs(one: Pair, other: Pair) -> Pair:
    """Return one + other."""
    low = one[1] + other[1]
    return one[0] + other[0] + (low >> BITS), low & MASK


@kernel(inline=True)
def difference(one: Pair, other: Pair) -> Pair:
    """Return one − other."""
    low = one[1] - other[1]
    return one[0] - other[0] + (low >> BITS), low & MASK


@kernel(inline=True)
def fits_scaled(pair: Pair, digits: int) -> bool:
    """Return whether the pair × 10^digits is still a pair with room to spare."""
    if digits > DIGITS:
        return pair[0] == 0 and pair[1] == 0
    return abs(pair[0]) < MOST // POW10[digits]


@kernel
def times_ten_to(pair: Pair, digits: int) -> Pair:
    """Return the pair × 10^digits, which must fit (:func:`fits_scaled`)."""
    high, low = pair
    if high == 0 and low == 0:
        return high, low
    for _ in range(digits):
        first = (low & MASK_31) * 10
        second = (low >> 31) * 10 + (first >> 31)
        high = high * 10 + (second >> 31)
        low = (second & MASK_31) << 31 | (first & MASK_31)
    return high, low


@kernel(inline=True)
def as_float(pair: Pair) -> float:
    """Return the pair as a float: correctly rounded while it fits an int64, within 2 ulp beyond."""
    high, low = pair
    if -2 <= high <= 1:
        return float((high << BITS) + low)
    return float(high) * TWO_62 + float(low)

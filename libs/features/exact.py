"""Sums and ratios of integers that may leave int64, exact up to the last conversion to a float.

A sum is carried as two words, ``high * 2^32 + low``, each well inside int64; a sum of products that leave int64 as five
words of 31 bits. Only the result is rounded.
"""

from __future__ import annotations

import numpy as np

from libs.jit import kernel

MASK_32 = 2**32 - 1
MASK_31 = 2**31 - 1
TWO_32 = 2.0**32
TWO_31 = 2.0**31
MAX = 2**63 - 1

TENS = np.array([float(f"1e{k}") for k in range(300)], np.float64)

Wide = tuple[int, int, int, int, int]


@kernel(inline=True)
def scaled(number: float, exponent: int) -> float:
    """Return number × 10^exponent; dividing keeps it correctly rounded where both are exact (down to 10^-22)."""
    return number / TENS[-exponent] if exponent < 0 else number * TENS[exponent]


@kernel(inline=True)
def value(mantissa: int, exponent: int) -> float:
    """Return mantissa × 10^exponent: correctly rounded below 2^53, within 1 ulp above."""
    return scaled(float(mantissa), exponent)


@kernel(inline=True)
def joined(high: int, low: int) -> float:
    """Return high × 2^32 + low, rounded once."""
    return float(high) * TWO_32 + float(low)


@kernel(inline=True)
def sum_of(one: int, other: int) -> float:
    """Return the sum of two integers, rounded once."""
    return joined((one >> 32) + (other >> 32), (one & MASK_32) + (other & MASK_32))


@kernel(inline=True)
def wap_of(bid: int, bid_size: int, ask: int, ask_size: int, price_exp: int) -> float:
    """Return (bid × ask_size + ask × bid_size) / (bid_size + ask_size), within 4 ulp; the sizes are positive."""
    weighted = float(bid) * float(ask_size) + float(ask) * float(bid_size)
    return scaled(weighted / sum_of(bid_size, ask_size), price_exp)


@kernel
def sum_range(values: np.ndarray, start: int, end: int) -> tuple[int, int]:
    """Return the sum of ``values[start:end]`` (not negative) as high and low words."""
    high = 0
    low = 0
    for k in range(start, end):
        high += values[k] >> 32
        low += values[k] & MASK_32
    return high, low


@kernel
def products_fit(prices: np.ndarray, sizes: np.ndarray, start: int, end: int) -> bool:
    """Return whether every price × size stays inside int64, judged by the largest of each."""
    price = 0
    size = 0
    for k in range(start, end):
        price = max(price, prices[k])
        size = max(size, sizes[k])
    return size == 0 or price <= MAX // size


@kernel
def sum_products(prices: np.ndarray, sizes: np.ndarray, start: int, end: int) -> tuple[int, int]:
    """Return Σ price × size as high and low words; every product must fit an int64."""
    high = 0
    low = 0
    for k in range(start, end):
        product = prices[k] * sizes[k]
        high += product >> 32
        low += product & MASK_32
    return high, low


@kernel
def sum_wide_products(prices: np.ndarray, sizes: np.ndarray, start: int, end: int) -> Wide:
    """Return Σ price × size as five words of 31 bits, lowest first; exact for any int64 that is not negative."""
    w0 = w1 = w2 = w3 = w4 = 0
    for k in range(start, end):
        p0, p1, p2 = prices[k] & MASK_31, prices[k] >> 31 & MASK_31, prices[k] >> 62
        q0, q1, q2 = sizes[k] & MASK_31, sizes[k] >> 31 & MASK_31, sizes[k] >> 62
        t0 = p0 * q0
        t1 = p0 * q1 + p1 * q0
        t2 = p0 * q2 + p1 * q1 + p2 * q0
        t3 = p1 * q2 + p2 * q1
        w0 += t0 & MASK_31
        w1 += (t0 >> 31) + (t1 & MASK_31)
        w2 += (t1 >> 31) + (t2 & MASK_31)
        w3 += (t2 >> 31) + (t3 & MASK_31)
        w4 += (t3 >> 31) + p2 * q2
    return w0, w1, w2, w3, w4


@kernel
def _carried(w0: int, w1: int, w2: int, w3: int, w4: int) -> Wide:
    w1 += w0 >> 31
    w2 += w1 >> 31
    w3 += w2 >> 31
    w4 += w3 >> 31
    return w0 & MASK_31, w1 & MASK_31, w2 & MASK_31, w3 & MASK_31, w4


@kernel
def wide_float(wide: Wide, other: Wide, sign: int) -> float:
    """Return the sum (sign 1) or difference (sign -1) of two wide sums, within 1 ulp.

    Only the top word can be negative. What follows it takes off less than one unit of it, and while few bits are left
    nothing is rounded, so adding from the top loses nothing to cancellation.
    """
    w0, w1, w2, w3, w4 = _carried(
        wide[0] + sign * other[0],
        wide[1] + sign * other[1],
        wide[2] + sign * other[2],
        wide[3] + sign * other[3],
        wide[4] + sign * other[4],
    )
    top = float(w4) * TWO_31 + float(w3)
    return ((top * TWO_31 + float(w2)) * TWO_31 + float(w1)) * TWO_31 + float(w0)


@kernel(inline=True)
def imbalance(bids: tuple[int, int], asks: tuple[int, int]) -> float:
    """Return (bids − asks) / (bids + asks) of two sums in high and low words; NaN when both are 0."""
    total = joined(bids[0] + asks[0], bids[1] + asks[1])
    return joined(bids[0] - asks[0], bids[1] - asks[1]) / total if total > 0 else np.nan

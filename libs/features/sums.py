"""Exact sums of floats: a fixed-point number so wide that adding and taking away lose nothing, whatever the age.

A sum is LIMBS words of 32 bits, the lowest worth 2^-BIAS (Kulisch and Miranker 1986, *The arithmetic of the digital
computer*, SIAM Review 28(1), section 3: the long accumulator, as wide as squared log returns need). A running sum
of floats would carry the rounding of everything that ever passed through the window.
"""

from __future__ import annotations

import math

import numpy as np

from libs.jit import kernel

LIMBS = 11
BIAS = 320
MASK_32 = 2**32 - 1
TWO_32 = 2.0**32
TWO_53 = 2.0**53

SCALES = np.array([2.0 ** (32 * k - BIAS) for k in range(LIMBS)], np.float64)
SMALLEST, LARGEST = 2.0**-266, 2.0**20
"""What may be added lies between them: squared log returns of int64 prices do."""


@kernel
def add(words: np.ndarray, at: int, x: float, sign: int) -> None:
    """Add (sign 1) or take away (sign -1) a float to the sum at ``words[at:at + LIMBS]``.

    A limb takes 2^30 of them between two calls of :func:`settle`.
    """
    fraction, exponent = math.frexp(x)
    mantissa = int(fraction * TWO_53)
    place = exponent - 53 + BIAS
    first = at + (place >> 5)
    shift = place & 31
    low = (mantissa & MASK_32) << shift
    high = (mantissa >> 32) << shift
    words[first] += sign * (low & MASK_32)
    words[first + 1] += sign * ((low >> 32) + (high & MASK_32))
    words[first + 2] += sign * (high >> 32)


@kernel
def settle(words: np.ndarray, at: int) -> float:
    """Carry between the limbs of a sum that is not negative, and return it within 2 ulp."""
    carry = 0
    top = 0
    for k in range(LIMBS):
        limb = words[at + k] + carry
        carry = limb >> 32
        limb &= MASK_32
        words[at + k] = limb
        if limb != 0:
            top = k
    if top < 2:
        return float(words[at]) * SCALES[0] + float(words[at + 1]) * SCALES[1]
    found = (float(words[at + top]) * TWO_32 + float(words[at + top - 1])) * TWO_32 + float(words[at + top - 2])
    return found * SCALES[top - 2]


@kernel
def clear(words: np.ndarray, at: int) -> None:
    """Make the sum 0."""
    for k in range(LIMBS):
        words[at + k] = 0

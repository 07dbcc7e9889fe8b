"""MurmurHash3_x64_128 over 64-bit words, seed 0.

Source: A. Appleby, smhasher, ``src/MurmurHash3.cpp`` (public domain), ``MurmurHash3_x64_128``; the bytes hashed are the
words in little-endian order, in whole blocks of 16 bytes. It tells accidents apart, not adversaries.
"""

from __future__ import annotations

import numpy as np

from libs.jit import kernel

BLOCK_WORDS = 2
BLOCK_BYTES = 16

# The reference's constants as signed words: kernels know int64 only, and its sums and products wrap.
_C1 = 0x87C37B91114253D5 - 2**64
_C2 = 0x4CF5AD432745937F
_M1 = 0xFF51AFD7ED558CCD - 2**64
_M2 = 0xC4CEB9FE1A85EC53 - 2**64
_A1, _A2 = 0x52DCE729, 0x38495AB5
_LOW_31 = 2**31 - 1


@kernel(inline=True)
def _rotated(x: int, bits: int) -> int:
    """Return a word rotated to the left."""
    return x << bits | (x >> (64 - bits) & ((1 << bits) - 1))


@kernel(inline=True)
def _mixed(k: int) -> int:
    """Return the reference's fmix64."""
    k = (k ^ (k >> 33 & _LOW_31)) * _M1
    k = (k ^ (k >> 33 & _LOW_31)) * _M2
    return k ^ (k >> 33 & _LOW_31)


@kernel(inline=True)
def absorb(h1: int, h2: int, k1: int, k2: int) -> tuple[int, int]:
    """Return the state after a block of two words; it begins as (0, 0)."""
    h1 ^= _rotated(k1 * _C1, 31) * _C2
    h1 = (_rotated(h1, 27) + h2) * 5 + _A1
    h2 ^= _rotated(k2 * _C2, 33) * _C1
    h2 = (_rotated(h2, 31) + h1) * 5 + _A2
    return h1, h2


@kernel(inline=True)
def finish(h1: int, h2: int, blocks: int) -> tuple[int, int]:
    """Return the hash of what was absorbed in so many blocks."""
    h1 ^= blocks * BLOCK_BYTES
    h2 ^= blocks * BLOCK_BYTES
    h1 += h2
    h2 += h1
    h1, h2 = _mixed(h1), _mixed(h2)
    h1 += h2
    return h1, h2 + h1


@kernel
def hash_words(words: np.ndarray, start: int, end: int) -> tuple[int, int]:
    """Return the hash of ``words[start:end]`` (int64[:]), an even number of them."""
    h1, h2 = 0, 0
    for k in range(start, end, BLOCK_WORDS):
        h1, h2 = absorb(h1, h2, words[k], words[k + 1])
    return finish(h1, h2, (end - start) // BLOCK_WORDS)


@kernel
def hash_pairs_down(ones: np.ndarray, others: np.ndarray, start: int, end: int) -> tuple[int, int]:
    """Return the hash of (ones[k], others[k]) for k from ``end - 1`` down to ``start``."""
    h1, h2 = 0, 0
    for k in range(end - 1, start - 1, -1):
        h1, h2 = absorb(h1, h2, ones[k], others[k])
    return finish(h1, h2, end - start)

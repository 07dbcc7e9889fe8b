"""A chain of hashes: each link covers a record and the link before it, so that the last one covers everything.

``link(n) = MurmurHash3_x64_128(link(n − 1) ‖ record(n))``; ``link(0)`` is 16 zero bytes. In text a link is its bytes,
the first word little-endian first, in hexadecimal.
"""

from __future__ import annotations

import numpy as np

from libs.digest.murmur import BLOCK_WORDS, absorb, finish
from libs.jit import kernel

# Words of a chain.
HIGH, LOW, LINKS, FEED_US = range(4)
"""The link's two words, how many records there were, feed time of the last."""
CHAIN_WORDS = 4

NAN = 0x7FF8000000000000
_EXPONENT, _MANTISSA = 0x7FF0000000000000, 0x000FFFFFFFFFFFFF


@kernel(inline=True)
def canonical(bits: int) -> int:
    """Return the bits of a float64 with every NaN the same one."""
    return NAN if bits & _EXPONENT == _EXPONENT and bits & _MANTISSA != 0 else bits


@kernel
def extend(chain: np.ndarray, at: int, record: np.ndarray, n: int, feed_us: int) -> None:
    """Append a record to the chain at word ``at`` of a row.

    Parameters
    ----------
    chain : int64[:]
        CHAIN_WORDS words from ``at`` on.
    record : int64[>= n]
        ``n`` is even.
    """
    h1, h2 = absorb(0, 0, chain[at + HIGH], chain[at + LOW])
    for k in range(0, n, BLOCK_WORDS):
        h1, h2 = absorb(h1, h2, record[k], record[k + 1])
    chain[at + HIGH], chain[at + LOW] = finish(h1, h2, 1 + n // BLOCK_WORDS)
    chain[at + LINKS] += 1
    chain[at + FEED_US] = feed_us


def text_of(chain: np.ndarray) -> str:
    """Return the last link of a chain (int64[>= 2]) in hexadecimal."""
    return np.ascontiguousarray(chain[:2], "<i8").tobytes().hex()

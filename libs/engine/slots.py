"""What stands in the 64-byte slots between the receive thread and the book thread.

Word 0 of the first slot: kind (bits 0–7), exchange (8–15), slots (16–31), book id (32–63). The rest depends on the
kind:

========== ==================================================================================================
BOOK       w1 flags, price_exponent, size_exponent, cut (a byte each), bids (16 bits), asks (16 bits); w2 sequence;
           w3 scheduled send µs; w4 exchange time µs; w5 feed time µs; w6 kernel receive ns; levels from the next slot
TRADE      w1–w6 as BOOK; w7 trade id; next slot: price, size
STATUS     w1 code; w2–w6 as BOOK; book id NO_BOOK: the whole channel
INSTRUMENT w1 flags, tick, lot and multiplier exponents (a byte each); w2–w6; next slot: tick, lot, multiplier
HEARTBEAT  w1 session; w2 next sequence; w3 header time µs; w4 1 when a hole is open; w5 feed time µs; w6 receive ns;
           next slot, the receive side of the ledger: sent, received, before_join, duplicate + late, lost, held,
           missing, other_shard
REFUSED    w1 reason; w2 sequence
LOST       w1 how many; w2 the first sequence; w3 monotonic ns at which the hole was opened
SUSPECT    w1 1: doubt the channel's books, 0: no longer
SESSION    w1 the new session; w2 the old one
SNAPSHOT   as BOOK: a part of a requested snapshot (SNAPSHOT_PART); w2 is the last sequence that it contains
========== ==================================================================================================
"""

from __future__ import annotations

from libs.jit import kernel

BOOK = 0
TRADE = 1
HEARTBEAT = 2
STATUS = 3
INSTRUMENT = 4
REFUSED = 16
LOST = 17
SUSPECT = 18
SESSION = 19
NOTHING = 20
SNAPSHOT_PART = 21

NO_BOOK = 0xFFFFFFFF

REFUSALS = (
    "unknown_symbol",
    "capacity",
    "not_valid",
    "incomplete_event",
    "bad_body",
    "unknown_type",
    "other_shard",
)
UNKNOWN_SYMBOL, CAPACITY, NOT_VALID, INCOMPLETE_EVENT, BAD_BODY, UNKNOWN_TYPE, OTHER_SHARD = range(7)


@kernel(inline=True)
def pack_head(kind: int, exchange: int, slots: int, book: int) -> int:
    """Return word 0."""
    return kind | exchange << 8 | slots << 16 | book << 32


@kernel(inline=True)
def byte_of(word: int, index: int) -> int:
    """Return an unsigned byte of a word."""
    return word >> (8 * index) & 0xFF


@kernel(inline=True)
def signed_byte_of(word: int, index: int) -> int:
    """Return a signed byte of a word."""
    value = word >> (8 * index) & 0xFF
    return value - 256 if value > 127 else value

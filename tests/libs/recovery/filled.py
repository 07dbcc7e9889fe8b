"""A history with messages that tell by themselves whether they are whole."""

from __future__ import annotations

import numpy as np

from libs.jit import kernel
from libs.memory import store_i64
from libs.recovery.history import History, begin, remember

SESSION_NS = 1_723_161_255_000_000_000
LONGEST = 1400


@kernel
def length_of(sequence: int) -> int:
    """Return the length of a message: 32 to 1,399 bytes, told by its sequence."""
    return 32 + (sequence * 2_654_435_761 >> 7) % (LONGEST - 32)


@kernel
def make(out: np.ndarray, sequence: int) -> int:
    """Write a message of which every byte follows from its sequence; returns its length."""
    length = length_of(sequence)
    for k in range(length):
        out[k] = (sequence * 31 + k * 7) & 0xFF
    store_i64(out, 4, sequence)
    return length


@kernel
def fill(h: History, channel: int, first: int, last: int, scratch: np.ndarray) -> None:
    """Remember the messages ``first`` to ``last``."""
    for sequence in range(first, last + 1):
        remember(h, channel, sequence, scratch, 0, make(scratch, sequence))


@kernel
def count_whole(data: np.ndarray, used: int, first: int, scratch: np.ndarray) -> int:
    """Return how many whole messages from ``first`` on fill ``data``; -1 when a byte is wrong."""
    at, sequence = 0, first
    while at < used:
        length = make(scratch, sequence)
        if at + length > used:
            return -1
        for k in range(length):
            if data[at + k] != scratch[k]:
                return -1
        at += length
        sequence += 1
    return sequence - first


def expected(first: int, last: int) -> bytes:
    """Return the messages back to back."""
    scratch = np.zeros(LONGEST, np.uint8)
    return b"".join(scratch[: make(scratch, s)].tobytes() for s in range(first, last + 1))


def filled(h: History, last: int, channel: int = 0) -> History:
    """Begin a session and remember the messages 1 to ``last``."""
    begin(h, SESSION_NS)
    fill(h, channel, 1, last, np.zeros(LONGEST, np.uint8))
    return h

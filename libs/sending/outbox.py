"""Encoded messages on their way from the composer to the sender: a ring of batches in memory that both threads share.

The composer fills a batch (a slot) and hands it over; the sender plays it and gives it back. Sequence and timestamp of
each message are still empty: the sender knows them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from libs.jit import kernel
from libs.memory import load_acquire, store_release

SLOTS = 8
SLOT_BYTES = 1 << 20
SLOT_MESSAGES = 4096

FREE, READY = 0, 1

AT, LENGTH, SRC, FEED_US, END, UPDATES = range(6)
"""Columns of ``messages``: byte offset in ``data``, length, source time, feed time, 1 when an event ends here, level
changes (a trade is one; Instruments and REFRESH are none)."""
COLUMNS = 8

ENDED, COUNTS, STATES = 0, 16, 32
"""Words of ``control``: 1 when nothing follows the slots handed over; from COUNTS on the messages of each slot, from
STATES on who has it, released by the one and acquired by the other."""


class Outbox(NamedTuple):
    """Memory of the ring."""

    data: np.ndarray
    """uint8[slots * bytes]"""
    messages: np.ndarray
    """int64[slots, messages, COLUMNS]"""
    control: np.ndarray
    """int64[64]"""


def new_outbox(slots: int = SLOTS, size: int = SLOT_BYTES, messages: int = SLOT_MESSAGES) -> Outbox:
    """Return an empty outbox of at most 16 slots."""
    return Outbox(
        np.zeros(slots * size, np.uint8), np.zeros((slots, messages, COLUMNS), np.int64), np.zeros(64, np.int64)
    )


@kernel
def peek(control: np.ndarray, word: int) -> int:
    """Return a word that another thread writes."""
    return load_acquire(control, word)


@kernel
def poke(control: np.ndarray, word: int, value: int) -> None:
    """Write a word that another thread reads, after everything written before."""
    store_release(control, word, value)

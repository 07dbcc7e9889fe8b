"""Encoded messages on their way from the composer to the sender: a ring of batches in memory that both threads share.

The composer fills a batch and publishes it; the sender plays it and gives it back. Sequence and timestamp of each
message are still empty: the sender knows them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SLOTS = 8
SLOT_BYTES = 1 << 20
SLOT_MESSAGES = 4096

FREE, READY = 0, 1

AT, LENGTH, SRC, FEED_US, END, UPDATES = range(6)
"""Columns of ``messages``: byte offset in the slot, length, source time, feed time, 1 when an event ends here, level
changes (a trade is one; Instruments and REFRESH are none)."""
COLUMNS = 8

ENDED = 0
"""Word of ``flags``: 1 when nothing follows the published batches."""


class Outbox(NamedTuple):
    """``state`` (one word a slot) is released by whoever hands the slot over and acquired by the other."""

    data: np.ndarray
    """uint8[slots, bytes]"""
    messages: np.ndarray
    """int64[slots, messages, COLUMNS]"""
    counts: np.ndarray
    """int64[slots]"""
    state: np.ndarray
    """int64[slots]"""
    flags: np.ndarray
    """int64[1]"""


def new_outbox(slots: int = SLOTS, size: int = SLOT_BYTES, messages: int = SLOT_MESSAGES) -> Outbox:
    """Return an empty outbox."""
    return Outbox(
        np.zeros((slots, size), np.uint8),
        np.zeros((slots, messages, COLUMNS), np.int64),
        np.zeros(slots, np.int64),
        np.zeros(slots, np.int64),
        np.zeros(1, np.int64),
    )

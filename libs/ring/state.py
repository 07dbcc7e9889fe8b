"""A ring of 64-byte slots between one producer thread and one consumer thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

SLOT_SHIFT = 3
SLOT_WORDS = 1 << SLOT_SHIFT
"""A slot is eight 64-bit words: one cache line."""

# Words of Ring.control. Each side writes lines of its own, two lines apart: the prefetcher pulls lines in pairs.
HEAD = 0  # published by the producer
CLAIMED = 16  # the producer's own: claimed, not yet published
TAIL_SEEN = 17  # the producer's own: the tail when it last looked
DROPPED = 18  # the producer's own: claims that found no room
HIGH_WATER = 19  # the producer's own: most slots ever in use
TAIL = 32  # published by the consumer
SLEEPING = 48  # 1 while the consumer waits to be woken
CONTROL_WORDS = 64


class Ring(NamedTuple):
    """Slots and control words; memory of the caller's, so that it may be shared.

    Attributes
    ----------
    slots : int64[capacity * SLOT_WORDS]
        ``capacity`` is a power of two.
    control : int64[CONTROL_WORDS]
        Indices count slots since the start and never wrap.
    """

    slots: np.ndarray
    control: np.ndarray


def spec(capacity: int, prefix: str = "ring") -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return name → (dtype, shape) of a ring's arrays.

    Raises
    ------
    ValueError
        When the capacity is not a power of two of at least 2.
    """
    if capacity < 2 or capacity & (capacity - 1):
        raise ValueError(f"ring capacity: expected a power of two of at least 2, found {capacity}")
    return {
        f"{prefix}_slots": ("<i8", (capacity * SLOT_WORDS,)),
        f"{prefix}_control": ("<i8", (CONTROL_WORDS,)),
    }


def bind(arrays: Mapping[str, np.ndarray], prefix: str = "ring") -> Ring:
    """Return the ring whose arrays :func:`spec` named."""
    return Ring(arrays[f"{prefix}_slots"], arrays[f"{prefix}_control"])


def new(capacity: int) -> Ring:
    """Return an empty ring in this process's memory."""
    return bind({name: np.zeros(shape, dtype) for name, (dtype, shape) in spec(capacity).items()})


def capacity(ring: Ring) -> int:
    """Return the number of slots."""
    return len(ring.slots) // SLOT_WORDS


def occupancy(ring: Ring) -> int:
    """Return the slots in use, as seen from any thread."""
    return int(ring.control[HEAD] - ring.control[TAIL])

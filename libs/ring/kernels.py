"""Claim, publish, read and release slots (numba.md: acquire loads and release stores; LMAX Disruptor's protocol).

Several slots claimed together are contiguous: where they would wrap, the rest of the ring is filled by one SKIP slot.
The producer fills what it claimed and publishes; the consumer reads what is published and releases it.
"""

from __future__ import annotations

import numpy as np

from libs.jit import kernel
from libs.memory import fence, load_acquire, store_release
from libs.ring.state import (
    CLAIMED,
    DROPPED,
    HEAD,
    HIGH_WATER,
    SLEEPING,
    SLOT_SHIFT,
    SLOT_WORDS,
    TAIL,
    TAIL_SEEN,
    Ring,
)

SKIP = 255
"""First byte of a slot that only fills the ring's end; its slot count stands in bits 16–31 of word 0."""


@kernel(inline=True)
def claim(ring: Ring, n: int) -> int:
    """Claim ``n`` contiguous slots.

    Returns
    -------
    int
        Word index of the first slot in ``ring.slots``; -1 when the ring has no room (counted).
    """
    control = ring.control
    size = len(ring.slots) >> SLOT_SHIFT
    head = control[CLAIMED]
    at = head & (size - 1)
    pad = size - at if at + n > size else 0
    if head + pad + n - control[TAIL_SEEN] > size:
        control[TAIL_SEEN] = load_acquire(control, TAIL)
        if head + pad + n - control[TAIL_SEEN] > size:
            control[DROPPED] += 1
            return -1
    if pad > 0:
        ring.slots[at * SLOT_WORDS] = SKIP | pad << 16
        head += pad
        at = 0
    control[CLAIMED] = head + n
    used = head + n - control[TAIL_SEEN]
    if used > control[HIGH_WATER]:
        # The seen tail may be old: look again before believing a new high.
        control[TAIL_SEEN] = load_acquire(control, TAIL)
        used = head + n - control[TAIL_SEEN]
        control[HIGH_WATER] = max(control[HIGH_WATER], used)
    return at * SLOT_WORDS


@kernel(inline=True)
def publish(ring: Ring) -> None:
    """Show the consumer everything claimed so far."""
    store_release(ring.control, HEAD, ring.control[CLAIMED])


@kernel(inline=True)
def available(ring: Ring) -> int:
    """Return the published slots that the consumer has not released."""
    return load_acquire(ring.control, HEAD) - ring.control[TAIL]


@kernel(inline=True)
def release(ring: Ring, n: int) -> None:
    """Give ``n`` slots back to the producer."""
    store_release(ring.control, TAIL, ring.control[TAIL] + n)


@kernel(inline=True)
def first(ring: Ring) -> int:
    """Return the word index of the oldest slot not yet released."""
    size = len(ring.slots) >> SLOT_SHIFT
    return (ring.control[TAIL] & (size - 1)) * SLOT_WORDS


@kernel(inline=True)
def is_sleeping(control: np.ndarray) -> bool:
    """Return whether the consumer said that it sleeps; call after :func:`publish`."""
    fence()
    return load_acquire(control, SLEEPING) == 1


@kernel(inline=True)
def set_sleeping(control: np.ndarray, value: int) -> None:
    """Say that the consumer is about to sleep (1) or awake (0); look at the rings once more after saying 1."""
    store_release(control, SLEEPING, value)
    fence()

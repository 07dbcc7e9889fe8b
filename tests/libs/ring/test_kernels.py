"""The ring hands over every slot once, in order, across threads."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.jit import kernel
from libs.ring import state
from libs.ring.kernels import SKIP, available, claim, first, publish, release
from libs.ring.state import Ring, bind, capacity, new, occupancy, spec


@kernel
def produce(ring: Ring, total: int) -> int:
    """Push slots whose words follow from their number, in records of 1 to 5 slots; return the retries."""
    sent = 0
    retries = 0
    while sent < total:
        n = min(1 + sent % 5, total - sent)
        at = claim(ring, n)
        if at < 0:
            retries += 1
            continue
        for i in range(n):
            base = at + 8 * i
            ring.slots[base] = (n - i) << 16
            for k in range(1, 8):
                ring.slots[base + k] = (sent + i) * 8 + k
        publish(ring)
        sent += n
    return retries


@kernel
def consume(ring: Ring, total: int) -> int:
    """Read every slot; return how many words were not what they should be."""
    seen = 0
    wrong = 0
    while seen < total:
        ready = available(ring)
        while ready > 0:
            at = first(ring)
            head = ring.slots[at]
            n = head >> 16 & 0xFFFF
            if head & 0xFF == SKIP:
                release(ring, n)
                ready -= n
                continue
            for i in range(n):
                for k in range(1, 8):
                    if ring.slots[at + 8 * i + k] != (seen + i) * 8 + k:
                        wrong += 1
            seen += n
            release(ring, n)
            ready -= n
    return wrong


def test_ten_million_slots_cross_threads_unchanged() -> None:
    """Ten million slots of 64 bytes pass from one thread to another, and each word is compared."""
    total = 10_000_000
    ring = new(65_536)
    produce(ring, 0), consume(ring, 0)
    result: list[int] = []
    reader = threading.Thread(target=lambda: result.append(consume(ring, total)))
    reader.start()
    produce(ring, total)
    reader.join(120)
    assert result == [0]
    assert occupancy(ring) == 0
    assert 0 < ring.control[state.HIGH_WATER] <= 65_536


def test_a_full_ring_refuses_and_counts() -> None:
    """A claim that finds no room returns -1, is counted, and leaves what was published as it was."""
    ring = new(8)
    assert claim(ring, 8) == 0
    publish(ring)
    assert claim(ring, 1) == -1
    assert ring.control[state.DROPPED] == 1
    assert available(ring) == 8
    release(ring, 1)
    assert claim(ring, 1) == 0


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), max_size=60))
def test_claims_are_contiguous_and_never_overlap(steps: list[tuple[int, bool]]) -> None:
    """Whatever the order of claims and releases, a claim never touches slots that are in use and never wraps."""
    ring = new(16)
    used: list[tuple[int, int]] = []
    for n, let_go in steps:
        at = claim(ring, n)
        publish(ring)
        if at >= 0:
            slots = range(at // 8, at // 8 + n)
            assert slots.stop <= capacity(ring)
            taken = {s for start, count in used for s in range(start, start + count)}
            assert not taken & set(slots)
            ring.slots[at] = n << 16
            used.append((slots.start, n))
        if let_go and available(ring):
            head = int(ring.slots[first(ring)])
            count = head >> 16 & 0xFFFF
            if head & 0xFF != SKIP:
                assert used.pop(0)[1] == count
            release(ring, count)


@pytest.mark.parametrize("bad", [0, 1, 3, 1000])
def test_capacity_is_a_power_of_two(bad: int) -> None:
    """Another capacity is refused, naming what was found."""
    with pytest.raises(ValueError, match=str(bad)):
        spec(bad)


def test_bind_uses_the_given_memory() -> None:
    """A ring made over given arrays writes to them."""
    arrays = {name: np.zeros(shape, dtype) for name, (dtype, shape) in spec(4, "x").items()}
    ring = bind(arrays, "x")
    claim(ring, 1)
    publish(ring)
    assert arrays["x_control"][state.HEAD] == 1

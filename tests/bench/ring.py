"""Slots through the ring of libs.ring, beside the same protocol in C11 atomics."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable

import numpy as np

from libs.jit import external, kernel, types
from libs.ring import kernels, state
from libs.ring.state import SLOT_WORDS, Ring
from tests.bench import native
from tests.bench.runner import Row, Scale, compare, cpu_ns

WHAT = "a 64-byte slot claimed, written, published, read and released; wall time, of one thread CPU time"
GOAL = 1.2
UNIT = "ns/slot"
CAPACITY = 8_192
BATCHES = (1, 5, 16)
"""Slots a claim; 5 does not divide the ring, so that claims wrap and leave a SKIP slot."""

sched_yield = external("sched_yield", types.int32())


@kernel
def produce(ring: Ring, total: int, batch: int) -> None:
    """Write words 0, 1, 2 … in claims of ``batch`` slots, a publish each; yield the core while there is no room."""
    slots = ring.slots
    sent = 0
    while sent < total:
        at = kernels.claim(ring, batch)
        while at < 0:
            sched_yield()
            at = kernels.claim(ring, batch)
        for k in range(batch):
            for w in range(SLOT_WORDS):
                slots[at + k * SLOT_WORDS + w] = (sent + k) * SLOT_WORDS + w << 8
        kernels.publish(ring)
        sent += batch


@kernel
def consume(ring: Ring, total: int, batch: int) -> int:
    """Take whatever is published, at most ``batch`` slots a release; return Σ word × (slot + 1), wrapping."""
    slots = ring.slots
    checksum = 0
    taken = 0
    while taken < total:
        n = min(kernels.available(ring), batch)
        if n == 0:
            sched_yield()
            continue
        at = kernels.first(ring)
        if slots[at] & 255 == kernels.SKIP:
            kernels.release(ring, slots[at] >> 16 & 0xFFFF)
            continue
        for k in range(n):
            for w in range(SLOT_WORDS):
                checksum += slots[at + k * SLOT_WORDS + w] * (taken + k + 1)
        kernels.release(ring, n)
        taken += n
    return checksum


@kernel
def alternate(ring: Ring, total: int, batch: int) -> int:
    """Produce and consume on one thread, half a ring at a time; return the sum of the checksums."""
    checksum = 0
    part = len(ring.slots) // SLOT_WORDS // 2 // batch * batch
    for _ in range(total // part):
        produce(ring, part, batch)
        checksum += consume(ring, part, batch)
    return checksum


def library() -> ctypes.CDLL:
    """Return ring.c."""
    return native.build("ring", native.words_of(state, "W_"))


def of_threads(ring: Ring, total: int, batch: int) -> tuple[int, int]:
    """Run our two threads to the end; return wall ns and the checksum."""
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(consume(ring, total, batch))),
        threading.Thread(target=produce, args=(ring, total, batch)),
    ]
    began = time.monotonic_ns()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic_ns() - began, found[0]


def of_c_threads(ring: Ring, total: int, batch: int) -> tuple[int, int]:
    """Run the two threads in C; return wall ns and the checksum."""
    word, block = ctypes.c_int64, ctypes.c_void_p
    run = native.function(library(), "run", block, block, word, word, word, block)
    checksum = np.zeros(1, np.int64)
    slots, control = native.pointer(ring.slots), native.pointer(ring.control)
    took = int(run(slots, control, state.capacity(ring), total, batch, native.pointer(checksum)))
    return took, int(checksum[0])


def of_c_alone(ring: Ring, total: int, batch: int) -> tuple[int, int]:
    """Run :func:`alternate` in C; return CPU ns and the checksum."""
    word, block = ctypes.c_int64, ctypes.c_void_p
    run = native.function(library(), "alternate", block, block, word, word, word)
    slots, control = native.pointer(ring.slots), native.pointer(ring.control)
    began = cpu_ns()
    checksum = int(run(slots, control, state.capacity(ring), total, batch))
    return cpu_ns() - began, checksum


def of_one_thread(ring: Ring, total: int, batch: int) -> tuple[int, int]:
    """Run our :func:`alternate`; return CPU ns and the checksum."""
    began = cpu_ns()
    checksum = int(alternate(ring, total, batch))
    return cpu_ns() - began, checksum


Side = Callable[[Ring, int, int], tuple[int, int]]


def measured(case: str, ours: Side, theirs: Side, total: int, batch: int, scale: Scale) -> Row:
    """Time both on one ring in turns; every run must give the same checksum."""
    ring = state.new(CAPACITY)
    total -= total % batch
    expected = theirs(ring, total, batch)[1]

    def one(side: Side) -> Callable[[], float]:
        def measure() -> float:
            took, checksum = side(ring, total, batch)
            if checksum != expected:
                raise AssertionError(f"{case}: checksum {checksum}, expected {expected}")
            return took / total

        return measure

    return compare(case, UNIT, {"ours": one(ours), "c": one(theirs)}, scale.repeats, GOAL)


def rows(scale: Scale) -> list[Row]:
    """Measure every case."""
    found = []
    for batch in BATCHES:
        slots = f"{batch} slot{'s' if batch > 1 else ''} a claim"
        found.append(
            measured(f"two threads, {slots}", of_threads, of_c_threads, scale.pick(4_000_000, 40_000), batch, scale)
        )
        found.append(
            measured(f"one thread, {slots}", of_one_thread, of_c_alone, scale.pick(4_000_000, 40_000), batch, scale)
        )
    return found

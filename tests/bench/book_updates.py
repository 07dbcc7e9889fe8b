"""ns a level update of libs.book: ``python -m tests.bench.book_updates``. Full books, changes near the top."""

from __future__ import annotations

import time

import numpy as np

from libs.book import kernels, state
from libs.book.state import Books
from libs.jit import kernel

DEPTH = 1_024
SNAPSHOT_LEVELS = 1_000
REMOVALS = 0.35
ROUNDS = 3
SNAPSHOT, LAST = 1, 2


@kernel
def drive(books: Books, data: np.ndarray, which: np.ndarray, levels: int) -> int:
    """Apply one event of ``levels`` a side after the other; return the sum of the codes."""
    total = 0
    for i in range(len(which)):
        at = i * levels * 4
        total += kernels.apply_message(books, which[i], LAST, -2, -3, 0, data, at, levels, levels, i, i, i)
    return total


def full_books(count: int) -> Books:
    """Return books that have their snapshots."""
    books = state.new(count, DEPTH)
    sides = [(100_000 - 2 * k, 5) for k in range(SNAPSHOT_LEVELS)] + [
        (100_010 + 2 * k, 5) for k in range(SNAPSHOT_LEVELS)
    ]
    data = np.array(sides, np.int64).ravel()
    for b in range(count):
        kernels.apply_message(books, b, SNAPSHOT | LAST, -2, -3, 3, data, 0, SNAPSHOT_LEVELS, SNAPSHOT_LEVELS, 1, 1, 1)
    return books


def updates(rng: np.random.Generator, events: int, levels: int) -> np.ndarray:
    """Return events: geometric distance from the best, a third of them removals."""
    away = rng.geometric(0.06, size=(events, 2, levels))
    data = np.empty((events, 2, levels, 2), np.int64)
    data[:, 0, :, 0] = 100_001 - away[:, 0]
    data[:, 1, :, 0] = 100_009 + away[:, 1]
    data[..., 1] = np.where(rng.random(away.shape) < REMOVALS, 0, rng.integers(1, 1_000, away.shape))
    return data.ravel()


def main() -> None:
    """Print a line for each number of books and levels a side."""
    rng = np.random.default_rng(1)
    for count, levels in ((1, 4), (100, 4), (2_048, 4), (1, 1), (1, 20)):
        books = full_books(count)
        events = 400_000 // levels
        data, which = updates(rng, events, levels), rng.integers(0, count, events)
        best = float("inf")
        for _ in range(ROUNDS):
            start = time.perf_counter_ns()
            drive(books, data, which, levels)
            best = min(best, time.perf_counter_ns() - start)
        print(f"{count:5} books, {2 * levels:2} levels a message: {best / events / levels / 2:6.1f} ns a level update")


if __name__ == "__main__":
    main()

"""Reading a book that another thread changes."""

from __future__ import annotations

import threading
import time

import numpy as np

from libs.book import kernels, reader, state
from libs.jit import kernel
from libs.memory import load_acquire

SNAPSHOT, LAST = 1, 2
LEVELS = 400
PAUSE = 100_000


def event(size):
    """Return every level of a book with one size."""
    return np.array([x for k in range(LEVELS) for x in (1_000 - k, size)] + [2_000, size], np.int64)


@kernel
def write(books, data, stop):
    """Apply two events in turn, with pauses, until told to stop; the GIL is not held."""
    sequence = 1
    while load_acquire(stop, 0) == 0:
        sequence += 1
        for _ in range(PAUSE):
            load_acquire(stop, 0)
        kernels.apply_message(books, 0, LAST, -2, -3, 0, data[sequence & 1], 0, LEVELS, 1, sequence, 1, 1)


def test_a_reader_sees_whole_events_only():
    """While a thread rewrites all levels again and again, a copy never mixes two events."""
    books = state.new(1, 512)
    data = np.array([event(1), event(2)])
    stop = np.zeros(1, np.int64)
    kernels.apply_message(books, 0, SNAPSHOT | LAST, -2, -3, 0, data[1], 0, LEVELS, 1, 1, 1, 1)
    writer = threading.Thread(target=write, args=(books, data, stop))
    writer.start()
    seen = set()
    try:
        deadline = time.monotonic() + 60
        while len(seen) < 60 and time.monotonic() < deadline:
            view = reader.snapshot_levels(books, 0, 512)
            if view is not None:
                assert {size for _, size in (*view.bids, *view.asks)} == {1 + view.sequence % 2}
                seen.add(view.sequence)
    finally:
        stop[0] = 1
        writer.join()
    assert len(seen) >= 60


def test_a_reader_gives_up_on_an_open_event(monkeypatch):
    """A copy that cannot be had while an event stays open is None, not half a book."""
    monkeypatch.setattr(reader, "TRIES", 3)
    books = state.new(1, 8)
    data = np.array([100, 1, 110, 2], np.int64)
    kernels.apply_message(books, 0, SNAPSHOT | LAST, 0, 0, 0, data, 0, 1, 1, 1, 1, 1)
    assert reader.snapshot_levels(books, 0, 1).bids == ((100, 1),)
    kernels.apply_message(books, 0, 0, 0, 0, 0, data, 0, 1, 1, 2, 2, 2)
    assert reader.snapshot_levels(books, 0, 1) is None


def test_a_view_says_where_a_side_is_cut():
    """Depth limits the copy; the cut bits of the snapshot show."""
    books = state.new(1, 8)
    data = np.array([100, 1, 99, 2, 110, 2], np.int64)
    kernels.apply_message(books, 0, SNAPSHOT | LAST, -2, -3, 1, data, 0, 2, 1, 5, 6, 7)
    view = reader.snapshot_levels(books, 0, 1)
    assert (view.bids, view.asks) == (((100, 1),), ((110, 2),))
    assert (view.bids_cut, view.asks_cut) == (True, False)
    assert (view.sequence, view.exchange_ts_us, view.feed_ts_us, view.valid_since_us) == (5, 6, 7, 7)

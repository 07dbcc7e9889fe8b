"""Features rows at most every so many milliseconds of feed time; a wall-clock flush sends the final state."""

from __future__ import annotations

import numpy as np

from libs.engine.columns import FEATURE_INTERVAL_US
from libs.engine.directory import (
    FEATURES_PACE,
    OUT_CONTROLS,
    OUT_FEATURE_DIRTY,
    OUT_FEATURE_QUEUE,
    SETTINGS,
    book_count,
)
from libs.engine.outputs import FEATURE, queue_id
from libs.jit import kernel
from libs.memory import load_acquire, words1, words2, words2_row

# Words of ``features_pace``, a row a book.
LAST_FEED_US = 0  # feed time of the last row that was queued
HELD_NS = 1  # wall clock of the oldest event in the row that is held back; 0: none is
HELD_FEED_US = 2  # feed time of that row
PACE_WORDS = 4


@kernel(inline=True)
def is_fresh(p: np.ndarray, b: int) -> bool:
    """Return whether a book's features record was taken since its last event, so that the next begins a new one."""
    return load_acquire(words1(p, OUT_FEATURE_DIRTY), b) == 0 and words2_row(p, FEATURES_PACE, b)[HELD_NS] == 0


@kernel
def _queue(p: np.ndarray, b: int, feed_us: int) -> None:
    pace = words2_row(p, FEATURES_PACE, b)
    pace[LAST_FEED_US] = feed_us
    pace[HELD_NS] = 0
    queue_id(words1(p, OUT_FEATURE_QUEUE), words2(p, OUT_CONTROLS)[FEATURE], words1(p, OUT_FEATURE_DIRTY), b)


@kernel
def queue_features(p: np.ndarray, b: int, feed_us: int, now: int) -> None:
    """Queue a book's features record, or hold it back while less than the interval has passed since the last one.

    Parameters
    ----------
    feed_us : int
        Feed time of its event; where it lies before the last one's, another session has begun.
    now : int
        Wall clock, ns.
    """
    interval = words1(p, SETTINGS)[FEATURE_INTERVAL_US]
    pace = words2_row(p, FEATURES_PACE, b)
    passed = feed_us - pace[LAST_FEED_US]
    if interval == 0 or passed >= interval or passed < 0:
        _queue(p, b, feed_us)
    else:
        pace[HELD_FEED_US] = feed_us
        if pace[HELD_NS] == 0:
            pace[HELD_NS] = now


@kernel
def flush_features(p: np.ndarray, now: int, everything: bool) -> None:
    """Queue what has been held back for the interval by the wall clock, or everything.

    Parameters
    ----------
    now : int
        Wall clock, ns.
    """
    interval_ns = words1(p, SETTINGS)[FEATURE_INTERVAL_US] * 1000
    if interval_ns == 0:
        return
    for b in range(book_count(p)):
        pace = words2_row(p, FEATURES_PACE, b)
        if pace[HELD_NS] != 0 and (everything or now - pace[HELD_NS] >= interval_ns):
            _queue(p, b, pace[HELD_FEED_US])

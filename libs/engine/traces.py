"""A record of every link of a digest's chains, for whoever looks for the first that differs."""

from __future__ import annotations

import numpy as np

from libs.digest.chain import FEED_US, HIGH, LINKS, LOW
from libs.digest.state import LINK, TRACED_FEED_US, TRACED_HIGH, TRACED_LOW, WHOSE
from libs.engine.columns import DIGEST_TRACED
from libs.engine.directory import DIGEST_TRACE, DIGEST_TRACE_CONTROL, SETTINGS
from libs.engine.outputs import queue_done, queue_room
from libs.jit import kernel
from libs.memory import words1, words2

TRACE_EVENTS, TRACE_BOOK, TRACE_FEATURES, TRACE_NBBO = range(4)
"""Kinds, in the order of libs.digest.state.NAMES."""


@kernel
def put_trace(p: np.ndarray, kind: int, whose: int, chain: np.ndarray, at: int) -> None:
    """Queue the link that a chain has just got, where a trace is wanted."""
    if words1(p, SETTINGS)[DIGEST_TRACED] == 0:
        return
    control = words1(p, DIGEST_TRACE_CONTROL)
    trace = words2(p, DIGEST_TRACE)
    place = queue_room(control, len(trace))
    if place < 0:
        return
    row = trace[place]
    row[WHOSE] = kind | whose << 32
    row[LINK] = chain[at + LINKS]
    row[TRACED_FEED_US] = chain[at + FEED_US]
    row[TRACED_HIGH] = chain[at + HIGH]
    row[TRACED_LOW] = chain[at + LOW]
    queue_done(control)

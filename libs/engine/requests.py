"""What the receive thread and the book thread want of the recovery server: two queues, read by one other thread."""

from __future__ import annotations

import numpy as np

from libs.engine.outputs import Q_HEAD, Q_TAIL, Q_WORDS, queue_done, queue_room, take_records
from libs.jit import kernel
from libs.libc import c_write
from libs.memory import address_of, load_acquire

KIND, EXCHANGE, SESSION, FIRST, LAST, BOOK, SINCE_NS = range(7)
"""Words of a request. KIND is one of libs.wire.recovery: RANGE (FIRST to LAST) or SNAPSHOT (of BOOK). SINCE_NS:
monotonic time at which the hole was opened, or the book began to wait."""
REQUEST_WORDS = 8
REQUESTS = 4096
"""Places in each queue; a power of two. What finds it full is wanted again later."""


def spec() -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return name → (dtype, shape) of the arrays, for shared memory."""
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {}
    for name in ("range_requests", "snapshot_requests"):
        shapes[name] = ("<i8", (REQUESTS, REQUEST_WORDS))
        shapes[f"{name}_control"] = ("<i8", (Q_WORDS,))
    return shapes


@kernel
def put_request(
    queue: np.ndarray, control: np.ndarray, kind: int, exchange: int, session: int, first: int, last: int, book: int,
    since_ns: int,
) -> bool:  # fmt: skip
    """Queue a request; False when there is no room (counted)."""
    at = queue_room(control, REQUESTS)
    if at < 0:
        return False
    row = queue[at]
    row[KIND], row[EXCHANGE], row[SESSION], row[FIRST], row[LAST] = kind, exchange, session, first, last
    row[BOOK], row[SINCE_NS] = book, since_ns
    queue_done(control)
    return True


@kernel(inline=True)
def queue_length(control: np.ndarray) -> int:
    """Return how many requests wait; the writer's side."""
    return control[Q_HEAD] - load_acquire(control, Q_TAIL)


@kernel
def take_requests(queue: np.ndarray, control: np.ndarray, out: np.ndarray) -> int:
    """Move requests into ``out`` (int64[n, REQUEST_WORDS]); return how many."""
    return take_records(queue, control, out)


@kernel(inline=True)
def ring_bell(eventfd: int, scratch: np.ndarray, word: int) -> None:
    """Wake who reads the requests, where there is one (``eventfd`` above 0); ``scratch[word]`` is used."""
    if eventfd > 0:
        scratch[word] = 1
        c_write(eventfd, address_of(scratch, word), 8)

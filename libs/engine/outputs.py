"""What the book thread leaves for the publisher: the latest record of each book and symbol, and short queues.

A record is written under a version (odd while it is being written). Its id goes into a queue once, until the publisher
has taken it: a publisher that keeps up sees every event, one that is behind sees the latest state of each, and nothing
can overflow. Trades, status records and arbitrage opportunities are events of their own and wait in bounded queues that
count what they drop.
"""

from __future__ import annotations

import numpy as np

from libs.jit import kernel
from libs.memory import exchange, fence, load_acquire, store_release
from libs.streams.schemas import ARBITRAGE, BOOK, FEATURES, NBBO, STATUS, TRADES

FEATURE_WORDS = FEATURES.itemsize // 8
BOOK_WORDS = BOOK.itemsize // 8
NBBO_WORDS = NBBO.itemsize // 8
TRADE_WORDS = TRADES.itemsize // 8
STATUS_WORDS = STATUS.itemsize // 8
ARBITRAGE_WORDS = ARBITRAGE.itemsize // 8

# Words of a queue's control.
Q_HEAD = 0
Q_TAIL = 16
Q_DROPPED = 32
Q_HIGH_WATER = 33
Q_WORDS = 64

TRADE_QUEUE = 1 << 15
STATUS_QUEUE = 1 << 15
ARBITRAGE_QUEUE = 1 << 12

FEATURE, BOOKS, SYMBOLS, TRADE, STATE, ARBITRAGES = range(6)
"""Rows of ``out_controls``."""


def _power_of_two(n: int) -> int:
    return 1 << max(1, (n - 1).bit_length())


def spec(max_books: int, quotes: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return name → (dtype, shape) of the arrays, for shared memory.

    ``out_features``, ``out_books`` and ``out_nbbo`` hold records of libs.streams.schemas, a version and a dirty
    word for each (1 while the id stands in its queue); the queues hold ids, powers of two and never smaller than
    the number of ids; ``out_trades``, ``out_status`` and ``out_arbitrages`` are bounded queues of records;
    ``out_controls`` has a row of words for each queue.

    Parameters
    ----------
    max_books : int
    quotes : int
        Rows of consolidated quotes: canonical symbols, then families of joined quote currencies.
    """
    books, symbols = _power_of_two(max_books), _power_of_two(quotes)
    shapes: dict[str, tuple[int, ...]] = {
        "features": (max_books, FEATURE_WORDS),
        "books": (max_books, BOOK_WORDS),
        "nbbo": (quotes, NBBO_WORDS),
        "book_version": (max_books,),
        "nbbo_version": (quotes,),
        "feature_dirty": (max_books,),
        "book_dirty": (max_books,),
        "nbbo_dirty": (quotes,),
        "feature_queue": (books,),
        "book_queue": (books,),
        "nbbo_queue": (symbols,),
        "trades": (TRADE_QUEUE, TRADE_WORDS),
        "status": (STATUS_QUEUE, STATUS_WORDS),
        "arbitrages": (ARBITRAGE_QUEUE, ARBITRAGE_WORDS),
        "controls": (6, Q_WORDS),
    }
    return {f"out_{name}": ("<i8", shape) for name, shape in shapes.items()}


@kernel(inline=True)
def queue_id(queue: np.ndarray, control: np.ndarray, dirty: np.ndarray, identity: int) -> None:
    """Put an id into its queue unless it is there."""
    if exchange(dirty, identity, 1) == 1:
        return
    head = control[Q_HEAD]
    queue[head & (len(queue) - 1)] = identity
    store_release(control, Q_HEAD, head + 1)


@kernel
def queue_room(control: np.ndarray, size: int) -> int:
    """Return the place of the next record of a bounded queue, or -1 (counted) when it is full."""
    head = control[Q_HEAD]
    used = head - load_acquire(control, Q_TAIL)
    if used >= size:
        control[Q_DROPPED] += 1
        return -1
    control[Q_HIGH_WATER] = max(control[Q_HIGH_WATER], used + 1)
    return head & (size - 1)


@kernel(inline=True)
def queue_done(control: np.ndarray) -> None:
    """Show the record at the place that :func:`queue_room` gave."""
    store_release(control, Q_HEAD, control[Q_HEAD] + 1)


@kernel
def take_latest(
    queue: np.ndarray,
    control: np.ndarray,
    dirty: np.ndarray,
    version: np.ndarray,
    records: np.ndarray,
    out: np.ndarray,
) -> int:
    """Copy the latest record of each id in a queue; the publisher's side.

    Parameters
    ----------
    queue, control, dirty, version, records
        Arrays of :func:`spec` that belong together.
    out : int64[n, words]
        Filled from row 0; at most ``n`` records are taken.

    Returns
    -------
    int
        How many were copied.
    """
    head = load_acquire(control, Q_HEAD)
    tail = control[Q_TAIL]
    n = 0
    while tail < head and n < len(out):
        identity = queue[tail & (len(queue) - 1)]
        tail += 1
        # Cleared before the copy: an event that comes during it queues the id again.
        exchange(dirty, identity, 0)
        while True:
            before = load_acquire(version, identity)
            if before & 1 == 0:
                for k in range(out.shape[1]):
                    out[n, k] = records[identity, k]
                fence()
                if load_acquire(version, identity) == before:
                    break
        n += 1
    store_release(control, Q_TAIL, tail)
    return n


@kernel
def take_records(records: np.ndarray, control: np.ndarray, out: np.ndarray) -> int:
    """Move records from a bounded queue into ``out`` (int64[n, words]); return how many."""
    head = load_acquire(control, Q_HEAD)
    tail = control[Q_TAIL]
    n = min(head - tail, len(out))
    for i in range(n):
        at = (tail + i) & (len(records) - 1)
        for k in range(out.shape[1]):
            out[i, k] = records[at, k]
    store_release(control, Q_TAIL, tail + n)
    return n

"""Deltas that wait for a book's requested snapshot, so that it can be spliced with what came after it.

While a book needs a snapshot, its deltas are kept in a log shared by all books: bounded, the oldest give way (and are
refused as not valid). A snapshot as of sequence S replaces the deltas up to S; those after it are applied on top. That
is right only if nothing between S and now is missing: ``UPTO`` is the last sequence of the book that is not in the log,
and the channel's LOST_UPTO the last one that nobody has.
"""

from __future__ import annotations

import numpy as np

from libs.book import kernels as book
from libs.book import state as state_book
from libs.book.events import NEEDS_SNAPSHOT
from libs.book.flags import BAD, GAP
from libs.engine.columns import BUFFERED, REFUSED, REQUESTS_ON, SESSION
from libs.engine.directory import (
    LEDGER,
    SCRATCH,
    SETTINGS,
    SNAPSHOT_REQUESTS,
    SNAPSHOT_REQUESTS_CONTROL,
    WAITING,
    WAITING_CONTROL,
    WAITING_LOG,
    book_word,
    books_of,
    exchange_of,
)
from libs.engine.requests import put_request
from libs.engine.slots import NOT_VALID
from libs.jit import kernel
from libs.memory import words1, words2, words2_row
from libs.ring.state import SLOT_WORDS

# Words of ``waiting``, a row a book.
UPTO = 0  # the last sequence of this book that is neither in the log nor in its levels
WANTED_NS = 1  # monotonic time at which a snapshot was asked for; 0: none is
OPEN_SNAPSHOT = 2  # sequence of a requested snapshot whose last part has not come; 0: none
OLDEST, NEWEST = 3, 4  # records in the log: place + 1; 0: none
WAITING_WORDS = 8

# Words of ``waiting_control``.
HEAD, TAIL = 0, 1  # slots written and freed, ever
SPLICED = 2  # deltas applied after a requested snapshot
EVICTED = 3
USED, STALE, UNNEEDED, FAULTY = 4, 5, 6, 7  # requested snapshots, by what became of them
CONTROL_WORDS = 16

# Words of a record's first slot; the message's own slots follow.
_SLOTS, _BOOK, _NEXT, _ALIVE, _CHANNEL = range(5)
_SEQUENCE = SLOT_WORDS + 2

SNAPSHOT = 2
"""Kind of request, as in libs.wire.recovery."""
WANT_AGAIN_NS = 1_000_000_000
BELL = 12
"""Word of ``process_scratch``: 1 when somebody should be told of a request."""

NEWEST_SEQUENCE = (1 << 63) - 1

M_SNAPSHOT, M_BAD, M_REFRESH = 1, 4, 8


def spec(max_books: int, slots: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return name → (dtype, shape) of the arrays, for shared memory; ``slots``, a power of two, bounds the log."""
    return {
        "waiting": ("<i8", (max_books, WAITING_WORDS)),
        "waiting_log": ("<i8", (slots * SLOT_WORDS,)),
        "waiting_control": ("<i8", (CONTROL_WORDS,)),
    }


@kernel
def drop_snapshot(p: np.ndarray, b: int) -> None:
    """Forget the parts of a requested snapshot whose end did not come; the book is as invalid as it was."""
    row = words2(p, WAITING)[b]
    if row[OPEN_SNAPSHOT] != 0:
        row[OPEN_SNAPSHOT] = 0
        had_gap = book_word(p, b, state_book.FLAGS) & GAP
        book.abandon_event(books_of(p), b)
        if had_gap == 0:
            book.set_flags(books_of(p), b, 0, GAP)


@kernel
def _unlink_oldest(p: np.ndarray, b: int) -> int:
    """Take a book's oldest record out of its list; return its word index in the log."""
    row = words2(p, WAITING)[b]
    log = words1(p, WAITING_LOG)
    at = (row[OLDEST] - 1) * SLOT_WORDS
    log[at + _ALIVE] = 0
    row[OLDEST] = log[at + _NEXT]
    if row[OLDEST] == 0:
        row[NEWEST] = 0
    words2_row(p, LEDGER, log[at + _CHANNEL])[BUFFERED] -= 1
    return at


@kernel
def _refuse_oldest(p: np.ndarray, b: int) -> None:
    log = words1(p, WAITING_LOG)
    at = _unlink_oldest(p, b)
    words2_row(p, LEDGER, log[at + _CHANNEL])[REFUSED + NOT_VALID] += 1
    row = words2(p, WAITING)[b]
    row[UPTO] = max(row[UPTO], log[at + _SEQUENCE])


@kernel
def forget(p: np.ndarray, b: int, upto: int) -> None:
    """Refuse a book's waiting deltas up to a sequence."""
    row = words2(p, WAITING)[b]
    log = words1(p, WAITING_LOG)
    while row[OLDEST] != 0 and log[(row[OLDEST] - 1) * SLOT_WORDS + _SEQUENCE] <= upto:
        _refuse_oldest(p, b)


@kernel
def void(p: np.ndarray, b: int, sequence: int) -> None:
    """Note that something at ``sequence`` invalidated a book: only a later snapshot can heal it."""
    row = words2(p, WAITING)[b]
    if row[OLDEST] != 0:
        forget(p, b, sequence)
    row[UPTO] = max(row[UPTO], sequence)


@kernel
def take_oldest(p: np.ndarray, b: int) -> int:
    """Take a book's oldest waiting delta; return the word index of its first slot in the log, -1 when none waits."""
    if words2(p, WAITING)[b, OLDEST] == 0:
        return -1
    return _unlink_oldest(p, b) + SLOT_WORDS


@kernel
def _make_room(p: np.ndarray, n: int) -> int:
    """Return the place of ``n`` free slots in a row; the oldest records give way. -1: the log is too small."""
    control = words1(p, WAITING_CONTROL)
    log = words1(p, WAITING_LOG)
    size = len(log) // SLOT_WORDS
    if 2 * n > size:
        return -1
    place = control[HEAD] & (size - 1)
    pad = size - place if place + n > size else 0
    while control[HEAD] + pad + n - control[TAIL] > size:
        at = (control[TAIL] & (size - 1)) * SLOT_WORDS
        if log[at + _ALIVE] == 1:
            _refuse_oldest(p, log[at + _BOOK])
            control[EVICTED] += 1
        control[TAIL] += log[at + _SLOTS]
    if pad > 0:
        log[place * SLOT_WORDS + _SLOTS] = pad
        log[place * SLOT_WORDS + _ALIVE] = 0
        control[HEAD] += pad
        place = 0
    control[HEAD] += n
    return place


@kernel
def _keep(p: np.ndarray, slots: np.ndarray, at: int, ch: int, b: int) -> bool:
    """Copy a delta into the log; False when it is too long for it."""
    used = slots[at] >> 16 & 0xFFFF
    place = _make_room(p, used + 1)
    if place < 0:
        return False
    log = words1(p, WAITING_LOG)
    to = place * SLOT_WORDS
    log[to + _SLOTS], log[to + _BOOK], log[to + _NEXT], log[to + _ALIVE], log[to + _CHANNEL] = used + 1, b, 0, 1, ch
    for k in range(used * SLOT_WORDS):
        log[to + SLOT_WORDS + k] = slots[at + k]
    row = words2(p, WAITING)[b]
    if row[NEWEST] != 0:
        log[(row[NEWEST] - 1) * SLOT_WORDS + _NEXT] = place + 1
    else:
        row[OLDEST] = place + 1
    row[NEWEST] = place + 1
    words2_row(p, LEDGER, ch)[BUFFERED] += 1
    return True


@kernel
def want_snapshot(p: np.ndarray, b: int, mono_ns: int) -> None:
    """Ask for a book's snapshot, unless that was done a moment ago."""
    row = words2(p, WAITING)[b]
    session = words2_row(p, LEDGER, exchange_of(p, b))[SESSION]
    if words1(p, SETTINGS)[REQUESTS_ON] == 0 or session == 0:
        return
    if row[WANTED_NS] != 0 and mono_ns - row[WANTED_NS] < WANT_AGAIN_NS:
        return
    queue, control = words2(p, SNAPSHOT_REQUESTS), words1(p, SNAPSHOT_REQUESTS_CONTROL)
    if put_request(queue, control, SNAPSHOT, exchange_of(p, b), session, 0, 0, b, mono_ns):
        row[WANTED_NS] = mono_ns
        words1(p, SCRATCH)[BELL] = 1


@kernel
def keep_delta(p: np.ndarray, slots: np.ndarray, at: int, ch: int, b: int, flags: int, mono_ns: int) -> bool:
    """Keep a message of a book that is not valid, when it is a delta that a snapshot can be spliced with.

    Parameters
    ----------
    slots, at : int64[:], int
        The record of the message (libs.engine.slots), from word ``at`` on.
    flags : int
        Of the message.

    Returns
    -------
    bool
        True: the message is pending now. False: it is to be applied or refused as ever.
    """
    if words1(p, SETTINGS)[REQUESTS_ON] == 0:
        return False
    drop_snapshot(p, b)
    state = book_word(p, b, state_book.FLAGS)
    if flags & (M_SNAPSHOT | M_REFRESH | M_BAD) or state & BAD or not state & NEEDS_SNAPSHOT:
        return False
    if book_word(p, b, state_book.MODE) != state_book.IDLE:
        return False
    want_snapshot(p, b, mono_ns)
    return _keep(p, slots, at, ch, b)


@kernel
def note_settled(p: np.ndarray, b: int, sequence: int) -> None:
    """After a message of a book that was or is not valid: it healed the book, or no snapshot before it can."""
    if book_word(p, b, state_book.FLAGS) & NEEDS_SNAPSHOT:
        row = words2(p, WAITING)[b]
        row[UPTO] = max(row[UPTO], sequence)
        return
    words2(p, WAITING)[b, WANTED_NS] = 0
    forget(p, b, sequence)

"""What was sent lately, of every channel: written by the sending kernel, read beside it without a lock.

The writer claims the memory that it is about to overwrite, then writes, then says what is there. A reader copies and
then looks at the claims again: what was claimed meanwhile may be torn and does not count. Claims are made for many
messages at a time, so that the sender pays for a copy and a few words a message and for a fence now and then; the price
is that the oldest part of a history, up to one claim, cannot be read.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from libs.jit import kernel
from libs.memory import copy_bytes, fence, load_acquire, store_release
from libs.wire.layout import CHANNELS
from libs.wire.recovery import NOT_YET, OK, TOO_OLD, UNKNOWN_SESSION

CLAIM_BYTES = 1 << 16
"""Not less than the largest message."""
CLAIM_MESSAGES = 64
MIN_BYTES = 4 * CLAIM_BYTES
MIN_MESSAGES = 4 * CLAIM_MESSAGES

SESSION = 0
"""Word of ``control``: ns since the epoch; 0: none, or one that is beginning."""
_CHANNEL_WORDS = 8
_NEXT, _HEAD, _CLAIMED, _CLAIMED_SEQUENCE = range(4)
"""Words of a channel, from (1 + channel) * _CHANNEL_WORDS on: next sequence; bytes ever written; ends of the claims."""
_AT, _LENGTH = 0, 1


class History(NamedTuple):
    """The last messages of all channels.

    Attributes
    ----------
    data : uint8[CHANNELS, bytes]
        A ring a channel. No message wraps.
    entries : int64[CHANNELS * messages * 2]
        A ring a channel by sequence: byte position since the start, which names the place once only; length.
    control : int64[(1 + CHANNELS) * 8]
    """

    data: np.ndarray
    entries: np.ndarray
    control: np.ndarray


def new_history(messages: int = 65_536, size: int = 16 << 20) -> History:
    """Return an empty history; pages are touched only where used.

    Parameters
    ----------
    messages, size : int
        The most messages and bytes that a channel keeps.

    Raises
    ------
    ValueError
        When either is smaller than MIN_MESSAGES or MIN_BYTES.
    """
    if messages < MIN_MESSAGES or size < MIN_BYTES:
        raise ValueError(f"history: expected {MIN_MESSAGES} messages, {MIN_BYTES} bytes, found {messages}, {size}")
    control = np.zeros((1 + CHANNELS) * _CHANNEL_WORDS, np.int64)
    control[_CHANNEL_WORDS + _NEXT :: _CHANNEL_WORDS] = 1
    return History(np.zeros((CHANNELS, size), np.uint8), np.zeros(CHANNELS * messages * 2, np.int64), control)


@kernel
def begin(h: History, session_ns: int) -> None:
    """Forget everything and begin a session; only the writer may call this."""
    control = h.control
    store_release(control, SESSION, 0)
    fence()
    for channel in range(CHANNELS):
        base = (1 + channel) * _CHANNEL_WORDS
        store_release(control, base + _NEXT, 1)
        store_release(control, base + _CLAIMED_SEQUENCE, 1)
    fence()
    store_release(control, SESSION, session_ns)


@kernel
def _claim(control: np.ndarray, base: int, end: int, sequence: int) -> None:
    """Take back what lies a ring behind, before it is overwritten."""
    store_release(control, base + _CLAIMED, max(control[base + _CLAIMED], end + CLAIM_BYTES))
    store_release(control, base + _CLAIMED_SEQUENCE, sequence + CLAIM_MESSAGES)
    fence()


@kernel
def remember(h: History, channel: int, sequence: int, data: np.ndarray, at: int, length: int) -> None:
    """Keep a message as it goes out; only the writer may call this.

    Parameters
    ----------
    sequence : int
        One more than the last of the channel; 1 after :func:`begin`.
    data, at, length : uint8[:], int, int
        The whole message; at most CLAIM_BYTES.
    """
    control, base, size = h.control, (1 + channel) * _CHANNEL_WORDS, h.data.shape[1]
    position = control[base + _HEAD]
    to = position % size
    if to + length > size:
        position += size - to
        to = 0
    if position + length > control[base + _CLAIMED] or sequence >= control[base + _CLAIMED_SEQUENCE]:
        _claim(control, base, position + length, sequence)
    copy_bytes(h.data[channel], to, data, at, length)
    slots = len(h.entries) // (2 * CHANNELS)
    entry = 2 * (channel * slots + sequence % slots)
    store_release(h.entries, entry + _AT, position)
    store_release(h.entries, entry + _LENGTH, length)
    control[base + _HEAD] = position + length
    store_release(control, base + _NEXT, sequence + 1)


@kernel
def next_sequence(h: History, channel: int) -> int:
    """Return the sequence that the channel's next message will have."""
    return load_acquire(h.control, (1 + channel) * _CHANNEL_WORDS + _NEXT)


@kernel
def session(h: History) -> int:
    """Return the session in ns since the epoch; 0: none."""
    return load_acquire(h.control, SESSION)


@kernel
def _is_kept(h: History, channel: int, sequence: int) -> bool:
    """Return whether nobody has begun to overwrite a sequence's entry of the index."""
    claimed = load_acquire(h.control, (1 + channel) * _CHANNEL_WORDS + _CLAIMED_SEQUENCE)
    return sequence >= claimed - len(h.entries) // (2 * CHANNELS)


@kernel
def oldest(h: History, channel: int) -> int:
    """Return the first sequence that can still be read, by the index and by its bytes; the next one when none can."""
    base, size, slots = (1 + channel) * _CHANNEL_WORDS, h.data.shape[1], len(h.entries) // (2 * CHANNELS)
    end = load_acquire(h.control, base + _NEXT)
    low, high = max(1, load_acquire(h.control, base + _CLAIMED_SEQUENCE) - slots), end
    kept = load_acquire(h.control, base + _CLAIMED) - size
    while low < high:
        middle = (low + high) >> 1
        if load_acquire(h.entries, 2 * (channel * slots + middle % slots) + _AT) < kept:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _copy(h: History, channel: int, sequence: int, out: np.ndarray, used: int) -> int:
    """Copy a message to ``out``; returns its length, 0 when it is gone, -1 when there is no room for it."""
    base, size, slots = (1 + channel) * _CHANNEL_WORDS, h.data.shape[1], len(h.entries) // (2 * CHANNELS)
    entry = 2 * (channel * slots + sequence % slots)
    position, length = load_acquire(h.entries, entry + _AT), load_acquire(h.entries, entry + _LENGTH)
    fence()
    if not _is_kept(h, channel, sequence):
        return 0
    if used + length > len(out):
        return -1
    copy_bytes(out, used, h.data[channel], position % size, length)
    fence()
    return length if position >= load_acquire(h.control, base + _CLAIMED) - size else 0


@kernel
def read(h: History, of: int, channel: int, first: int, last: int, out: np.ndarray) -> tuple[int, int, int]:
    """Copy the messages ``first`` to ``last`` that are there, back to back, as far as ``out`` has room.

    Any thread or process may call this at any time.

    Parameters
    ----------
    of : int
        The session that the sequences are of.
    first, last : int
        From 1 on.
    out : uint8[:]

    Returns
    -------
    tuple
        (OK, messages, bytes), or (UNKNOWN_SESSION, NOT_YET or TOO_OLD of ``first``, 0, 0). OK with 0 messages: the
        first one is larger than ``out``.
    """
    if of == 0 or session(h) != of:
        return UNKNOWN_SESSION, 0, 0
    end = min(last + 1, next_sequence(h, channel))
    if first >= end:
        return (NOT_YET if session(h) == of else UNKNOWN_SESSION), 0, 0
    sequence, used = first, 0
    gone = False
    while sequence < end and not gone:
        length = _copy(h, channel, sequence, out, used)
        if length < 0:
            break
        gone = length == 0
        if not gone:
            used += length
            sequence += 1
    fence()
    if session(h) != of:
        return UNKNOWN_SESSION, 0, 0
    return (TOO_OLD if gone and sequence == first else OK), sequence - first, used

"""Which feature rows may make a signal, and which signals are said: one pass over a batch each, native."""

from __future__ import annotations

import math

import numpy as np

from libs.book.flags import CROSSED, HALTED, MUTE, STALE, SUSPECT
from libs.jit import kernel
from libs.models.rows import (
    BEST_ASK,
    BEST_BID,
    BOOK_ID,
    BOOK_ID_MASK,
    BOOK_ID_SHIFT,
    BYTE,
    EXCHANGE,
    EXCHANGE_SHIFT,
    FEED_TS_US,
    FLAGS,
    FLAGS_MASK,
    FLAGS_SHIFT,
    INCOMPLETE,
    INCOMPLETE_SHIFT,
    SENT_TS_US,
    VALID,
    VALID_SHIFT,
    WORDS,
)

REASONS = (
    "none",
    "capacity",
    "not_covered",
    "not_valid",
    "suspect",
    "halted",
    "mute",
    "stale",
    "crossed",
    "one_sided",
    "incomplete",
    "nan_feature",
    "out_of_range",
)
"""Why a row makes no signal, the first that holds. ``stale``: the flag, or a row older than is allowed."""

(
    R_NONE, R_CAPACITY, R_NOT_COVERED, R_NOT_VALID, R_SUSPECT, R_HALTED, R_MUTE, R_STALE, R_CROSSED, R_ONE_SIDED,
    R_INCOMPLETE, R_NAN_FEATURE, R_OUT_OF_RANGE,
) = range(len(REASONS))  # fmt: skip


@kernel(inline=True)
def _book(words: np.ndarray, i: int) -> int:
    return (words[i, BOOK_ID] >> BOOK_ID_SHIFT) & BOOK_ID_MASK


@kernel
def latest(words: np.ndarray, seen: np.ndarray, stamp: int, at: np.ndarray) -> int:
    """Put the indices of each book's last row into ``at``, rising; return how many there are.

    Parameters
    ----------
    words : int64[n, WORDS]
        Feature rows in the order in which they came.
    seen : int64[books]
        Where each book's last stamp stands; a row of a book beyond is taken always.
    stamp : int
        Another one with each call.
    at : int64[n]
    """
    n = len(words)
    k = n
    for j in range(n):
        i = n - 1 - j
        book = _book(words, i)
        if book < len(seen):
            if seen[book] == stamp:
                continue
            seen[book] = stamp
        k -= 1
        at[k] = i
    for j in range(n - k):
        at[j] = at[k + j]
    return n - k


@kernel
def strangers(words: np.ndarray, at: np.ndarray, known: np.ndarray, found: np.ndarray) -> int:
    """Put the indices of rows whose book is not known yet (bool[books]) into ``found``; return how many there are."""
    count = 0
    for j in range(len(at)):
        book = _book(words, at[j])
        if book < len(known) and not known[book]:
            found[count] = at[j]
            count += 1
    return count


@kernel(inline=True)
def _state(words: np.ndarray, values: np.ndarray, i: int, oldest_us: int, whole_sums: int) -> int:
    """Return why a row's book is in no state to make a signal."""
    flags = (words[i, FLAGS] >> FLAGS_SHIFT) & FLAGS_MASK
    bid, ask = values[i, BEST_BID], values[i, BEST_ASK]
    if (words[i, VALID] >> VALID_SHIFT) & BYTE != 1:
        return R_NOT_VALID
    if flags & SUSPECT:
        return R_SUSPECT
    if flags & HALTED:
        return R_HALTED
    if flags & MUTE:
        return R_MUTE
    if flags & STALE:
        return R_STALE
    if flags & CROSSED:
        return R_CROSSED
    if words[i, SENT_TS_US] < oldest_us:
        return R_STALE
    if not (math.isfinite(bid) and math.isfinite(ask)):
        return R_ONE_SIDED
    if bid >= ask:
        return R_CROSSED
    if whole_sums and (words[i, INCOMPLETE] >> INCOMPLETE_SHIFT) & BYTE:
        return R_INCOMPLETE
    return R_NONE


@kernel
def screen(
    words: np.ndarray,
    values: np.ndarray,
    at: np.ndarray,
    covered: np.ndarray,
    oldest_us: int,
    whole_sums: int,
    x: np.ndarray,
    reasons: np.ndarray,
    missing: np.ndarray,
) -> int:
    """Find why each row makes no signal, as far as the row itself says; return how many may.

    Parameters
    ----------
    words, values : int64[rows, WORDS], float64[rows, WORDS]
        The same feature rows.
    at : int64[n]
        Rows to look at.
    covered : bool[books]
        Whether the model was made for the book.
    oldest_us : int
        A row sent before this is stale.
    whole_sums : int
        1 where the model sums over levels, so that a row that is incomplete says something else.
    x : float64[n, k]
        The model's inputs.
    reasons : int64[n]
        Filled with an index of :data:`REASONS`.
    missing : int64[k]
        Counts the inputs that were NaN where nothing else was wrong.
    """
    fine = 0
    for j in range(len(at)):
        i = at[j]
        book = _book(words, i)
        if book >= len(covered):
            reason = R_CAPACITY
        elif not covered[book]:
            reason = R_NOT_COVERED
        else:
            reason = _state(words, values, i, oldest_us, whole_sums)
        if reason == R_NONE:
            for k in range(x.shape[1]):
                if math.isnan(x[j, k]):
                    missing[k] += 1
                    reason = R_NAN_FEATURE
        reasons[j] = reason
        fine += reason == R_NONE
    return fine


@kernel
def say(
    words: np.ndarray,
    at: np.ndarray,
    action: np.ndarray,
    repeat_us: int,
    last_action: np.ndarray,
    last_us: np.ndarray,
    emit: np.ndarray,
) -> int:
    """Decide which actions are said: those that differ from the book's last, and the same again after a while.

    Parameters
    ----------
    words : int64[rows, WORDS]
    at, action : int64[n]
        Rows of different books, and what is to be done (-1, 0, 1).
    repeat_us : int
        Feed time after which an action that lasts is said again.
    last_action, last_us : int64[books]
        Brought up to date: the action, and the feed time when one was said.
    emit : bool[n]
        Filled.

    Returns
    -------
    int
        How many are said.
    """
    count = 0
    for j in range(len(at)):
        i = at[j]
        book, feed_us = _book(words, i), words[i, FEED_TS_US]
        emit[j] = action[j] != 0 and (action[j] != last_action[book] or feed_us - last_us[book] > repeat_us)
        last_action[book] = action[j]
        if emit[j]:
            last_us[book] = feed_us
            count += 1
    return count


@kernel
def columns(
    words: np.ndarray, values: np.ndarray, exchange: np.ndarray, book: np.ndarray, feed_us: np.ndarray, mid: np.ndarray
) -> None:
    """Fill what scoring needs of every row (arrays of one length); mid is NaN where the row has no price."""
    for i in range(len(words)):
        exchange[i] = (words[i, EXCHANGE] >> EXCHANGE_SHIFT) & BYTE
        book[i], feed_us[i] = _book(words, i), words[i, FEED_TS_US]
        bid, ask = values[i, BEST_BID], values[i, BEST_ASK]
        priced = (words[i, VALID] >> VALID_SHIFT) & BYTE == 1 and bid < ask
        mid[i] = (bid + ask) / 2.0 if priced else math.nan


def warm() -> None:
    """Compile every kernel of this module."""
    words, values, x = np.zeros((0, WORDS), np.int64), np.zeros((0, WORDS)), np.zeros((0, 1))
    none, flags, nothing = np.zeros(0, np.int64), np.zeros(0, np.bool_), np.zeros(0)
    latest(words, none, 1, none)
    strangers(words, none, flags, none)
    screen(words, values, none, flags, 0, 0, x, none, none)
    say(words, none, none, 0, none, none, flags)
    columns(words, values, none, none, none, nothing)

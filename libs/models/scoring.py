"""Scores every prediction one horizon of feed time later, in bounded memory.

Predictions wait in one queue an exchange, since feed time never goes back within an exchange. A row settles what was
due before it with the mids then in force, so that the result does not depend on how rows were batched. (Rows that were
conflated may come a little out of order; an outcome is then taken that much too early.)
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from libs.jit import kernel

EXCHANGES = 8
WAITING = 1 << 17
"""Predictions that one exchange may have waiting: 15 s of 8,700 a second."""
RECENT = 1 << 13
"""Settled predictions that the rolling figures look back on."""

HEAD, TAIL = 0, 1
SETTLED, DROPPED, VOID = 0, 1, 2


class Scoring(NamedTuple):
    """Memory of the scorer; touched only where used.

    Attributes
    ----------
    ends : int64[EXCHANGES, 2]
        Head and tail of each queue; they count up for ever.
    books, due_us : int64[EXCHANGES, WAITING]
    lives : int64[EXCHANGES, WAITING]
        The book's life when the prediction was made.
    predictions, sigmas, mids : float64[EXCHANGES, WAITING]
        In bps; the mid that the outcome is measured from.
    life : int64[max_books]
        Rises when a book's rows stop making sense together; what waits from before is void.
    mid : float64[max_books]
        In force.
    recent : float64[RECENT, 3]
        Prediction, outcome, sigma of the last that were settled.
    counts : int64[3]
        SETTLED, DROPPED (the queue was full), VOID.
    """

    ends: np.ndarray
    books: np.ndarray
    due_us: np.ndarray
    lives: np.ndarray
    predictions: np.ndarray
    sigmas: np.ndarray
    mids: np.ndarray
    life: np.ndarray
    mid: np.ndarray
    recent: np.ndarray
    counts: np.ndarray


def new_scoring(max_books: int, waiting: int = WAITING) -> Scoring:
    """Return an empty scorer.

    Parameters
    ----------
    max_books : int
    waiting : int
        Predictions that one exchange may have waiting.
    """
    shape = (EXCHANGES, waiting)
    return Scoring(
        np.zeros((EXCHANGES, 2), np.int64),
        np.zeros(shape, np.int64),
        np.zeros(shape, np.int64),
        np.zeros(shape, np.int64),
        np.zeros(shape),
        np.zeros(shape),
        np.zeros(shape),
        np.zeros(max_books, np.int64),
        np.zeros(max_books),
        np.zeros((RECENT, 3)),
        np.zeros(3, np.int64),
    )


@kernel
def _settle(s: Scoring, exchange: int, before_us: int) -> None:
    """Settle what was due before a time."""
    waiting = s.due_us.shape[1]
    head, tail = s.ends[exchange, HEAD], s.ends[exchange, TAIL]
    while head < tail:
        at = head % waiting
        if s.due_us[exchange, at] >= before_us:
            break
        book = s.books[exchange, at]
        if s.life[book] == s.lives[exchange, at]:
            k = s.counts[SETTLED] % s.recent.shape[0]
            s.recent[k, 0] = s.predictions[exchange, at]
            s.recent[k, 1] = 10_000.0 * math.log(s.mid[book] / s.mids[exchange, at])
            s.recent[k, 2] = s.sigmas[exchange, at]
            s.counts[SETTLED] += 1
        else:
            s.counts[VOID] += 1
        head += 1
    s.ends[exchange, HEAD] = head


@kernel
def score_rows(
    s: Scoring,
    exchanges: np.ndarray,
    books: np.ndarray,
    feed_us: np.ndarray,
    mids: np.ndarray,
    predictions: np.ndarray,
    sigmas: np.ndarray,
    horizon_us: int,
) -> None:
    """Take in rows in the order in which they came: settle what is due, then let each row's own prediction wait.

    Parameters
    ----------
    exchanges, books, feed_us : int64[n]
    mids : float64[n]
        NaN: the row says nothing of the price (book not valid, a side empty), and what waits for its book is void.
    predictions, sigmas : float64[n]
        NaN: none was made.
    horizon_us : int
    """
    waiting = s.due_us.shape[1]
    for i in range(len(books)):
        exchange, book = exchanges[i], books[i]
        if exchange < 0 or exchange >= EXCHANGES or book < 0 or book >= len(s.life):
            continue
        _settle(s, exchange, feed_us[i])
        if not mids[i] > 0.0:
            s.life[book] += 1
            continue
        s.mid[book] = mids[i]
        if predictions[i] != predictions[i]:
            continue
        tail = s.ends[exchange, TAIL]
        if tail - s.ends[exchange, HEAD] >= waiting:
            s.counts[DROPPED] += 1
            continue
        at = tail % waiting
        s.books[exchange, at] = book
        s.due_us[exchange, at] = feed_us[i] + horizon_us
        s.lives[exchange, at] = s.life[book]
        s.predictions[exchange, at] = predictions[i]
        s.sigmas[exchange, at] = sigmas[i]
        s.mids[exchange, at] = mids[i]
        s.ends[exchange, TAIL] = tail + 1


def forget(s: Scoring) -> None:
    """Begin anew: what waits is void, because book ids mean other books now. The rolling figures stay."""
    s.counts[VOID] += int((s.ends[:, TAIL] - s.ends[:, HEAD]).sum())
    s.ends[:] = 0
    s.life[:] += 1


class Rolling(NamedTuple):
    """Rolling figures of the last predictions that were settled.

    Attributes
    ----------
    scored : int
        How many.
    correlation : float
        The information coefficient.
    hit_rate : float
        Share of right signs among the outcomes that are not zero.
    calibration : float
        Root mean square of the error over the stated deviation: 1 is as the model says.
    """

    scored: int
    correlation: float
    hit_rate: float
    calibration: float


def rolling(s: Scoring) -> Rolling:
    """Return the figures of the last settled predictions; NaN where there is nothing to say."""
    n = min(int(s.counts[SETTLED]), len(s.recent))
    p, y, sigma = s.recent[:n].T
    if n < 2:
        return Rolling(n, math.nan, math.nan, math.nan)
    spread = float(p.std() * y.std())
    correlation = float(((p - p.mean()) * (y - y.mean())).mean()) / spread if spread > 0 else math.nan
    moved = y != 0
    hits = float((np.sign(p[moved]) == np.sign(y[moved])).mean()) if moved.any() else math.nan
    return Rolling(n, correlation, hits, float(np.sqrt((((y - p) / sigma) ** 2).mean())))

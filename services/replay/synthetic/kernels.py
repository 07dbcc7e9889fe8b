"""Events of the synthetic market, straight into a chunk."""

from __future__ import annotations

import math

import numpy as np

from libs.jit import kernel
from libs.sending.chunk import (
    ASKS,
    AT,
    BIDS,
    BOOK,
    CUT,
    EXCHANGE_US,
    FEED_US,
    FLAGS,
    ID,
    KIND,
    PRICE,
    PRICE_EXP,
    SIZE,
    SIZE_EXP,
    SRC,
    TRADE,
    TRADE_ID,
    WEIGHT,
    Chunk,
)
from libs.sending.rng import below, exponential, normal, uniform
from services.replay.synthetic.books import ASK, BID, best_bid, draw_size, follow, move_side, set_level, ticks, touch_up
from services.replay.synthetic.state import (
    BELIEVED,
    BEST,
    BOOK_EVENTS,
    DELAY_US,
    LAG,
    LAST_MESSAGE,
    LAST_TRADE,
    LEVELS,
    LEVELS_SENT,
    LOG_PRICE,
    MEAN_LOTS,
    MESSAGES,
    PRESSURE,
    PRICE_EXPONENT,
    RING,
    SIGMA,
    SIZE_EXPONENT,
    SNAPSHOTS,
    SOURCE_TIME,
    SPREAD,
    START_STEP,
    VENUES,
    Market,
)

UNIT = 1000
"""Source time of one message."""
ROOM_WORDS = 4096
"""Words of levels that must be free before another event."""
ROOM_EVENTS = 8
SCRATCH = 2048

_TRADE_CLUSTERS = 0.1
_REVERSION = 1.0 / 7200.0
_PRESSURE_S = 10.0
_PULL = 0.15e-4
"""Drift of the log price, per second and unit of pressure."""
_FEW_LEVELS = 1.5
"""With fewer levels a message the mean cannot be kept: a move of the price needs some, and prices must move."""
_DEBT = 8.0
_WEIGHT_SCALE = 1 << 20


@kernel
def _new_event(c: Chunk, m: Market, b: int, kind: int, weight: int) -> int:
    row = c.used[0]
    c.used[0] += 1
    e = c.events[row]
    e[KIND], e[ID], e[FLAGS], e[CUT], e[WEIGHT] = kind, b, 0, 0, weight
    e[PRICE_EXP], e[SIZE_EXP] = m.words[b, PRICE_EXPONENT], m.words[b, SIZE_EXPONENT]
    return row


@kernel
def _put_levels(c: Chunk, row: int, counts: np.ndarray, out: np.ndarray) -> None:
    e, at = c.events[row], c.used[1]
    e[AT], e[BIDS], e[ASKS] = at, counts[BID], counts[ASK]
    for side in range(2):
        for k in range(2 * counts[side]):
            c.levels[at + k] = out[side, k]
        at += 2 * counts[side]
    c.used[1] = at


@kernel
def _trades(m: Market, b: int, c: Chunk, pressure: float, weight: int, counts: np.ndarray, out: np.ndarray) -> None:
    """One to three prints against the touch, whose new size goes to ``out``; a touch that is used up moves away."""
    buyer = uniform(m.rng) < 0.5 + 0.2 * math.tanh(pressure)
    side = ASK if buyer else BID
    best = m.words[b, BEST + side]
    slot = best & (RING - 1)
    prints = 1 + int(uniform(m.rng) < 0.4) + int(uniform(m.rng) < 0.2)
    for _ in range(prints):
        left = m.sizes[b, side, slot]
        if left == 0:
            break
        size = min(left, max(1, int(m.reals[b, MEAN_LOTS] * 0.3 * exponential(m.rng))))
        m.sizes[b, side, slot] = left - size
        m.words[b, LAST_TRADE] += 1
        e = c.events[_new_event(c, m, b, TRADE, weight)]
        weight = 0
        e[FLAGS], e[TRADE_ID], e[PRICE], e[SIZE] = 1 if buyer else 0, m.words[b, LAST_TRADE], ticks(m, b, best), size
    out[side, 0], out[side, 1] = ticks(m, b, best), m.sizes[b, side, slot]
    counts[side] = 1
    if m.sizes[b, side, slot] == 0:
        away = 1 if side == ASK else -1
        counts[side] = move_side(m, b, side, best + away, pressure, out, 1)


@kernel(inline=True)
def _pick(cdfs: np.ndarray, first: int, count: int, x: float) -> int:
    low, high = first, first + count - 1
    while low < high:
        middle = (low + high) // 2
        if cdfs[middle] > x:
            high = middle
        else:
            low = middle + 1
    return low - first


@kernel(inline=True)
def _evolve(m: Market, s: int, seconds: float) -> None:
    """Move a symbol's hidden price and pressure on by so much time."""
    decay = math.exp(-seconds / _PRESSURE_S)
    m.symbols[s, PRESSURE] = m.symbols[s, PRESSURE] * decay + 0.6 * math.sqrt(1.0 - decay * decay) * normal(m.rng)
    m.symbols[s, LOG_PRICE] += (
        (_PULL * m.symbols[s, PRESSURE] - _REVERSION * m.symbols[s, LOG_PRICE]) * min(seconds, _PRESSURE_S)
        + m.symbols[s, SIGMA] * math.sqrt(seconds) * normal(m.rng)
    )  # fmt: skip


@kernel(allocates=True)
def _cluster(m: Market, c: Chunk, levels: float, seconds: float, weight: int, scratch: np.ndarray) -> None:
    """One arrival: a book event of one exchange, or prints and the book event that they cause."""
    venues = m.counters[VENUES]
    s = _pick(m.cdfs, 0, len(m.symbols), uniform(m.rng))
    b = s * venues + _pick(m.cdfs, len(m.symbols), venues, uniform(m.rng))
    now = m.counters[MESSAGES]
    _evolve(m, s, (now - m.symbols[s, LAST_MESSAGE]) * seconds)
    m.symbols[s, LAST_MESSAGE] = now
    m.reals[b, BELIEVED] += m.reals[b, LAG] * (
        m.reals[b, START_STEP] * math.exp(m.symbols[s, LOG_PRICE]) - m.reals[b, BELIEVED]
    )
    counts = np.zeros(2, np.int64)
    first = c.used[0]
    if uniform(m.rng) < _TRADE_CLUSTERS:
        _trades(m, b, c, m.symbols[s, PRESSURE], weight, counts, scratch)
        weight = 0
    elif levels < _FEW_LEVELS or levels * now - m.counters[LEVELS_SENT] > -_DEBT:
        follow(m, b, m.symbols[s, PRESSURE], counts, scratch)
    row = _new_event(c, m, b, BOOK, weight)
    messages = c.used[0] - first
    # What is owed so far decides how many changes this event has, so that the mean is kept exactly in the long run.
    owed = levels * (now + messages) - m.counters[LEVELS_SENT] - (messages - 1)
    mean = max(1.0, min(owed, 4.0 * levels))
    touch_up(m, b, max(1, int(mean * (0.4 + 1.2 * uniform(m.rng)) + 0.5)), m.symbols[s, PRESSURE], counts, scratch)
    _put_levels(c, row, counts, scratch)
    m.counters[MESSAGES] += messages
    m.counters[LEVELS_SENT] += counts[BID] + counts[ASK] + messages - 1
    m.counters[BOOK_EVENTS] += 1


@kernel
def generate(m: Market, c: Chunk, scratch: np.ndarray, messages: int, levels: float, rate: float, feed_us: int) -> int:
    """Replace a chunk's events by the next ones.

    Arrivals are exponential, bunched by bursts, and scaled so that the block takes exactly its share of time.

    Parameters
    ----------
    m : Market
    c : Chunk
    scratch : int64[2, SCRATCH]
    messages : int
        How many to make at least, room allowing.
    levels : float
        Mean updates a message: level changes, or 1 for a trade.
    rate : float
        Messages a second of feed time.
    feed_us : int
        Feed time at source time 0, in microseconds.

    Returns
    -------
    int
        Events made.
    """
    c.used[0], c.used[1] = 0, 0
    total, burst = 0, 0
    while (
        c.used[0] < messages
        and c.used[0] + ROOM_EVENTS <= len(c.events)
        and c.used[1] + ROOM_WORDS <= len(c.levels)
    ):  # fmt: skip
        if burst == 0 and uniform(m.rng) < 0.01:
            burst = 10 + below(m.rng, 30)
        spread = 0.1 if burst > 0 else 1.0
        burst = max(0, burst - 1)
        weight = 1 + int(spread * exponential(m.rng) * _WEIGHT_SCALE)
        total += weight
        _cluster(m, c, levels, 1.0 / rate, weight, scratch)
    n = c.used[0]
    start, passed, span = m.counters[SOURCE_TIME], 0, n * UNIT
    for row in range(n):
        e = c.events[row]
        passed += e[WEIGHT]
        e[SRC] = start + int(np.float64(passed) / np.float64(total) * span)
        _stamp(m, e, rate, feed_us)
    m.counters[SOURCE_TIME] = start + span
    return n


@kernel(inline=True)
def _stamp(m: Market, e: np.ndarray, rate: float, feed_us: int) -> None:
    e[FEED_US] = feed_us + int(np.float64(e[SRC]) * 1e6 / (UNIT * rate))
    e[EXCHANGE_US] = e[FEED_US] - m.words[e[ID], DELAY_US]


@kernel(allocates=True)
def snapshots(m: Market, c: Chunk, scratch: np.ndarray, pace: float, rate: float, feed_us: int) -> int:
    """Replace a chunk's events by the first snapshots of the next books; return how many books are still to come.

    ``pace``: messages a second at which they go out, whatever the rate.
    """
    c.used[0], c.used[1] = 0, 0
    books = len(m.words)
    while (
        m.counters[SNAPSHOTS] < books
        and c.used[0] + ROOM_EVENTS <= len(c.events)
        and c.used[1] + ROOM_WORDS <= len(c.levels)
    ):  # fmt: skip
        b = m.counters[SNAPSHOTS]
        m.counters[SNAPSHOTS] += 1
        counts = np.zeros(2, np.int64)
        bid = best_bid(m.reals[b, BELIEVED])
        for side in range(2):
            best = bid + SPREAD * side
            m.words[b, BEST + side] = best
            for depth in range(m.words[b, LEVELS]):
                step = best + depth if side == ASK else best - depth
                lots = draw_size(m, b, side, depth, m.symbols[b // m.counters[VENUES], PRESSURE])
                counts[side] = set_level(m, b, side, step, lots, scratch, counts[side])
        row = _new_event(c, m, b, BOOK, 0)
        _put_levels(c, row, counts, scratch)
        e = c.events[row]
        e[FLAGS] = 1
        parts = 1 + (counts[BID] + counts[ASK]) // 80
        m.counters[SOURCE_TIME] += max(1, int(UNIT * rate * parts / pace))
        e[SRC] = m.counters[SOURCE_TIME]
        _stamp(m, e, rate, feed_us)
    return books - m.counters[SNAPSHOTS]

"""Events of the synthetic market, straight into a chunk."""

from __future__ import annotations

import math

import numpy as np

from libs.jit import kernel
from services.replay.chunk import (
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
from services.replay.rng import below, exponential, normal, uniform
from services.replay.synthetic.state import (
    BOOK_EVENTS,
    LEVELS_SENT,
    MESSAGES,
    RING,
    SNAPSHOTS,
    SOURCE_TIME,
    Market,
)

UNIT = 1000
"""Source time of one message."""
ROOM_WORDS = 4096
"""Words of levels that must be free before another event."""
ROOM_EVENTS = 8
SCRATCH = 2048

_BID, _ASK = 0, 1
_MAX_MOVE = 40
_TRADE_CLUSTERS = 0.1
_REVERSION = 1.0 / 7200.0
_PRESSURE_S = 10.0
_PULL = 0.15e-4
"""Drift of the log price, per second and unit of pressure."""
_FEW_LEVELS = 1.5
"""With fewer levels a message the mean cannot be kept: a move of the price needs some, and prices must move."""
_DEBT = 8.0
_WEIGHT_SCALE = 1 << 20


@kernel(inline=True)
def _ticks(m: Market, b: int, step: int) -> int:
    """Return the price mantissa of a grid step: one tick within the step's own span, always the same one."""
    span = m.step_ticks[b]
    mixed = (step * 0x9E3779B1 + b * 0x85EBCA6B) & 0xFFFFFFFF
    return (step * span + ((mixed ^ (mixed >> 15)) % span)) * m.tick_mantissa[b]


@kernel
def _draw_size(m: Market, b: int, side: int, depth: int, pressure: float) -> int:
    tilt = pressure * (0.7 if depth < 3 else 0.25)
    shape = 0.5 + 0.15 * min(depth, 12)
    lots = m.mean_lots[b] * shape * math.exp(0.8 * normal(m.rng) + (tilt if side == _BID else -tilt))
    return max(1, int(lots))


@kernel
def _set(m: Market, b: int, side: int, step: int, lots: int, out: np.ndarray, n: int) -> int:
    """Set a level and put the change to out[side]; return the changes of that side so far."""
    slot = step & (RING - 1)
    if m.sizes[b, side, slot] == 0 and lots == 0:
        return n
    m.sizes[b, side, slot] = lots
    out[side, 2 * n] = _ticks(m, b, step)
    out[side, 2 * n + 1] = lots
    return n + 1


@kernel
def _move_side(m: Market, b: int, side: int, to: int, pressure: float, out: np.ndarray, n: int) -> int:
    """Move one side's best to a grid step; levels leave at one end and come at the other."""
    away = -1 if side == _BID else 1
    best, levels = m.best[b, side], m.levels[b]
    closer = (best - to) * away
    for k in range(1, closer + 1):
        n = _set(m, b, side, best - away * k, _draw_size(m, b, side, closer - k, pressure), out, n)
        n = _set(m, b, side, best + away * (levels - k), 0, out, n)
    for k in range(-closer):
        n = _set(m, b, side, best + away * k, 0, out, n)
        n = _set(m, b, side, best + away * (levels + k), _draw_size(m, b, side, levels, pressure), out, n)
    m.best[b, side] = to
    if m.sizes[b, side, to & (RING - 1)] == 0:
        n = _set(m, b, side, to, _draw_size(m, b, side, 0, pressure), out, n)
    return n


@kernel
def _follow(m: Market, b: int, pressure: float, counts: np.ndarray, out: np.ndarray) -> None:
    """Move the best prices towards what the exchange believes, the retreating side first."""
    middle = 0.5 * (m.best[b, _BID] + m.best[b, _ASK])
    if abs(m.price[b] - middle) <= 0.75:
        return
    aim = min(max(m.price[b], middle - _MAX_MOVE), middle + _MAX_MOVE)
    bid = math.floor(aim)
    ask = bid + 1 + int(uniform(m.rng) < 0.2)
    first = _ASK if aim > middle else _BID
    for side in (first, 1 - first):
        counts[side] = _move_side(m, b, side, bid if side == _BID else ask, pressure, out, counts[side])


@kernel
def _touch_up(m: Market, b: int, changes: int, pressure: float, counts: np.ndarray, out: np.ndarray) -> None:
    """Change, add and take away sizes at random depths, more of them near the top."""
    levels = m.levels[b]
    while counts[_BID] + counts[_ASK] < changes:
        side = below(m.rng, 2)
        depth = int(exponential(m.rng) * levels * 0.2)
        if depth >= levels:
            continue
        step = m.best[b, side] + (depth if side == _ASK else -depth)
        there = m.sizes[b, side, step & (RING - 1)] > 0
        lots = 0 if there and depth > 0 and uniform(m.rng) < 0.25 else _draw_size(m, b, side, depth, pressure)
        counts[side] = _set(m, b, side, step, lots, out, counts[side])


@kernel
def _new_event(c: Chunk, m: Market, b: int, kind: int, weight: int) -> int:
    row = c.used[0]
    c.used[0] += 1
    e = c.events[row]
    e[KIND], e[ID], e[FLAGS], e[CUT], e[WEIGHT] = kind, b, 0, 0, weight
    e[PRICE_EXP], e[SIZE_EXP] = m.price_exp[b], m.size_exp[b]
    return row


@kernel
def _put_levels(c: Chunk, row: int, counts: np.ndarray, out: np.ndarray) -> None:
    e, at = c.events[row], c.used[1]
    e[AT], e[BIDS], e[ASKS] = at, counts[_BID], counts[_ASK]
    for side in range(2):
        for k in range(2 * counts[side]):
            c.levels[at + k] = out[side, k]
        at += 2 * counts[side]
    c.used[1] = at


@kernel
def _trades(m: Market, b: int, c: Chunk, pressure: float, weight: int, counts: np.ndarray, out: np.ndarray) -> None:
    """One to three prints against the touch, whose new size goes to ``out``; a touch that is used up moves away."""
    buyer = uniform(m.rng) < 0.5 + 0.2 * math.tanh(pressure)
    side = _ASK if buyer else _BID
    best = m.best[b, side]
    slot = best & (RING - 1)
    prints = 1 + int(uniform(m.rng) < 0.4) + int(uniform(m.rng) < 0.2)
    for _ in range(prints):
        left = m.sizes[b, side, slot]
        if left == 0:
            break
        size = min(left, max(1, int(m.mean_lots[b] * 0.3 * exponential(m.rng))))
        m.sizes[b, side, slot] = left - size
        m.trade_id[b] += 1
        e = c.events[_new_event(c, m, b, TRADE, weight)]
        weight = 0
        e[FLAGS], e[TRADE_ID], e[PRICE], e[SIZE] = 1 if buyer else 0, m.trade_id[b], _ticks(m, b, best), size
    out[side, 0], out[side, 1] = _ticks(m, b, best), m.sizes[b, side, slot]
    counts[side] = 1
    if m.sizes[b, side, slot] == 0:
        away = 1 if side == _ASK else -1
        counts[side] = _move_side(m, b, side, best + away, pressure, out, 1)


@kernel(inline=True)
def _pick(cdf: np.ndarray, x: float) -> int:
    low, high = 0, len(cdf) - 1
    while low < high:
        middle = (low + high) // 2
        if cdf[middle] > x:
            high = middle
        else:
            low = middle + 1
    return low


@kernel(inline=True)
def _evolve(m: Market, s: int, seconds: float) -> None:
    """Move a symbol's hidden price and pressure on by so much time."""
    decay = math.exp(-seconds / _PRESSURE_S)
    m.pressure[s] = m.pressure[s] * decay + 0.6 * math.sqrt(1.0 - decay * decay) * normal(m.rng)
    m.log_price[s] += (
        (_PULL * m.pressure[s] - _REVERSION * m.log_price[s]) * min(seconds, _PRESSURE_S)
        + m.sigma[s] * math.sqrt(seconds) * normal(m.rng)
    )  # fmt: skip


@kernel
def _cluster(m: Market, c: Chunk, levels: float, seconds: float, weight: int, scratch: np.ndarray) -> None:
    """One arrival: a book event of one exchange, or prints and the book event that they cause."""
    venues = m.venues[0]
    s = _pick(m.symbol_cdf, uniform(m.rng))
    b = s * venues + _pick(m.venue_cdf, uniform(m.rng))
    now = m.counters[MESSAGES]
    _evolve(m, s, (now - m.last_message[s]) * seconds)
    m.last_message[s] = now
    m.price[b] += m.lag[b] * (m.start_step[b] * math.exp(m.log_price[s]) - m.price[b])
    counts = np.zeros(2, np.int64)
    first = c.used[0]
    if uniform(m.rng) < _TRADE_CLUSTERS:
        _trades(m, b, c, m.pressure[s], weight, counts, scratch)
        weight = 0
    elif levels < _FEW_LEVELS or levels * now - m.counters[LEVELS_SENT] > -_DEBT:
        _follow(m, b, m.pressure[s], counts, scratch)
    row = _new_event(c, m, b, BOOK, weight)
    messages = c.used[0] - first
    # What is owed so far decides how many changes this event has, so that the mean is kept exactly in the long run.
    owed = levels * (now + messages) - m.counters[LEVELS_SENT] - (messages - 1)
    mean = max(1.0, min(owed, 4.0 * levels))
    _touch_up(m, b, max(1, int(mean * (0.4 + 1.2 * uniform(m.rng)) + 0.5)), m.pressure[s], counts, scratch)
    _put_levels(c, row, counts, scratch)
    m.counters[MESSAGES] += messages
    m.counters[LEVELS_SENT] += counts[_BID] + counts[_ASK] + messages - 1
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
    e[EXCHANGE_US] = e[FEED_US] - m.delay_us[e[ID]]


@kernel
def snapshots(m: Market, c: Chunk, scratch: np.ndarray, pace: float, rate: float, feed_us: int) -> int:
    """Replace a chunk's events by the first snapshots of the next books; return how many books are still to come.

    ``pace``: messages a second at which they go out, whatever the rate.
    """
    c.used[0], c.used[1] = 0, 0
    books = len(m.levels)
    while (
        m.counters[SNAPSHOTS] < books
        and c.used[0] + ROOM_EVENTS <= len(c.events)
        and c.used[1] + ROOM_WORDS <= len(c.levels)
    ):  # fmt: skip
        b = m.counters[SNAPSHOTS]
        m.counters[SNAPSHOTS] += 1
        counts = np.zeros(2, np.int64)
        bid = math.floor(m.price[b])
        for side in range(2):
            best = bid + side
            m.best[b, side] = best
            for depth in range(m.levels[b]):
                step = best + depth if side == _ASK else best - depth
                lots = _draw_size(m, b, side, depth, m.pressure[b // m.venues[0]])
                counts[side] = _set(m, b, side, step, lots, scratch, counts[side])
        row = _new_event(c, m, b, BOOK, 0)
        _put_levels(c, row, counts, scratch)
        e = c.events[row]
        e[FLAGS] = 1
        parts = 1 + (counts[_BID] + counts[_ASK]) // 80
        m.counters[SOURCE_TIME] += max(1, int(UNIT * rate * parts / pace))
        e[SRC] = m.counters[SOURCE_TIME]
        _stamp(m, e, rate, feed_us)
    return books - m.counters[SNAPSHOTS]

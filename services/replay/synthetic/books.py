"""One synthetic book: levels on its grid, moves of its best prices, changes of its sizes.

Changes go to ``out`` (int64[2, n]: price and size words, bids and asks apart) and to the book at once.
"""

from __future__ import annotations

import math

import numpy as np

from libs.jit import kernel
from libs.sending.rng import below, exponential, normal, uniform
from services.replay.synthetic.state import (
    BELIEVED,
    BEST,
    LEVELS,
    MEAN_LOTS,
    RING,
    SPREAD,
    STEP_TICKS,
    TICK_MANTISSA,
    Market,
)

BID, ASK = 0, 1
_MAX_MOVE = 40
_CONTENT = 0.55
"""Grid steps that the middle may be off what the exchange believes: half a step is what whole steps leave."""


@kernel(inline=True)
def ticks(m: Market, b: int, step: int) -> int:
    """Return the price mantissa of a grid step: one tick within the step's own span, always the same one."""
    span = m.words[b, STEP_TICKS]
    mixed = (step * 0x9E3779B1 + b * 0x85EBCA6B) & 0xFFFFFFFF
    return (step * span + ((mixed ^ (mixed >> 15)) % span)) * m.words[b, TICK_MANTISSA]


@kernel(inline=True)
def best_bid(price: float) -> int:
    """Return the best bid's grid step when the exchange believes in a price (in steps)."""
    return math.floor(price - 0.5 * (SPREAD - 1))


@kernel
def draw_size(m: Market, b: int, side: int, depth: int, pressure: float) -> int:
    """Return a size in lots for a level so deep; pressure tilts bids up and asks down, most at the top."""
    tilt = pressure * (0.7 if depth < 3 else 0.25)
    shape = 0.5 + 0.15 * min(depth, 12)
    lots = m.reals[b, MEAN_LOTS] * shape * math.exp(0.8 * normal(m.rng) + (tilt if side == BID else -tilt))
    return max(1, int(lots))


@kernel
def set_level(m: Market, b: int, side: int, step: int, lots: int, out: np.ndarray, n: int) -> int:
    """Set a level and put the change to out[side]; return the changes of that side so far."""
    slot = step & (RING - 1)
    if m.sizes[b, side, slot] == 0 and lots == 0:
        return n
    m.sizes[b, side, slot] = lots
    out[side, 2 * n] = ticks(m, b, step)
    out[side, 2 * n + 1] = lots
    return n + 1


@kernel
def move_side(m: Market, b: int, side: int, to: int, pressure: float, out: np.ndarray, n: int) -> int:
    """Move one side's best to a grid step; levels leave at one end and come at the other."""
    away = -1 if side == BID else 1
    best, levels = m.words[b, BEST + side], m.words[b, LEVELS]
    closer = (best - to) * away
    for k in range(1, closer + 1):
        n = set_level(m, b, side, best - away * k, draw_size(m, b, side, closer - k, pressure), out, n)
        n = set_level(m, b, side, best + away * (levels - k), 0, out, n)
    for k in range(-closer):
        n = set_level(m, b, side, best + away * k, 0, out, n)
        n = set_level(m, b, side, best + away * (levels + k), draw_size(m, b, side, levels, pressure), out, n)
    m.words[b, BEST + side] = to
    if m.sizes[b, side, to & (RING - 1)] == 0:
        n = set_level(m, b, side, to, draw_size(m, b, side, 0, pressure), out, n)
    return n


@kernel
def follow(m: Market, b: int, pressure: float, counts: np.ndarray, out: np.ndarray) -> None:
    """Move the best prices towards what the exchange believes, the retreating side first."""
    middle = 0.5 * (m.words[b, BEST + BID] + m.words[b, BEST + ASK])
    if abs(m.reals[b, BELIEVED] - middle) <= _CONTENT:
        return
    aim = min(max(m.reals[b, BELIEVED], middle - _MAX_MOVE), middle + _MAX_MOVE)
    bid = best_bid(aim)
    ask = bid + SPREAD + int(uniform(m.rng) < 0.2)
    first = ASK if aim > middle else BID
    for side in (first, 1 - first):
        counts[side] = move_side(m, b, side, bid if side == BID else ask, pressure, out, counts[side])


@kernel
def touch_up(m: Market, b: int, changes: int, pressure: float, counts: np.ndarray, out: np.ndarray) -> None:
    """Change, add and take away sizes at random depths, more of them near the top."""
    levels = m.words[b, LEVELS]
    while counts[BID] + counts[ASK] < changes:
        side = below(m.rng, 2)
        depth = int(exponential(m.rng) * levels * 0.2)
        if depth >= levels:
            continue
        step = m.words[b, BEST + side] + (depth if side == ASK else -depth)
        there = m.sizes[b, side, step & (RING - 1)] > 0
        lots = 0 if there and depth > 0 and uniform(m.rng) < 0.25 else draw_size(m, b, side, depth, pressure)
        counts[side] = set_level(m, b, side, step, lots, out, counts[side])

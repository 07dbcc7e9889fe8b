"""The present-book features of markets.md in exact fractions, from the definitions and the oracle's book."""

from __future__ import annotations

import math
from fractions import Fraction

from tests.oracles.levels import ALL, NOTHING, SCALE, Content

UNIT = Fraction(1, 10**SCALE)
Levels = list[tuple[Fraction, Fraction]]


def sides_of(content: Content, most: int | None = None) -> tuple[Levels, Levels]:
    """Return bids and asks as fractions, best first, at most so many a side."""
    bids, asks = ([(p * UNIT, q * UNIT) for p, q in content.best_first(side)[:most]] for side in range(2))
    return bids, asks


def ratio(above: Fraction, below: Fraction) -> Fraction | None:
    """Return a quotient; None where it is undefined."""
    return above / below if below else None


def within(content: Content, mid: Fraction, bps: int, side: int) -> Levels:
    """Return the levels of a side within x basis points of mid."""
    if side == 0:
        lowest = math.ceil(mid * (1 - Fraction(bps, 10_000)) / UNIT)
        return [(p * UNIT, q * UNIT) for p, q in content.sides[0].items() if p >= lowest]
    highest = math.floor(mid * (1 + Fraction(bps, 10_000)) / UNIT)
    return [(p * UNIT, q * UNIT) for p, q in content.sides[1].items() if p <= highest]


def present(content: Content, depth_levels: int, liquidity_bps: int) -> dict[str, Fraction | None]:
    """Return every feature that needs only the present book; None for NaN."""
    bids, asks = sides_of(content, max(1, depth_levels))
    bid_sum = sum((q for _, q in bids[:depth_levels]), Fraction(0))
    ask_sum = sum((q for _, q in asks[:depth_levels]), Fraction(0))
    names = ("wap_0ms", "liquidity_imbalance", "queue_imbalance", "spread", "spread_bps")
    row: dict[str, Fraction | None] = dict.fromkeys(names)
    row |= {f"{side}_volume_{bps}bps": None for side in ("bid", "ask") for bps in (10, 20)}
    row["order_book_imbalance"] = ratio(bid_sum - ask_sum, bid_sum + ask_sum)
    if not bids or not asks:
        return row
    (b, qb), (a, qa) = bids[0], asks[0]
    mid = (b + a) / 2
    row["wap_0ms"] = ratio(b * qa + a * qb, qb + qa)
    row["queue_imbalance"] = ratio(qb - qa, qb + qa)
    row["spread"] = a - b
    row["spread_bps"] = ratio(10_000 * (a - b), mid)
    worth = [sum((p * q for p, q in within(content, mid, liquidity_bps, side)), Fraction(0)) for side in range(2)]
    row["liquidity_imbalance"] = ratio(worth[0] - worth[1], worth[0] + worth[1])
    for bps in (10, 20):
        for side, name in enumerate(("bid", "ask")):
            row[f"{name}_volume_{bps}bps"] = sum((q for _, q in within(content, mid, bps, side)), Fraction(0))
    return row


def incomplete(content: Content, depth_levels: int, liquidity_bps: int) -> bool:
    """Return whether the top levels or a band reach past what is known of a side."""
    bids, asks = content.best(0), content.best(1)
    widest = Fraction(max(20, liquidity_bps), 10_000)
    for side in range(2):
        end = content.known[side]
        if end == ALL:
            continue
        if end == NOTHING:
            return True
        assert isinstance(end, int)
        if sum(not content.beyond(side, p) for p in content.sides[side]) < depth_levels:
            return True
        if bids is not None and asks is not None:
            mid = Fraction(bids[0] + asks[0], 2)
            if (mid * (1 - widest) < end) if side == 0 else (mid * (1 + widest) > end):
                return True
    return False


def ulps(found: float, exact: Fraction | None) -> float:
    """Return how far a float lies from the exact value, in units of the last place; NaN is right where None is."""
    if exact is None:
        return 0.0 if math.isnan(found) else math.inf
    if math.isnan(found) or math.isinf(found):
        return math.inf
    try:
        return float(abs(Fraction(found) - exact) / Fraction(math.ulp(float(exact))))
    except OverflowError:
        return math.inf

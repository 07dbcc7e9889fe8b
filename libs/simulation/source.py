"""Seeded venues: events of a few books, as the chunk that a composer takes."""

from __future__ import annotations

import random

import numpy as np

from libs.book.state import new as new_books
from libs.sending.chunk import BOOK, STATUS, TRADE, Chunk
from libs.sending.compose import (
    CURSOR,
    NEED_MORE,
    NEXT_INSTRUMENT,
    NEXT_REFRESH,
    REFRESH_BEGAN,
    WANTED_DATAGRAM_GAP,
    WANTED_INSTRUMENT_ROUND,
    WANTED_REFRESH_ROUND,
    WANTED_SPAN,
    compose,
    new_composer,
)
from libs.sending.encode import SLOT_COUNT, SLOT_USED
from libs.sending.listing import add_row, new_listing
from libs.sending.outbox import AT, LENGTH, SRC, Outbox
from libs.simulation.schedule import MS, WALL_NS, Schedule, SessionPlan

PRICE_EXPONENTS = (-2, -2, -3, -1, -2)
SIZE_EXPONENT = -3
MIRROR_DEPTH = 256
QUIET_NS = 100 * MS
"""From a session's start to its first message: the three heartbeats."""
DATAGRAM_GAP_NS = 500_000

Composed = list[tuple[int, bytes]]
"""Messages without number and time, each with the virtual time at which it is due."""


class Venue:
    """One book as its venue has it, and the events that change it; prices are mantissas."""

    def __init__(self, rng: random.Random, row: int, exponent: int, levels: int) -> None:
        self.rng, self.row, self.exponent, self.levels = rng, row, exponent, levels
        self.mid = 10_000 * 10 ** (-2 - exponent) if exponent < -2 else 10_000
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.trades = 0

    def snapshot(self) -> tuple[int, list[int], int, int, int]:
        """Return flags, level words, bids, asks and cut of a new book."""
        rng, levels = self.rng, self.levels
        self.sides = (
            {self.mid - 1 - k: rng.randint(1, 999) for k in range(levels)},
            {self.mid + 1 + k: rng.randint(1, 999) for k in range(levels)},
        )
        cut = rng.choice((0, 0, 0, 1, 2, 3))
        bids, asks = (list(side.items()) for side in self.sides)
        return 1, [word for pair in (*bids, *asks) for word in pair], len(bids), len(asks), cut

    def delta(self, most: int) -> tuple[int, list[int], int, int, int]:
        """Return a change of up to ``most`` levels; the market moves now and then, and never crosses itself."""
        rng = self.rng
        changed: tuple[dict[int, int], dict[int, int]] = ({}, {})
        if rng.random() < 0.3:
            self.mid += rng.choice((-2, -1, 1, 2))
            for side, sign in ((0, 1), (1, -1)):
                for price in [p for p in self.sides[side] if sign * p >= sign * self.mid]:
                    changed[side][price] = 0
        for _ in range(rng.randint(1, most)):
            side = rng.randrange(2)
            sign = 1 - 2 * side
            price = self.mid - sign * (1 + min(int(rng.expovariate(0.2)), self.levels + 4))
            keep = len(self.sides[side]) <= 2 or rng.random() < 0.65
            changed[side][price] = rng.randint(1, 999) if keep else 0
        for side, sign in ((0, 1), (1, -1)):
            near = self.mid - sign
            if not any(changed[side].get(p, 1) for p in range(near - 3, near + 4) if p in self.sides[side]):
                changed[side][near] = rng.randint(1, 999)
            for price, size in changed[side].items():
                if size:
                    self.sides[side][price] = size
                else:
                    self.sides[side].pop(price, None)
        words = [word for side in changed for pair in side.items() for word in pair]
        return 0, words, len(changed[0]), len(changed[1]), 0


def moments(rng: random.Random, start: int, end: int, count: int) -> list[int]:
    """Return when so many events come between two virtual times: evenly at random, and in bursts."""
    found = [rng.randint(start, end) for _ in range(count)]
    for _ in range(rng.randint(0, 3)):
        at, width = rng.randint(start, end), rng.choice((1_000, 200_000, 2 * MS))
        for _ in range(min(count, rng.choice((20, 90)))):
            found[rng.randrange(count)] = min(end, at + rng.randint(0, width))
    return sorted(found)


def _chunk(rng: random.Random, venues: list[Venue], times: list[int]) -> Chunk:
    rows: list[tuple[int, ...]] = []
    words: list[int] = []
    fresh = set(range(len(venues)))
    bad: dict[int, int] = {}
    for at_ns in times:
        venue = venues[rng.randrange(len(venues))]
        row, pick = venue.row, rng.random()
        feed_us = (WALL_NS + at_ns) // 1000
        head = (at_ns, BOOK, row)
        if row in fresh or (row in bad and bad[row] < at_ns) or pick < 0.03:
            flags, levels, bids, asks, cut = venue.snapshot()
            fresh.discard(row)
            bad.pop(row, None)
        elif pick < 0.14:
            venue.trades += 1
            price = venue.mid + rng.randint(-2, 2)
            rows.append((at_ns, TRADE, row, rng.randrange(2), venue.exponent, SIZE_EXPONENT, 0, 0, 0, feed_us, feed_us,
                         0, venue.trades, price, rng.randint(1, 500), 0))  # fmt: skip
            continue
        elif pick < 0.15:
            code = rng.choice((2, 2, 3, 4, 6, 7, 8))
            if code == 2:
                bad[row] = at_ns + rng.randint(5, 60) * MS
            rows.append((at_ns, STATUS, row, code, 0, 0, 0, 0, 0, feed_us, feed_us, 0, 0, 0, 0, 0))
            continue
        else:
            flags, levels, bids, asks, cut = venue.delta(rng.choice((1, 2, 4, 30)))
        rows.append((*head, flags, venue.exponent, SIZE_EXPONENT, cut, bids, asks, feed_us, feed_us, len(words),
                     0, 0, 0, 0))  # fmt: skip
        words += levels
    events = np.array(rows, np.int64).reshape(len(rows), 16)
    return Chunk(events, np.array([*words, 0, 0], np.int64), np.array([len(rows), len(words)], np.int64))


def compose_session(plan: Schedule, session: SessionPlan, index: int, count: int, outbox: Outbox) -> Composed:
    """Return what a session sends: venues' events, Instruments and REFRESH as the real composer makes them."""
    rng = random.Random(plan.seed * 8 + index + 1)
    listing = new_listing(len(plan.channels) * plan.symbols)
    venues: list[Venue] = []
    for channel in plan.channels:
        exponent = PRICE_EXPONENTS[channel]
        for name in plan.symbol_names[: plan.symbols]:
            row = add_row(listing, channel, name, (1, exponent), (1, SIZE_EXPONENT))
            venues.append(Venue(rng, row, exponent, plan.levels))
    start = session.start_ns + QUIET_NS
    if session.end_ns <= start:
        return []
    chunk = _chunk(rng, venues, moments(rng, start, session.end_ns - MS, count))
    composer = new_composer(listing, new_books(len(venues), MIRROR_DEPTH), outbox, plan.mtu)
    state = composer.page.state
    state[WANTED_SPAN] = 1 << 60
    state[WANTED_INSTRUMENT_ROUND] = plan.instruments_ns
    state[WANTED_REFRESH_ROUND] = plan.refresh_ns
    state[NEXT_INSTRUMENT] = start + plan.instruments_ns
    state[NEXT_REFRESH] = state[REFRESH_BEGAN] = start + plan.refresh_ns // len(venues)
    state[WANTED_DATAGRAM_GAP] = DATAGRAM_GAP_NS
    found: Composed = []
    state[CURSOR] = 0
    full = True
    while full:
        full = compose(composer, chunk) != NEED_MORE
        n, used = int(state[SLOT_COUNT]), int(state[SLOT_USED])
        data = outbox.data[:used].tobytes()
        rows = outbox.messages[0, :n, : SRC + 1].tolist()
        found += [(row[SRC], data[row[AT] : row[AT] + row[LENGTH]]) for row in rows]
        state[SLOT_COUNT] = state[SLOT_USED] = 0
    return found

"""The kernels' book against the oracle's, after every message."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.book import flags, kernels, state
from libs.book.reader import snapshot_levels
from tests.oracles.book import INVALID
from tests.oracles.levels import Content, exact
from tests.oracles.pair import CODES, Pair

SNAPSHOT, LAST, BAD, REFRESH = 1, 2, 4, 8
MAX = 2**63 - 1


price = st.one_of(st.integers(90, 115), st.integers(1, 400))
size = st.sampled_from([0, 0, 1, 2, 5, 10, 70])
level = st.tuples(price, size)
levels = st.lists(level, max_size=8)


@st.composite
def step(draw):
    """A message, or something from outside."""
    kind = draw(st.sampled_from(["delta"] * 12 + ["snapshot"] * 3 + ["refresh"] * 3 + ["odd", "flags", "lost", "unit"]))
    if kind == "flags":
        masks = st.sampled_from(
            [flags.SUSPECT, flags.GAP, flags.BAD, flags.VENUE_DOWN, flags.NO_SNAPSHOT, flags.HALTED, flags.DELISTED]
        )
        return kind, (draw(masks), draw(masks))
    if kind == "lost":
        return kind, ()
    if kind == "unit":
        return kind, (draw(st.integers(-4, 1)), draw(st.integers(-5, 1)), draw(st.sampled_from([1, 1, 1, 10])))
    bits = {"delta": 0, "snapshot": SNAPSHOT, "refresh": SNAPSHOT | REFRESH, "odd": draw(st.integers(0, 15))}[kind]
    bits |= draw(st.sampled_from([LAST, LAST, LAST, 0])) | draw(st.sampled_from([0] * 15 + [BAD]))
    units = draw(st.sampled_from([(-2, -3)] * 6 + [(-3, -3), (-2, -5), (-1, -2), (0, 0), (-6, -9)]))
    bids, asks = draw(levels), draw(levels)
    if draw(st.integers(0, 25)) == 0:
        bids = [*bids, draw(st.sampled_from([(-1, 1), (1, -1), (MAX, 1), (1, MAX), (100, 10**17)]))]
    return "message", (bits, bids, asks, *units, draw(st.integers(0, 3)))


def run(depth, steps):
    """Play steps into both books; return how often each code came."""
    pair = Pair(depth)
    seen = {}
    for kind, given_ in steps:
        if kind == "message":
            code = pair.send(*given_)
            seen[code] = seen.get(code, 0) + 1
            continue
        if kind == "flags":
            kernels.set_flags(pair.books, 0, *given_)
            pair.oracle.set_flags(*given_)
        elif kind == "lost":
            assert kernels.abandon_event(pair.books, 0) == pair.oracle.abandon()
        else:
            tick_exp, lot_exp, multiplier = given_
            kernels.set_instrument(pair.books, 0, 1, tick_exp, 5, lot_exp, multiplier, -1, 0)
            pair.oracle.instrument(tick_exp, lot_exp, multiplier, 0)
        pair.compare()
    return seen


@settings(max_examples=150)
@given(st.sampled_from([1, 2, 3, 5, 9]), st.lists(step(), max_size=40))
def test_any_stream_leaves_the_oracles_book(depth, steps):
    """Flags, counts, known ends, units, tops and levels equal the oracle's after every message of any stream."""
    run(depth, steps)


@settings(max_examples=60)
@given(
    st.sampled_from([4, 12]),
    st.lists(st.tuples(levels, levels, st.sampled_from(["delta"] * 5 + ["refresh", "cut refresh"])), max_size=40),
)
def test_true_refreshes_never_diverge(depth, events):
    """A REFRESH of a deeper mirror that got the same events equals the book and widens what it knows."""
    pair = Pair(depth)
    mirror = Content(1000, price_exp=-2, size_exp=-3)
    start = ([(90 + k, 5) for k in range(12)], [(110 + k, 5) for k in range(12)])
    mirror.put(start, -2, -3)
    pair.send(SNAPSHOT | LAST, *start)
    for bids, asks, kind in events:
        if kind == "delta":
            mirror.put((bids, asks), -2, -3)
            pair.send(LAST, bids, asks)
            continue
        limit = 7 if kind == "cut refresh" else 1000
        full = [[(p // exact(1, -2), q // exact(1, -3)) for p, q in mirror.best_first(side)] for side in range(2)]
        cut = sum(1 << side for side in range(2) if len(full[side]) > limit)
        assert pair.send(SNAPSHOT | REFRESH | LAST, full[0][:limit], full[1][:limit], cut=cut) == "same"
        assert pair.oracle.valid


def test_codes_are_all_reached():
    """A fixed long random stream reaches every code but the full pool's, so the comparison above is not vacuous."""
    rng = np.random.default_rng(5)
    steps = []
    for _ in range(4000):
        bits = int(rng.choice([LAST] * 10 + [0, 0, 3, 3, 1, 11, 11, 9, 10, 6]))
        sides = [
            [(int(p), int(q)) for p, q in zip(rng.integers(60, 140, n), rng.integers(0, 4, n), strict=True)]
            for n in rng.integers(0, 9, 2)
        ]
        if rng.random() < 0.01:
            sides[0].append((-5, 1))
        steps.append(("message", (bits, *sides, -2, -3, int(rng.integers(0, 4)))))
    seen = run(9, steps)
    assert set(seen) >= set(CODES.values()) - {"capacity", "same"}
    assert seen["done"] > 1000


def ladder(n, start, tick):
    """Return n levels, best first."""
    return [(start + tick * k, 5 + k % 7) for k in range(n)]


def test_a_full_book_slides_for_long():
    """Thousands of better prices, one after the other, on a full side leave the same book as the oracle's."""
    pair = Pair(64)
    pair.send(SNAPSHOT | LAST, ladder(64, 10_000, -2), ladder(64, 10_010, 2), cut=3)
    for k in range(600):
        pair.send(LAST, [(10_001 + k, 3)], [(10_011 + k - 1, 0), (10_012 + k, 4)])
    for k in range(600):
        pair.send(LAST, [(10_600 - k, 0)], [(10_009 - k, 4)])


def test_a_level_finer_than_the_unit_rebases_exactly():
    """A level with more decimals makes the unit finer and changes no value."""
    pair = Pair(8)
    pair.send(SNAPSHOT | LAST, [(10_000, 1_000)], [(10_001, 2_000)])
    pair.send(LAST, [(100_005, 1)], [], price_exp=-3, size_exp=-6)
    assert (pair.books.price_exp[0], pair.books.size_exp[0]) == (-3, -6)
    assert pair.books.counters[0, state.REBASED] == 1
    pair.send(LAST, [(1_000_000_000, 1_000_000_000)], [], price_exp=-7, size_exp=-9)
    assert (pair.books.price_exp[0], pair.books.size_exp[0]) == (-3, -6)


@pytest.mark.parametrize(
    "bad",
    [
        {"bids": [(-1, 5)]},
        {"bids": [(1, -5)]},
        {"asks": [(10, 5), (MAX, 1)], "price_exp": 0},
        {"asks": [(10, MAX)], "size_exp": 0},
        {"bids": [(1, 1)], "price_exp": -25},
        {"bids": [(1, 1)], "price_exp": 30},
    ],
)
def test_a_bad_body_refuses_the_whole_event(bad):
    """A negative level, or one beyond int64 in the book's unit, refuses all parts, and only a snapshot heals."""
    pair = Pair(8)
    pair.send(SNAPSHOT | LAST, [(10_000, 1_000)], [(10_001, 2_000)])
    assert pair.send(0, [(9_999, 1)]) == "open"
    assert pair.send(0, **bad) == "bad_body"
    assert pair.books.settled[0] == 2
    assert pair.send(0, [(9_998, 1)]) == "bad_body"
    assert pair.send(LAST, [(9_997, 1)]) == "bad_body"
    assert pair.send(LAST, [(9_997, 1)]) == "not_valid"
    assert pair.send(SNAPSHOT | LAST, [(10_000, 1)], [(10_001, 2)]) == "done"
    assert kernels.is_valid(pair.books, 0)


def test_parts_of_an_event_are_shown_together():
    """Between the parts of an event its tops are the last event's and a reader gets nothing."""
    pair = Pair(8)
    pair.send(SNAPSHOT | LAST, [(100, 1)], [(110, 2)])
    before = pair.books.tops[0].copy()
    pair.send(0, [(105, 1)])
    assert (pair.books.tops[0] == before).all()
    assert pair.books.version[0] % 2 == 1
    assert pair.books.parts[0] == 1
    pair.send(LAST, [], [(107, 3)])
    assert pair.books.tops[0, state.BID_PRICE] == 105
    assert pair.books.levels[0] == 2
    assert snapshot_levels(pair.books, 0, 1).asks == ((107, 3),)


def test_an_interrupted_event_is_broken():
    """A snapshot on top of an open event refuses its parts as incomplete and stands by itself."""
    pair = Pair(8)
    pair.send(SNAPSHOT | LAST, [(100, 1)], [(110, 2)])
    pair.send(0, [(105, 1)])
    pair.send(0, [(106, 1)])
    assert pair.send(SNAPSHOT | LAST, [(99, 1)], [(110, 2)]) == "done"
    assert (pair.books.broken[0], pair.books.settled[0]) == (2, 1)
    assert kernels.is_valid(pair.books, 0)


def test_a_lost_part_makes_the_book_wait():
    """An abandoned event hands back its parts and marks the book; without one nothing happens."""
    pair = Pair(8)
    pair.send(SNAPSHOT | LAST, [(100, 1)], [(110, 2)])
    assert kernels.abandon_event(pair.books, 0) == 0
    assert kernels.is_valid(pair.books, 0)
    pair.send(0, [(105, 1)])
    assert kernels.abandon_event(pair.books, 0) == 1
    assert pair.books.flags[0] & flags.GAP
    assert pair.books.version[0] % 2 == 0


def test_an_empty_snapshot_is_valid_and_one_sided():
    """0/0 levels make a valid book without sides."""
    pair = Pair(8)
    pair.send(SNAPSHOT | LAST)
    assert pair.books.flags[0] == flags.ONE_SIDED


def test_diverged_keeps_both_tops():
    """A REFRESH that differs marks the book, changes no level, and leaves both tops to be logged."""
    pair = Pair(8)
    pair.send(SNAPSHOT | LAST, [(100, 1)], [(110, 2)])
    assert pair.send(SNAPSHOT | REFRESH | LAST, [(101, 4)], [(110, 2)]) == "diverged"
    assert pair.books.tops[0, state.BID_PRICE] == 100
    assert pair.books.refresh_tops[0, : state.TOP_PRICE_EXP].tolist() == [101, 4, 110, 2]
    assert pair.send(SNAPSHOT | REFRESH | LAST, [(101, 4)], [(110, 2)]) == "healed"


def test_the_staging_pool_is_bounded():
    """One REFRESH more than there are stages is refused whole, and its book stays as it was."""
    n = state.STAGES + 1
    books = state.new(n, 4)
    data = np.array([100, 1, 110, 2], np.int64)
    for b in range(n):
        assert kernels.apply_message(books, b, SNAPSHOT | LAST, 0, 0, 0, data, 0, 1, 1, 1, 1, 1) == kernels.EVENT_DONE
    codes = [kernels.apply_message(books, b, SNAPSHOT | REFRESH, 0, 0, 0, data, 0, 1, 1, 2, 2, 2) for b in range(n)]
    assert codes == [kernels.EVENT_OPEN] * (n - 1) + [kernels.REFUSED_CAPACITY]
    assert kernels.apply_message(books, n - 1, LAST, 0, 0, 0, data, 0, 0, 0, 3, 3, 3) == kernels.REFUSED_CAPACITY
    assert kernels.is_valid(books, n - 1)
    for b in range(n - 1):
        assert kernels.apply_message(books, b, LAST, 0, 0, 0, data, 0, 0, 0, 3, 3, 3) == kernels.REFRESH_SAME
    assert not books.stage_owner.any()


def test_flags_from_outside_change_validity():
    """set_flags says when validity changed; a flag set during a snapshot outlives the snapshot's end."""
    pair = Pair(8)
    pair.send(SNAPSHOT | LAST, [(100, 1)], [(110, 2)])
    assert kernels.set_flags(pair.books, 0, flags.HALTED, 0) == 0
    assert kernels.set_flags(pair.books, 0, flags.SUSPECT, 0) == -1
    assert kernels.set_flags(pair.books, 0, 0, flags.SUSPECT) == 1
    pair.oracle.set_flags(flags.HALTED, 0)
    pair.send(SNAPSHOT, [(100, 1)])
    kernels.set_flags(pair.books, 0, flags.BAD, 0)
    pair.oracle.set_flags(flags.BAD, 0)
    pair.send(LAST, [], [(110, 1)])
    assert pair.books.flags[0] & INVALID == flags.BAD


def test_off_grid_levels_are_kept_and_counted():
    """New levels off the tick or lot stay exactly as they are and are counted."""
    books = state.new(1, 8)
    assert kernels.set_instrument(books, 0, 5, -1, 10, -2, 1, 0, 0) == 0
    data = np.array([10, 10, 12, 15, 110, 20], np.int64)
    kernels.apply_message(books, 0, SNAPSHOT | LAST, -1, -2, 0, data, 0, 2, 1, 1, 1, 1)
    assert snapshot_levels(books, 0, 9).bids == ((12, 15), (10, 10))
    assert books.counters[0, state.OFF_TICK] == 1
    assert books.counters[0, state.OFF_LOT] == 1
    assert kernels.set_instrument(books, 0, 5, -1, 10, -2, 10, -1, 0) == 0
    assert kernels.set_instrument(books, 0, 5, -1, 10, -2, 100, 0, 0) == 1
    assert not kernels.is_valid(books, 0)


def test_fresh_shared_memory_waits_for_snapshots():
    """Zeroed memory that nobody prepared takes no delta."""
    books = state.bind({name: np.zeros(shape, dtype) for name, (dtype, shape) in state.spec(1, 4).items()})
    data = np.array([100, 1], np.int64)
    assert kernels.apply_message(books, 0, LAST, 0, 0, 0, data, 0, 1, 0, 1, 1, 1) == kernels.REFUSED_NOT_VALID
    assert not kernels.is_valid(books, 0)

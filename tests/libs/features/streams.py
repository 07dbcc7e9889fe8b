"""Streams of book messages, prints and mishaps for the features' property tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from libs.book.flags import BAD, SUSPECT, VENUE_DOWN
from tests.oracles.market import LAST, REFRESH, SNAPSHOT, Market

MAX = 2**63 - 1
EDGES = [0, 0, 1, 99_999, 100_000, 100_001, 199_999, 200_000, 300_000, 300_001, 999_999, 1_000_000, 1_000_001]
LONG_EDGES = [59_999_999, 60_000_000, 60_000_001]
PAUSES = st.one_of(st.sampled_from(EDGES), st.integers(0, 400_000), st.sampled_from([*EDGES, *LONG_EDGES]))


@dataclass(frozen=True)
class Kind:
    """What prices and sizes a stream is made of."""

    prices: Any
    sizes: Any
    units: Any


NEAR = Kind(
    st.integers(995, 1_005),
    st.one_of(st.integers(0, 9), st.integers(0, 9), st.integers(1, 10**9)),
    st.sampled_from([(-2, -3), (-2, -3), (-2, -3), (-3, -3), (-1, -4), (-2, -2)]),
)
ONE_UNIT = Kind(NEAR.prices, NEAR.sizes, st.just((-2, -3)))
WILD = Kind(
    st.one_of(st.integers(0, 3), st.integers(10**8, 10**8 + 5), st.integers(2**62, MAX)),
    st.one_of(st.integers(0, 3), st.integers(2**62, MAX)),
    st.just((-9, -9)),
)


def levels(kind: Kind, most: int) -> Any:
    """Draw the two sides of a message."""
    side = st.lists(st.tuples(kind.prices, kind.sizes), max_size=most)
    return st.tuples(side, side)


def operations(kind: Kind) -> Any:
    """Draw one thing that happens, after a pause in µs."""
    trade = st.tuples(
        st.just("trade"), st.sampled_from([1, -1, 0]), st.one_of(st.integers(1, 99), kind.sizes.filter(bool)),
        st.just(-9) if kind is WILD else st.sampled_from([-3, -3, -4, -2, 0]),
    )  # fmt: skip
    happenings = {
        "delta": st.tuples(st.just("delta"), levels(kind, 3), kind.units, st.just(0)),
        "snapshot": st.tuples(st.just("snapshot"), levels(kind, 7), kind.units, st.integers(0, 3)),
        "trade": trade,
        "missed": st.tuples(st.just("missed")),
        "invalid": st.tuples(st.just("invalid"), st.sampled_from([BAD, SUSPECT, VENUE_DOWN])),
        "heal": st.tuples(st.just("heal"), levels(kind, 7), kind.units, st.integers(0, 3)),
    }
    often = ["delta"] * 16 + ["trade"] * 8 + ["snapshot", "missed", "invalid", "heal"]
    return st.tuples(PAUSES, st.sampled_from(often).flatmap(happenings.__getitem__))


def streams(kind: Kind = NEAR, most: int = 60) -> Any:
    """Draw a stream that begins with a snapshot."""
    first = st.tuples(st.just(5_000_000), st.tuples(st.just("snapshot"), levels(kind, 7), kind.units, st.just(0)))
    return st.builds(lambda head, rest: [head, *rest], first, st.lists(operations(kind), min_size=15, max_size=most))


def play(market: Market, stream: list[Any], depth_levels: int = 4) -> Market:
    """Give a stream to a market, which compares at every event."""
    now = 0
    for pause, (kind, *rest) in stream:
        now += pause
        if kind == "trade":
            market.trade(*rest, now)
        elif kind == "missed":
            market.trades_missed(now)
        elif kind == "invalid":
            bit = rest[0]
            market.set_flags(bit)
            if bit != BAD:
                market.set_flags(0, bit)
        else:
            sides, unit, cut = rest
            bits = {"delta": LAST, "snapshot": SNAPSHOT | LAST, "heal": SNAPSHOT | LAST | REFRESH}[kind]
            if kind == "heal":
                market.set_flags(BAD)
            market.book(bits, sides, now, unit, cut, depth_levels=depth_levels)
    return market

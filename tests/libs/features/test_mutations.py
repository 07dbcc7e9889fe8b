"""The oracle finds what is wrong: each of these changes of a definition is caught, and nothing else is."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from libs.book.flags import BAD, VENUE_DOWN
from tests.libs.features.streams import play
from tests.libs.simulation.mutants import Mutation, cores_of
from tests.oracles.market import Cores, DiffersError, Market
from tests.oracles.past import Table

SEEDS = 60
STEPS = 90
FLOW, WINDOWS, WAPS = "libs.features.flow", "libs.features.windows", "libs.features.waps"
RETURNS, NOTES, KERNELS = "libs.features.returns", "libs.features.notes", "libs.features.kernels"
TRADES, MICRO = "libs.features.trades", "libs.features.micro"

MUTATIONS = (
    # name, module, kernel, its text, what it becomes
    Mutation("window closed at its begin", "libs.features.history", "expire", "<= upto_us", "< upto_us"),
    Mutation("lag needs an earlier event", WAPS, "pass_waps", "<= now_us", "< now_us"),
    Mutation("lag of another column", WAPS, "pass_waps", "now_us - LAGS_US[lag]", "now_us - LAGS_US[max(lag - 1, 0)]"),
    Mutation("returns from before the book was valid", WINDOWS, "fill_returns", "since < head[SINCE_US]", "False"),
    Mutation("same WAP kept once more", WAPS, "put_wap", "    h.head_floats[b, LAST_WAP] = wap\n", ""),
    Mutation("1 s of returns closed at its begin", RETURNS, "pass_returns", "<= now_us - WINDOW_US",
             "< now_us - WINDOW_US"),
    Mutation("60 s of returns closed at its begin", RETURNS, "pass_returns", "<= now_us - LONG_WINDOW_US",
             "< now_us - LONG_WINDOW_US"),
    Mutation("returns never leave", RETURNS, "_take_away", "at + 1], -1)", "at + 1], 0)"),
    Mutation("plain returns, not logarithmic", RETURNS, "log_return", "return math.log1p(over)", "return over"),
    Mutation("sum of returns, not its root", WINDOWS, "fill_returns", "math.sqrt(_sum_value(h, b, k))",
             "_sum_value(h, b, k)"),
    Mutation("buyer and seller exchanged", TRADES, "note_trade", "0 if side > 0 else 1", "1 if side > 0 else 0"),
    Mutation("unknown aggressor counts", TRADES, "note_trade", "if side == 0:", "if False:"),
    Mutation("volume of trades the wrong way", WINDOWS, "fill_trades", "difference(bought, sold)",
             "difference(sold, bought)"),
    Mutation("missed prints forgotten", WINDOWS, "fill_trades", "since < head[TRADES_SINCE_US]", "False"),
    Mutation("window from when the book was valid is none", WINDOWS, "fill_flow", "since < head[SINCE_US]",
             "since <= head[SINCE_US]"),
    Mutation("OFI of the level above", FLOW, "add_flow", "FLOW_TOTALS + 2 * k", "FLOW_TOTALS + 2 * max(k - 1, 0)"),
    Mutation("OFI: asks added", FLOW, "add_flow", "-ask_now", "ask_now"),
    Mutation("OFI: a better price takes the old size", FLOW, "_side_term", "moved <= EQUAL", "moved <= BETTER"),
    Mutation("OFI: an equal price is a new one", FLOW, "_side_term", "moved <= EQUAL", "moved < EQUAL"),
    Mutation("OFI: asks better when higher", FLOW, "_side_term", "1 - 2 * side)", "1)"),
    Mutation("OFI compared with the first event", NOTES, "note_event",
             "    put_wap(h, books, b, now_us)\n    take_levels(h, books, b)",
             "    put_wap(h, books, b, now_us)"),
    Mutation("first event compared with what was before", NOTES, "_begin", "    take_levels(h, books, b)", "    pass"),
    Mutation("an overflow unsaid", WINDOWS, "fill_flow", "+ R_BASE_US] > since", "+ R_BASE_US] > 2**62"),
    Mutation("what was unknown before forgotten", NOTES, "_note_known", "unknown | head[UNKNOWN]", "unknown"),
    Mutation("WAP weighted by its own side", "libs.features.exact", "wap_of", "float(bid) * float(ask_size)",
             "float(bid) * float(bid_size)"),
    Mutation("a level on the edge is out", "libs.features.bands", "levels_in_band", "(1 if remainder > 0 else 0)", "1"),
    Mutation("a level too many", KERNELS, "compute_row", "n_bids = min(depth_levels,",
             "n_bids = min(depth_levels + 1,"),
    Mutation("spread over the ask", KERNELS, "_top_row", "sum_of(bid, ask)", "sum_of(ask, ask)"),
    Mutation("microprice of the other side", MICRO, "bucket_of", "n * bid_size // (", "n * ask_size // ("),
    Mutation("microprice of the widest spread", MICRO, "fill_microprice", "min(head[SPREADS],",
             "max(head[SPREADS],"),
)  # fmt: skip

TABLE = Table(Fraction(1, 100), [[-0.75, -0.5, -0.25], [-0.5, -0.25, -0.125], [0.5, 0.25, 0.125], [0.75, 0.5, 0.25]])
PAUSES = (
    0,
    1,
    40_000,
    100_000,
    100_001,
    200_000,
    300_000,
    500_000,
    999_999,
    1_000_000,
    1_000_001,
    59_000_000,
    60_000_000,
)
WEIGHTS = (6, 4, 8, 4, 1, 2, 2, 4, 1, 2, 1, 1, 1)


def drawn(seed: int) -> list[Any]:
    """Return a stream as tests.libs.features.streams.play takes it: crowded near mid, often on a window's edge."""
    draw = random.Random(seed)

    def side(most: int) -> list[tuple[int, int]]:
        return [(draw.randint(995, 1_005), draw.choice((0, 1, 2, 3, 7))) for _ in range(draw.randint(0, most))]

    def image() -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        bids = [(999 - k, draw.randint(1, 9)) for k in range(draw.randint(1, 6))]
        return bids, [(1_000 + k + draw.randint(0, 1), draw.randint(1, 9)) for k in range(0, 2 * draw.randint(1, 5), 2)]

    unit = (-2, -3)
    stream: list[Any] = [(5_000_000, ("snapshot", image(), unit, 0))]
    kinds = ("delta", "trade", "snapshot", "missed", "invalid", "heal")
    for _ in range(STEPS):
        kind = draw.choices(kinds, (16, 10, 1, 0.3, 0.5, 0.7))[0]
        what: tuple[Any, ...] = (kind,)
        if kind == "delta":
            what = (kind, (side(2), side(2)), unit, 0)
        elif kind in {"snapshot", "heal"}:
            what = (kind, image(), unit, draw.choice((0, 0, 3)))
        elif kind == "trade":
            what = (kind, draw.choice((1, -1, 0)), draw.randint(1, 99), -3)
        elif kind == "invalid":
            what = (kind, draw.choice((BAD, VENUE_DOWN)))
        stream.append((draw.choices(PAUSES, WEIGHTS)[0], what))
    return stream


def difference(seed: int, cores: Cores) -> str:
    """Return what the oracle says of a stream, empty when all is as defined; every third has short histories."""
    short = {"wap": 4, "flow": 4, "trades": 4, "returns": 4} if seed % 3 == 0 else None
    try:
        play(Market(8, short, TABLE if seed % 2 else None, cores), drawn(seed))
    except DiffersError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.name)
def test_a_mutation_is_caught(mutation: Mutation) -> None:
    """A changed kernel differs on some stream, on which the same kernel, run the same way unchanged, does not."""
    changed: Cores = cores_of(mutation, Cores())
    seed = next((seed for seed in range(1, SEEDS + 1) if difference(seed, changed)), 0)
    assert seed > 0, f"{mutation.name}: {SEEDS} streams noticed nothing"
    assert difference(seed, cores_of(replace(mutation, new=mutation.old), Cores())) == ""

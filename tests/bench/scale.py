"""How cost grows with symbols, levels, messages a datagram and exchanges, for ours and the references in C.

Costs are medians, as in every bench. The exponent is that of the fastest measurement of each size: a shared machine
changes its speed by half within a second, and small sizes feel it more than large ones. In three runs of 21 repeats
the exponents by medians differed by up to 0.16, those by the fastest by up to 0.04; the points hold both. The standard
error is that of the fit within one run and can be smaller than the difference between two.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from tests.bench import books, features, nbbo, receive
from tests.bench.book_inputs import synthetic
from tests.bench.runner import Measures, Row, Scale, in_turns, quartiles, spread

WHAT = "cost at the largest of several sizes, and the exponent of its growth by the fastest of each; CPU time"
SYMBOLS = (1, 4, 16, 64, 256, 1_024, 2_048)
LEVELS = (5, 10, 20, 50, 100, 200, 400, 1_000)
MESSAGES = (1, 2, 5, 10, 15)
EXCHANGES = (1, 2, 3, 4, 5)
TURNS = 3
"""Times the usual repeats: a run takes milliseconds, and each size has to meet the machine undisturbed once."""
FEWEST = 3
"""Points that an exponent with an error needs."""

Prepare = Callable[[int, Scale, ExitStack], Measures]


@dataclass(frozen=True, slots=True)
class Sweep:
    """One size that grows while all else stays.

    Attributes
    ----------
    name : str
        Of the plot's file.
    case : str
        What is measured, without the sizes.
    against : str
        What is counted by the sizes.
    sizes : sequence of int
        Ascending.
    prepare : callable
        Returns what measures each side at a size, in ``unit``; the stack closes what it opened.
    reference : str
        What the reference in C does.
    """

    name: str
    case: str
    unit: str
    against: str
    sizes: Sequence[int]
    prepare: Prepare
    reference: str = "the same algorithm in C"


def _update_by_symbols(n: int, scale: Scale, _: ExitStack) -> Measures:
    return books.sides(synthetic(n, 20, scale.pick(50_000, 300)))


def _update_by_levels(n: int, scale: Scale, _: ExitStack) -> Measures:
    return books.sides(synthetic(1, n, scale.pick(50_000, 300)))


def _even_update_by_levels(n: int, scale: Scale, _: ExitStack) -> Measures:
    return books.sides(synthetic(1, n, scale.pick(50_000, 300), evenly=True))


def _features_by_levels(n: int, scale: Scale, _: ExitStack) -> Measures:
    given = features.used(synthetic(1, n, scale.pick(5_000, 100)))
    return features.sides(given, np.zeros(scale.pick(20_000, 50), np.int64), 1)


def _receive_by_messages(n: int, scale: Scale, stack: ExitStack) -> Measures:
    receiver = receive.Receiver(n, scale.pick(receive.DATAGRAM_COUNT, 100))
    stack.callback(receiver.close)
    sides = receive.sides(receiver, scale.pick(receive.FILLS, 1))

    def one(drain: Callable[[], float]) -> Callable[[], float]:
        return lambda: drain() / n

    return {side: one(sides[side]) for side in ("ours", "c")}


def _nbbo_by_exchanges(n: int, scale: Scale, _: ExitStack) -> Measures:
    return nbbo.sides(nbbo.Market(scale.pick(100, 3), exchanges=n), scale.pick(50_000, 100))


def _nbbo_by_symbols(n: int, scale: Scale, _: ExitStack) -> Measures:
    return nbbo.sides(nbbo.Market(n), scale.pick(50_000, 100))


SWEEPS = (
    Sweep("symbols", "level update, 20 levels a side", books.UNIT, "symbols", SYMBOLS, _update_by_symbols),
    Sweep("levels", "level update, most near the top", books.UNIT, "levels a side", LEVELS, _update_by_levels),
    Sweep("even-levels", "level update, at any level", books.UNIT, "levels a side", LEVELS, _even_update_by_levels),
    Sweep(
        "features",
        "features of a book, liquidity to 20 bps",
        features.UNIT,
        "levels a side",
        LEVELS,
        _features_by_levels,
    ),
    Sweep(
        "messages",
        "receive path",
        "ns/message",
        "messages a datagram",
        MESSAGES,
        _receive_by_messages,
        "C recvmmsg that only counts",
    ),
    Sweep("exchanges", "NBBO of 100 symbols", nbbo.UNIT, "exchanges", EXCHANGES, _nbbo_by_exchanges),
    Sweep("nbbo-symbols", "NBBO on 5 exchanges", nbbo.UNIT, "symbols", SYMBOLS, _nbbo_by_symbols),
)


def growth(sizes: Sequence[int], costs: Sequence[float]) -> tuple[float, float]:
    """Return the exponent b of cost = a · size^b and its standard error.

    It is the least-squares slope of log cost against log size; the error counts the distance of the points from a
    straight line, so that it is large where the growth is no power.

    Raises
    ------
    ValueError
        With fewer than three points, or a cost that is not positive.
    """
    if len(sizes) < FEWEST or min(costs) <= 0:
        raise ValueError(f"expected {FEWEST} or more positive costs, found {list(costs)}")
    (slope, _), covariance = np.polyfit(np.log(sizes), np.log(costs), 1, cov=True)
    return float(slope), float(np.sqrt(covariance[0, 0]))


def as_row(sweep: Sweep, sizes: Sequence[int], values: Mapping[tuple[int, str], Sequence[float]]) -> Row:
    """Return the row of a sweep: the cost at the largest size, every point, and the exponents.

    Parameters
    ----------
    values : mapping
        Every measurement by size and side.
    """
    names = [side for size, side in values if size == sizes[0]]
    medians = {name: [statistics.median(values[n, name]) for n in sizes] for name in names}
    least = {name: [min(values[n, name]) for n in sizes] for name in names}
    exponents = {name: growth(sizes, costs) for name, costs in least.items()}
    last = {name: costs[-1] for name, costs in medians.items()}
    ours = last.pop("ours")
    return {
        "case": f"{sweep.case}, {sizes[0]:,} to {sizes[-1]:,} {sweep.against}",
        "sweep": sweep.name,
        "against": sweep.against,
        "labels": {"ours": "Crossbook", "c": sweep.reference},
        "ours": round(ours, 3),
        "unit": sweep.unit,
        "references": {name: round(value, 3) for name, value in last.items()},
        "ratio": {name: round(ours / value, 3) for name, value in last.items()},
        "spread": {name: round(spread(values[sizes[-1], name]), 3) for name in names},
        "exponent": {name: round(slope, 4) for name, (slope, _) in exponents.items()},
        "exponent_error": {name: round(error, 4) for name, (_, error) in exponents.items()},
        "points": [
            {
                "n": n,
                **{name: round(medians[name][k], 3) for name in names},
                "least": {name: round(least[name][k], 3) for name in names},
                "quartiles": {name: [round(value, 3) for value in quartiles(values[n, name])] for name in names},
            }
            for k, n in enumerate(sizes)
        ],
        "repeats": len(values[sizes[0], "ours"]),
    }


def measured(sweep: Sweep, scale: Scale) -> Row:
    """Prepare every size, then measure all sizes and sides in turns: what disturbs one hour disturbs no slope."""
    sizes = sweep.sizes[: scale.pick(len(sweep.sizes), FEWEST)]
    with ExitStack() as stack:
        prepared = {n: sweep.prepare(n, scale, stack) for n in sizes}
        runs = {(n, side): run for n in sizes for side, run in prepared[n].items()}
        values, disturbance = in_turns(runs, scale.pick(TURNS, 1) * scale.repeats)
    row = as_row(sweep, sizes, values)
    if disturbance.reason:
        row["disturbed"] = disturbance.reason
    return row


def rows(scale: Scale) -> list[Row]:
    """Measure every sweep."""
    return [measured(sweep, scale) for sweep in SWEEPS]

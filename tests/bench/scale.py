"""How costs grow with what there is of something: symbols, levels, messages a datagram, exchanges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.bench import books, features, nbbo, receive
from tests.bench.book_inputs import synthetic
from tests.bench.runner import Row, Scale

WHAT = "cost against size, with the exponent of the growth: 0 is none, 1 is in proportion"
UPDATES, EVENTS = 50_000, 5_000


@dataclass(frozen=True, slots=True)
class Sweep:
    """One curve.

    Attributes
    ----------
    name : str
        Of its file.
    title, over, unit : str
        What is measured; what grows; the unit of the cost.
    sizes : sequence of int
    measure : callable
        Returns a row for a size; ``divide``: whether its cost is of ``size`` things.
    """

    name: str
    title: str
    over: str
    unit: str
    sizes: Sequence[int]
    measure: Callable[[int, Scale], Row]
    divide: bool = False


def _updates_of(symbols: int, levels: int, scale: Scale) -> Row:
    return books.measured("", synthetic(symbols, levels, scale.pick(UPDATES, 300)), scale, peers=False)


def _features_of(levels: int, scale: Scale) -> Row:
    given = features._used(synthetic(1, levels, scale.pick(EVENTS, 100)))
    return features.measured("", given, np.zeros(scale.pick(20_000, 50), np.int64), 1, scale)


SWEEPS = (
    Sweep(
        "symbols", "level update, 20 levels deep", "symbols", "ns/update", (1, 4, 16, 64, 256, 1_024, 2_048),
        lambda n, scale: _updates_of(n, 20, scale),
    ),
    Sweep(
        "levels", "level update of one symbol", "levels a side", "ns/update", (5, 10, 20, 50, 100, 200, 400, 1_000),
        lambda n, scale: _updates_of(1, n, scale),
    ),
    Sweep(
        "feature_levels", "features of the present book", "levels a side", "ns/event", (5, 10, 20, 50, 100, 200, 400),
        _features_of,
    ),
    Sweep(
        "messages", "message drained, decoded, sequenced, pushed", "messages a datagram", "ns/message",
        (1, 2, 5, 10, 15), receive.measured, divide=True,
    ),
    Sweep(
        "exchanges", "consolidated quote of a symbol", "exchanges", "ns/update", (1, 2, 3, 4, 5),
        lambda n, scale: nbbo.measured(scale.pick(100, 3), scale, exchanges=n),
    ),
)  # fmt: skip


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> tuple[float, float]:
    """Return the slope of log cost over log size by least squares, and its standard error (NaN of two points)."""
    x, y = np.log(sizes), np.log(costs)
    dx = x - x.mean()
    slope = float((dx * (y - y.mean())).sum() / (dx * dx).sum())
    left = y - y.mean() - slope * dx
    freedom = len(x) - 2
    error = float(np.sqrt((left * left).sum() / freedom / (dx * dx).sum())) if freedom > 0 else float("nan")
    return slope, error


def measured(sweep: Sweep, scale: Scale) -> Row:
    """Measure a curve; the row's own figures are those of the largest size."""
    sizes = sweep.sizes[:3] if scale.tiny else sweep.sizes
    points: list[dict[str, Any]] = []
    for n in sizes:
        row = sweep.measure(n, scale)
        by = n if sweep.divide else 1
        both = {"ours": row["ours"]} | row["references"]
        points.append(
            {"n": n}
            | {name: round(value / by, 3) for name, value in both.items()}
            | {"spread": {name: round(value / by, 3) for name, value in row["spread"].items()}}
        )
    last = points[-1]
    names = [name for name in last if name not in ("n", "spread")]
    fits = {name: exponent(sizes, [point[name] for point in points]) for name in names}
    return {
        "case": f"{sweep.title}, against {sweep.over} ({sizes[0]:,} … {sizes[-1]:,})",
        "ours": last["ours"],
        "unit": sweep.unit,
        "references": {name: last[name] for name in names if name != "ours"},
        "ratio": {name: round(last["ours"] / last[name], 3) for name in names if name != "ours"},
        "spread": last["spread"],
        "exponent": {name: round(slope, 3) for name, (slope, _) in fits.items()},
        "exponent_error": {name: round(error, 3) for name, (_, error) in fits.items()},
        "points": points,
        "sweep": sweep.name,
        "title": sweep.title,
        "over": sweep.over,
    }


def rows(scale: Scale) -> list[Row]:
    """Measure every curve."""
    return [measured(sweep, scale) for sweep in SWEEPS]

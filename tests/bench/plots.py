"""Sweeps as PNG files: cost against size on log-log axes, ours and the references."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from libs.errors import ConfigError, MissingError
from tests.bench.runner import Row
from tests.bench.table import Document, described, exponents

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
"""Told apart by the colour-blind too (Okabe and Ito)."""
MARKERS = "osD^"
TICKS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
WIDE_TICKS = (1, 2, 5)
"""Of a decade of costs; the second where the axis spans more than ten times the least."""
LEAST_RANGE = 4.0
"""A flat curve is shown flat: the cost axis spans at least this factor."""
CAPTION_WIDTH = 132


def prepare(folder: str) -> Path:
    """Return the folder, made if need be, and see that there is something to draw with.

    Raises
    ------
    ConfigError
        When it cannot be a folder.
    MissingError
        When matplotlib is not installed.
    """
    _drawing()
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError("command line", "--plots", "a folder", f'"{folder}" ({error.strerror})') from error
    return path


def _drawing() -> Any:
    try:
        from matplotlib import figure
    except ImportError as error:
        raise MissingError(
            "bench: --plots: expected matplotlib, found none: install requirements/analysis.txt"
        ) from error
    return figure


def draw(document: Document, folder: Path, command: str) -> list[Path]:
    """Draw every row that has points, each as ``<bench>-<sweep>.png``; return the files.

    Parameters
    ----------
    command : str
        What was typed.
    """
    machine = described(document["host"])
    return [
        _draw(row, folder / f"{document['name']}-{row['sweep']}.png", command, machine)
        for row in document["rows"]
        if "points" in row
    ]


def _draw(row: Row, path: Path, command: str, machine: str) -> Path:
    figure = _drawing().Figure(figsize=(8, 5.2), dpi=120)  # its canvas is Agg's: no display, no pyplot
    axes = figure.add_axes((0.1, 0.225, 0.87, 0.71))
    sizes = [point["n"] for point in row["points"]]
    sides = list(row["exponent"])
    for side, colour, marker in zip(sides, COLOURS, MARKERS, strict=False):
        low, high = zip(*(point["quartiles"][side] for point in row["points"]), strict=True)
        power = f"$n^{{{row['exponent'][side]:.3f} \\pm {row['exponent_error'][side]:.3f}}}$"
        least = [point["least"][side] for point in row["points"]]
        label = row["labels"][side]
        axes.plot(sizes, [point[side] for point in row["points"]], color=colour, marker=marker, ms=5, label=label)
        axes.fill_between(sizes, low, high, color=colour, alpha=0.25, lw=0)
        axes.plot(sizes, least, color=colour, ls=":", lw=1.2, label=f"fastest $\\propto${power}")
    axes.set_title(row["case"], loc="left", fontsize=11)
    axes.set_xlabel(row["against"])
    axes.set_ylabel(f"{row['unit']}, CPU time")
    _scale(axes, sizes, [value for point in row["points"] for side in sides for value in _shown(point, side)])
    axes.legend(frameon=False, loc="best")
    caption = [
        f"Medians of {row['repeats']} repeats, all sizes and sides in turns; band: between the quartiles; dotted: the "
        "fastest. Power: least squares of log fastest on log n, with its standard error.",
        f"{command} on {machine}",
    ]
    if "disturbed" in row:
        caption.append(f"Disturbed: {row['disturbed']}.")
    lines = [line for part in caption for line in textwrap.wrap(part, CAPTION_WIDTH)]
    figure.text(0.02, 0.015, "\n".join(lines), fontsize=7.5, color="0.3", va="bottom", parse_math=False)
    figure.savefig(path, metadata={"Title": row["case"], "Description": f"{exponents(row)}; {command}"})
    return path


def _shown(point: dict[str, Any], side: str) -> tuple[float, ...]:
    return (*point["quartiles"][side], point["least"][side])


def _scale(axes: Any, sizes: Sequence[int], costs: Sequence[float]) -> None:
    """Set log-log axes with the sizes as they are and plain numbers of costs."""
    from matplotlib import ticker

    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(sizes, [f"{n:,}" for n in sizes])
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    positive = [cost for cost in costs if cost > 0]
    low, high = min(positive) / 1.15, max(positive) * 1.15
    wider = max(LEAST_RANGE / (high / low), 1.0) ** 0.5
    axes.set_ylim(low / wider, high * wider)
    subs = TICKS if high / low < 10 else WIDE_TICKS
    axes.yaxis.set_major_locator(ticker.LogLocator(subs=subs, numticks=20))
    axes.yaxis.set_minor_locator(ticker.NullLocator())
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.4g}"))
    axes.set_axisbelow(True)
    axes.grid(color="0.9")
    axes.spines[["top", "right"]].set_visible(False)

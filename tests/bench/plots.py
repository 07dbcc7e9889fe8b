"""The curves of the scale bench as PNG files."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from libs.errors import ConfigError, MissingError

COLOURS = ("#1f4e9c", "#c25a1a", "#6b8f3c")
FAINT = 0.18
CAPTION_WIDTH = 120


def _pyplot() -> Any:
    try:
        import matplotlib
    except ImportError:
        raise MissingError("plots: matplotlib is not installed; install requirements/analysis.txt") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def folder_for(given: str) -> Path:
    """Return a folder for plots, made if need be.

    Raises
    ------
    ConfigError
        When it cannot be made.
    MissingError
        When matplotlib is not there: told before anything is measured.
    """
    _pyplot()
    try:
        Path(given).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError("command line", "--plots", "a folder that can be made", f'"{given}": {error}') from None
    return Path(given)


def draw(row: dict[str, Any], caption: str, target: Path) -> None:
    """Draw cost over size, both logarithmic, with the distance between the quartiles as a band.

    Parameters
    ----------
    row : dict
        Of tests.bench.scale.
    caption : str
        The machine and the command.
    target : Path
        A PNG file.

    Raises
    ------
    MissingError
        When matplotlib is not there.
    """
    pyplot = _pyplot()
    sizes = [point["n"] for point in row["points"]]
    names = [name for name in row["points"][0] if name not in ("n", "spread")]
    figure, axes = pyplot.subplots(figsize=(8, 5), dpi=120, layout="constrained")
    for name, colour in zip(names, COLOURS, strict=False):
        costs = [point[name] for point in row["points"]]
        half = [point["spread"].get(name, 0.0) / 2 for point in row["points"]]
        label = (
            f"{'Crossbook' if name == 'ours' else name[:1].upper() + name[1:]}: exponent {row['exponent'][name]:.2f}"
        )
        axes.plot(sizes, costs, marker="o", markersize=4, color=colour, label=label)
        low = [max(cost - h, cost / 10) for cost, h in zip(costs, half, strict=True)]
        axes.fill_between(
            sizes, low, [cost + h for cost, h in zip(costs, half, strict=True)], color=colour, alpha=FAINT
        )
    axes.set(xscale="log", yscale="log", xlabel=row["over"], ylabel=row["unit"].replace("/", " a "), title=row["title"])
    axes.set_xticks(sizes, [f"{n:,}" for n in sizes])
    axes.minorticks_off()
    every = [point[name] for point in row["points"] for name in names]
    low, high = min(every) / 1.5, max(every) * 1.5
    ticks = [k * 10**e for e in range(-1, 5) for k in (1, 2, 3, 5, 7) if low <= k * 10**e <= high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_ylim(low, high)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.supxlabel(textwrap.fill(caption, CAPTION_WIDTH), fontsize=7, color="#555555")
    figure.savefig(target)
    pyplot.close(figure)


def draw_all(documents: list[dict[str, Any]], caption: str, folder: Path) -> list[Path]:
    """Draw every curve of these documents; return the files.

    Raises
    ------
    MissingError
        When matplotlib is not there.
    """
    found = []
    for document in documents:
        for row in document["rows"]:
            if "sweep" in row:
                found.append(folder / f"{row['sweep']}.png")
                draw(row, caption, found[-1])
    return found

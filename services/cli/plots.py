"""``crossbook plot features``: price and every feature of a symbol over time, for people to look at."""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from libs.errors import ConfigError, MissingError
from libs.features.definitions import FEATURES as FEATURE_NAMES
from libs.market.exchanges import EXCHANGES
from services.cli.features import rows_of, target

MOST_POINTS = 20_000
"""More cannot be seen; of more, each stretch shows its least and its largest value."""
GAP_US = 5_000_000
"""Nothing for so long is shaded: the book was not valid, or nothing happened."""
PANEL_INCHES = 1.15
COLOURS = ("#1f4e9c", "#c25a1a")


def parse_time(name: str, text: str | None, default: int) -> int:
    """Return a moment in µs: ISO 8601 (UTC unless it says otherwise), or µs since the epoch.

    Raises
    ------
    ConfigError
        When it is neither.
    """
    if text is None:
        return default
    if text.isdecimal():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        expected = "a time such as 2024-08-08T10:00:00, or microseconds since the epoch"
        raise ConfigError("command line", name, expected, f'"{text}"') from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6)


def thinned(values: np.ndarray, most: int = MOST_POINTS) -> np.ndarray:
    """Return the places to draw: all, or the least and the largest of each stretch, and where NaN begins and ends."""
    n = len(values)
    if n <= most:
        return np.arange(n)
    size = -(-2 * n // most)
    stretches = np.arange(0, n, size)
    low = np.minimum.reduceat(np.where(np.isnan(values), np.inf, values), stretches)
    high = np.maximum.reduceat(np.where(np.isnan(values), -np.inf, values), stretches)
    stretch = np.minimum(np.arange(n) // size, len(stretches) - 1)
    edges = np.flatnonzero(np.diff(np.isnan(values).astype(np.int8)))
    extremes = np.flatnonzero((values == low[stretch]) | (values == high[stretch]))
    first = np.unique(stretch[extremes] * 2 + (values[extremes] == high[stretch[extremes]]), return_index=True)[1]
    return np.unique(np.concatenate([extremes[first], edges, edges + 1]))


def gaps(feed_us: np.ndarray, longest: int = GAP_US) -> list[tuple[int, int]]:
    """Return the stretches without a row, as pairs of moments."""
    at = np.flatnonzero(np.diff(feed_us) > longest)
    return [(int(feed_us[k]), int(feed_us[k + 1])) for k in at]


def draw(rows: np.ndarray, title: str) -> Any:
    """Return a figure with a panel for the price and one for every feature.

    Raises
    ------
    MissingError
        When matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise MissingError("plot: matplotlib is not installed; install requirements/analysis.txt") from None
    matplotlib.use("Agg")
    from matplotlib import dates, pyplot

    names = ("price", *FEATURE_NAMES)
    figure, panels = pyplot.subplots(
        len(names), 1, sharex=True, figsize=(13, PANEL_INCHES * len(names)), dpi=80, layout="constrained"
    )
    feed_us = rows["feed_ts_us"]
    missing = gaps(feed_us)
    incomplete = rows["incomplete"] != 0
    for name, axes in zip(names, panels, strict=True):
        drawn = ("best_bid", "best_ask") if name == "price" else (name,)
        for column, colour in zip(drawn, COLOURS, strict=False):
            at = thinned(rows[column])
            axes.plot(_moments(feed_us[at]), rows[column][at], linewidth=0.6, color=colour, drawstyle="steps-post")
        for begin, end in missing:
            axes.axvspan(*_moments(np.array([begin, end])), color="#999999", alpha=0.3, linewidth=0)
        undefined = all(np.isnan(rows[column]).all() for column in drawn)
        axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.ticklabel_format(axis="y", useOffset=False, style="plain")
        axes.grid(alpha=0.25)
        axes.margins(x=0)
        if undefined:
            axes.set_yticks([])
            axes.text(0.5, 0.5, "NaN throughout", transform=axes.transAxes, ha="center", va="center", color="#888888")
    locator = dates.AutoDateLocator()
    panels[-1].xaxis.set_major_locator(locator)
    panels[-1].xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    share = f"; {incomplete.mean():.1%} of the rows incomplete" if incomplete.any() else ""
    figure.suptitle(f"{title}: {len(rows):,} rows{share}; shaded: no row for {GAP_US // 1_000_000} s", fontsize=10)
    return figure


def _moments(feed_us: np.ndarray) -> np.ndarray:
    return feed_us.astype("datetime64[us]")


def page(png: bytes, title: str) -> str:
    """Return an HTML page that holds a picture."""
    data = base64.b64encode(png).decode()
    picture = f'<img alt="{title}" style="width:100%" src="data:image/png;base64,{data}">'
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>\n'
        f'<body style="margin:0">{picture}</body></html>\n'
    )


def run(paths: Sequence[str], symbol: str, to: str, begin: str | None, end: str | None, exchange: str | None) -> int:
    """Draw the file; return the exit status."""
    path = target(to, (".png", ".html"))
    first = parse_time("--from", begin, 0)
    last = parse_time("--until", end, 1 << 62)
    if exchange is not None and exchange not in EXCHANGES:
        raise ConfigError("command line", "--exchange", f"one of {', '.join(EXCHANGES)}", f'"{exchange}"')
    kept = []
    for rows in rows_of(paths, symbol):
        fits = (rows["feed_ts_us"] >= first) & (rows["feed_ts_us"] < last)
        if exchange is not None:
            fits &= rows["exchange"] == EXCHANGES.index(exchange)
        kept.append(rows[fits])
    rows = np.concatenate(kept)
    venues = np.unique(rows["exchange"]).tolist()
    if len(venues) != 1:
        has = ", ".join(EXCHANGES[k] for k in venues)
        expected = "rows of one exchange in that time" + (f"; --exchange chooses of {has}" if has else "")
        raise ConfigError("command line", "--symbol", expected, f"{len(rows)} rows of {len(venues)}")
    title = f"{EXCHANGES[venues[0]]} {symbol}"
    figure = draw(rows, title)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    if path.suffix == ".png":
        path.write_bytes(buffer.getvalue())
    else:
        path.write_text(page(buffer.getvalue(), title), encoding="utf-8")
    print(f"{path}: {len(rows):,} rows of {title}", file=sys.stderr)
    return 0

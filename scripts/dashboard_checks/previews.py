"""A picture of each dashboard's panels from a live Prometheus: a preview drawn by matplotlib, not Grafana."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter

from scripts.dashboard_checks.live import SCRAPE_S, substituted
from scripts.dashboard_checks.model import unit_of
from scripts.dashboard_checks.problems import Json
from scripts.observed.server import Api

CELL = 0.62
DARK, PANE, TEXT, GRID = "#111217", "#181b1f", "#ccccdc", "#2c3235"
_SUFFIXES = {"Bps": "B/s", "bytes": "B", "ops": "/s", "pps": "/s", "none": ""}
_SCALES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def shown(value: float, unit: str) -> str:
    """Return a value as a person reads it."""
    if np.isnan(value):
        return "–"
    if unit == "s":
        scale, name = next(((s, n) for s, n in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")) if abs(value) >= s), (1e-6, "µs"))
        return f"{value / scale:.3g} {name}"
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit in ("bool_on_off", "bool_yes_no"):
        return ("off", "on")[int(value)] if unit == "bool_on_off" else ("no", "yes")[int(value)]
    if unit == "currencyUSD":
        return f"{'-' if value < 0 else ''}${abs(value):,.0f}"
    scaled = next((f"{value / s:.3g} {n}" for s, n in _SCALES if abs(value) >= s), f"{value:.3g}")
    suffix = _SUFFIXES.get(unit, unit.removeprefix("suffix:"))
    return f"{scaled}{suffix}"


def draw(boards: dict[str, Json], api: Api, start_s: float, end_s: float, folder: Path) -> None:
    """Write DIR/<dashboard>.png."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, board in boards.items():
        figure = _board(board, api, start_s, end_s)
        figure.savefig(folder / f"{Path(name).stem}.png", dpi=70, facecolor=DARK)
        plt.close(figure)


def _board(board: Json, api: Api, start_s: float, end_s: float) -> Any:
    rows = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in board["panels"])
    width, height = 24 * CELL * 1.6, rows * CELL + 0.6
    figure = plt.figure(figsize=(width, height))
    figure.text(0.01, 1 - 0.3 / height, f"{board['title']}: a preview, not Grafana", color=TEXT, fontsize=15)
    for panel in board["panels"]:
        at = panel["gridPos"]
        box = (
            at["x"] / 24 + 0.004,
            1 - (0.6 + (at["y"] + at["h"]) * CELL) / height,
            at["w"] / 24 - 0.008,
            at["h"] * CELL / height,
        )
        if panel["type"] == "row":
            figure.text(box[0], box[1] + 0.15 * box[3], f"▾ {panel['title']}", color=TEXT, fontsize=12)
            continue
        _panel(figure, panel, box, api, start_s, end_s)
    return figure


def _panel(
    figure: Any, panel: Json, box: tuple[float, float, float, float], api: Api, start: float, end: float
) -> None:
    x, y, w, h = box
    kind = panel["type"]
    inner = (x + 0.035 * (kind != "stat"), y + 0.17 * h, w - 0.04 * (kind != "stat"), 0.62 * h)
    axes = figure.add_axes(inner, facecolor=PANE)
    axes.set_title(panel["title"], color=TEXT, fontsize=10, loc="left", pad=4)
    axes.tick_params(colors=TEXT, labelsize=7)
    for spine in axes.spines.values():
        spine.set_color(GRID)
    step = max(1.0, (end - start) / 120)
    answers = []
    for target in panel["targets"]:
        expression = substituted(target["expr"], SCRAPE_S, step)
        answers.append((target, api.instant(expression) if kind == "stat" else api.over(expression, start, end, step)))
    {"stat": _stat, "timeseries": _lines, "heatmap": _heat, "state-timeline": _states}[kind](axes, panel, answers)


Answers = list[tuple[Json, list[dict[str, Any]]]]


def _stat(axes: Any, panel: Json, answers: Answers) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    series = answers[0][1]
    value = float(series[0]["value"][1]) if series else float("nan")
    text = shown(value, unit_of(panel))
    axes.text(0.5, 0.5, text, color=_color(panel, value), fontsize=22, ha="center", va="center")


def _color(panel: Json, value: float) -> str:
    """Return the color of the highest threshold that a value reaches."""
    color = "green"
    for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]:
        if step["value"] is None or value >= step["value"]:
            color = step["color"]
    return {"green": "#73bf69", "red": "#f2495c"}[color]


def _legend(target: Json, labels: dict[str, str]) -> str:
    text = str(target.get("legendFormat", "__auto"))
    if text == "__auto":
        return ", ".join(f"{k}={v}" for k, v in labels.items() if k != "__name__") or "value"
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found.group(1), ""), text)


def _lines(axes: Any, panel: Json, answers: Answers) -> None:
    unit = unit_of(panel)
    count = 0
    for target, series in answers:
        for one in series:
            times, values = np.array([[float(t), float(v)] for t, v in one["values"]]).T
            label = f"{_legend(target, one['metric'])}  {shown(values[-1], unit)}"
            axes.plot(times - times[-1], values, linewidth=1, label=label)
            count += 1
    for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]:
        if step["value"] is not None:
            axes.axhline(step["value"], color="#f2495c", linestyle="--", linewidth=1)
    axes.grid(color=GRID, linewidth=0.5)
    axes.yaxis.set_major_formatter(_formatter(unit))
    if count:
        legend = axes.legend(fontsize=6, ncols=2, loc="upper left", framealpha=0.3, labelcolor=TEXT)
        legend.get_frame().set_facecolor(PANE)


def _formatter(unit: str) -> FuncFormatter:
    def write(value: float, position: object) -> str:
        return shown(value, unit)

    return FuncFormatter(write)


def _heat(axes: Any, panel: Json, answers: Answers) -> None:
    series = sorted(answers[0][1], key=lambda one: float(one["metric"]["le"]))
    if not series:
        return
    times = sorted({float(t) for one in series for t, _ in one["values"]})
    grid = np.zeros((len(series), len(times)))
    for row, one in enumerate(series):
        for t, v in one["values"]:
            grid[row, times.index(float(t))] = float(v)
    grid = np.diff(grid, axis=0, prepend=0)
    edges = [float(one["metric"]["le"]) for one in series]
    axes.imshow(np.sqrt(np.maximum(grid, 0)), aspect="auto", origin="lower", cmap="turbo", interpolation="nearest")
    ticks = range(0, len(edges), max(1, len(edges) // 8))
    axes.set_yticks(list(ticks), [shown(edges[i], "s") for i in ticks])
    axes.set_xticks([])


def _states(axes: Any, panel: Json, answers: Answers) -> None:
    names = []
    for target, series in answers:
        for one in series:
            times, values = np.array([[float(t), float(v)] for t, v in one["values"]]).T
            color = [_color(panel, value) for value in values]
            axes.scatter(times - times[-1], np.full(len(times), len(names)), c=color, marker="s", s=30)
            names.append(_legend(target, one["metric"]))
    axes.set_yticks(range(len(names)), names)

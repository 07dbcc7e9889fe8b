"""Previews of dashboards: values as a person reads them, and every panel of every board drawn."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scripts.dashboard_checks import previews
from scripts.dashboard_checks.problems import read_boards


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0042, "s", "4.2 ms"),
        (3e-6, "s", "3 µs"),
        (0.125, "percentunit", "12.5 %"),
        (-827.4, "currencyUSD", "-$827"),
        (12_345.0, "currencyUSD", "$12,345"),
        (13_300.0, "ops", "13.3 k/s"),
        (1.0, "bool_on_off", "on"),
        (math.nan, "s", "–"),
    ],
)
def test_a_value_is_shown_as_a_person_reads_it(value: float, unit: str, text: str) -> None:
    """With its unit, three digits, and the sign before the currency; a number of numpy's is shown the same."""
    assert previews.shown(value, unit) == text
    assert previews.shown(np.float64(value), unit) == text


class _Answers:
    """A Prometheus that has two series for whatever it is asked, with edges where buckets are."""

    def instant(self, expression: str) -> list[dict[str, Any]]:
        return [{"metric": {}, "value": [30, "1"]}]

    def over(self, expression: str, start_s: float, end_s: float, step_s: float) -> list[dict[str, Any]]:
        edges = ("0.001", "+Inf") if "sum by (le)" in expression else ("", "")
        return [
            {"metric": {"exchange": "okx"} | ({"le": edge} if edge else {}), "values": [[0, "-1"], [30, "2"]]}
            for edge in edges
        ]


@pytest.mark.parametrize("name", read_boards())
def test_every_panel_is_drawn(name: str, tmp_path: Path) -> None:
    """Each kind of panel has its drawing; the picture is as tall as the board."""
    board = read_boards()[name]
    previews.draw({name: board}, _Answers(), 0.0, 30.0, tmp_path)  # type: ignore[arg-type]
    with Image.open(tmp_path / f"{Path(name).stem}.png") as picture:
        rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
        assert picture.height > 40 * rows and picture.width > 1000

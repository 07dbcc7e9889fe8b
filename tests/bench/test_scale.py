"""Growth of costs: the exponents, a tiny run, and the drawings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.bench import plots, scale, table
from tests.bench.runner import Scale

ROW = {
    "case": "x", "ours": 40.0, "unit": "ns/update", "references": {"c": 20.0}, "ratio": {"c": 2.0},
    "exponent": {"ours": 1.0, "c": 0.5}, "exponent_error": {"ours": 0.0, "c": 0.0}, "sweep": "symbols",
    "title": "level update", "over": "symbols", "spread": {"ours": 1.0, "c": 1.0},
    "points": [
        {"n": n, "ours": 10.0 * n, "c": 10.0 * n**0.5, "spread": {"ours": 1.0, "c": 1.0}} for n in (1, 2, 4)
    ],
}  # fmt: skip


@pytest.mark.parametrize("power", [-0.5, 0.0, 0.3, 1.0, 2.0])
def test_the_exponent_of_a_power_is_found(power: float) -> None:
    """A clean power law gives its exponent and no error; noise shows in the error."""
    sizes = [1, 4, 16, 64, 256]
    slope, error = scale.exponent(sizes, [7.0 * n**power for n in sizes])
    assert slope == pytest.approx(power, abs=1e-12)
    assert error == pytest.approx(0.0, abs=1e-12)
    noise = np.random.default_rng(1).normal(0.0, 0.1, len(sizes))
    slope, error = scale.exponent(sizes, [7.0 * n**power * np.exp(e) for n, e in zip(sizes, noise, strict=True)])
    assert abs(slope - power) < 4 * error and error > 0.005


def test_every_curve_is_measured_beside_its_reference() -> None:
    """Each row has its points, and exponents of ours and of C."""
    rows = scale.rows(Scale(tiny=True))
    assert [row["sweep"] for row in rows] == [sweep.name for sweep in scale.SWEEPS]
    for row in rows:
        assert len(row["points"]) == 3 and set(row["exponent"]) == {"ours", *row["references"]}
        assert "c" in row["references"]
        assert all(point["ours"] > 0 and point["c"] > 0 for point in row["points"])


def test_the_table_tells_the_exponent() -> None:
    """The notes of a row say how both grow."""
    text = table.as_text({"name": "scale", "what": "", "rows": [ROW]})
    assert "exponent 1.00 (c 0.50)" in text


def test_curves_are_drawn(tmp_path: Path) -> None:
    """A PNG a curve, of the size that was asked for."""
    files = plots.draw_all([{"rows": [ROW, {"case": "no curve"}]}], "here", tmp_path)
    assert files == [tmp_path / "symbols.png"]
    data = files[0].read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(data[16:20]), int.from_bytes(data[20:24])) == (960, 600)

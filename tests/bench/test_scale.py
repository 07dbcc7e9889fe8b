"""The scale bench at a tiny size, its exponents and its plots."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import linregress

from libs.book import state
from tests.bench import book_inputs, books, nbbo, plots, scale, table
from tests.bench.runner import Row, Scale, host, in_turns, quartiles
from tests.needs import needs_cc

SIZES = (1, 4, 16, 64)
SWEEP = scale.Sweep("made-up", "nothing", "ns/update", "symbols", SIZES, lambda n, _, __: {"ours": lambda: float(n)})


def made_up(ours: float = 0.5, c: float = 0.25) -> Row:
    """A row whose fastest measurements are powers, and whose others are any."""
    fastest = {(n, side): 30 * n**power for n in SIZES for side, power in (("ours", ours), ("c", c))}
    return scale.as_row(SWEEP, SIZES, {key: [3 * cost, cost, 2 * cost + key[0]] for key, cost in fastest.items()})


@pytest.mark.parametrize("exponent", [-1.0, 0.0, 0.37, 2.0])
def test_the_exponent_of_a_power_law_is_recovered(exponent: float) -> None:
    """Without an error, whatever the factor."""
    slope, error = scale.growth(SIZES, [70.0 * n**exponent for n in SIZES])
    assert slope == pytest.approx(exponent, abs=1e-12)
    assert error == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_error_is_that_of_a_regression(seed: int) -> None:
    """Slope and standard error are SciPy's, for points off the line."""
    costs = np.random.default_rng(seed).uniform(20, 60, len(scale.SYMBOLS))
    expected = linregress(np.log(scale.SYMBOLS), np.log(costs))
    assert scale.growth(scale.SYMBOLS, costs.tolist()) == pytest.approx((expected.slope, expected.stderr))


@pytest.mark.parametrize("costs", [[1.0, 2.0], [1.0, 0.0, 2.0]])
def test_too_little_gives_no_exponent(costs: list[float]) -> None:
    """Two points have no error, and a cost of nothing no logarithm."""
    with pytest.raises(ValueError, match="expected 3 or more positive costs"):
        scale.growth(range(1, len(costs) + 1), costs)


def test_the_row_is_of_the_largest_size() -> None:
    """Its cost is the last point's median; the exponents are those of the fastest, and the table says them."""
    row = made_up()
    medians = {n: 2 * 30 * n**0.5 + n for n in SIZES}
    assert [point["ours"] for point in row["points"]] == pytest.approx(list(medians.values()), abs=1e-3)
    assert row["ours"] == row["points"][-1]["ours"] and row["references"]["c"] == row["points"][-1]["c"]
    assert row["ratio"]["c"] == pytest.approx(row["ours"] / row["references"]["c"], abs=1e-3)
    assert row["points"][0]["least"] == {"ours": 30, "c": 30}
    assert row["points"][0]["quartiles"]["ours"] == list(quartiles([90, 30, 61]))
    assert row["exponent"] == {"ours": 0.5, "c": 0.25} and row["exponent_error"] == {"ours": 0, "c": 0}
    text = table.as_text({"name": "scale", "what": "made up", "rows": [row]})
    assert "nothing, 1 to 64 symbols" in text and "exponent: ours 0.500 ± 0.000, c 0.250 ± 0.000" in text


@needs_cc
def test_every_sweep_is_measured() -> None:
    """Each has our cost and C's at three sizes, in turns, and both exponents; the document is JSON."""
    rows = scale.rows(Scale(tiny=True))
    assert [row["sweep"] for row in rows] == [sweep.name for sweep in scale.SWEEPS]
    for row, sweep in zip(rows, scale.SWEEPS, strict=True):
        assert [point["n"] for point in row["points"]] == list(sweep.sizes[:3])
        assert all(0 < point["least"][side] <= point[side] for point in row["points"] for side in ("ours", "c"))
        assert set(row["exponent"]) == set(row["exponent_error"]) == {"ours", "c"}
    json.dumps(rows, allow_nan=False)


def test_all_sizes_are_measured_in_turns() -> None:
    """Every size comes once a turn, the other way round in each second one, so that a slow hour slows all alike."""
    seen: list[int] = []
    found, _ = in_turns({n: lambda n=n: float(seen.append(n) or n) for n in SIZES}, 2)
    assert seen == [*SIZES, *SIZES, *reversed(SIZES)]
    assert found == {n: [n, n] for n in SIZES}


@needs_cc
@pytest.mark.parametrize("exchanges", scale.EXCHANGES)
def test_a_market_has_so_many_exchanges(exchanges: int) -> None:
    """The quote takes in so many and no other, and C agrees."""
    market = nbbo.Market(3, exchanges=exchanges)
    nbbo.check(market, np.arange(3))
    nbbo.ours(market.quotes, market, np.arange(3), nbbo.FROM_US)
    assert ((market.quotes.excluded == nbbo.states.TAKEN_IN).sum(axis=1) == exchanges).all()


@needs_cc
def test_even_changes_reach_every_level_and_keep_the_depth() -> None:
    """A book of 1,000 levels stays about as deep, loses none to its capacity, and C agrees."""
    given = book_inputs.synthetic(1, 1_000, 5_000, evenly=True)
    away = book_inputs.BEST_BID - given.data.reshape(-1, 2, 4, 2)[:, 0, :, 0]
    assert away.min() == 0 and away.max() == 1_999 and 950 < away.mean() < 1_050
    books.check(given)
    books.drive(given.books, given.events, given.data)
    assert (abs(given.books.counts[0] - 1_000) < 100).all() and len(given.books.prices) == 1 + state.STAGES


def test_a_sweep_closes_what_it_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver's sockets are closed with the stack."""
    closed: list[int] = []

    class Receiver:
        def __init__(self, messages: int, _: int) -> None:
            self.messages = messages

        def close(self) -> None:
            closed.append(self.messages)

    monkeypatch.setattr(scale.receive, "Receiver", Receiver)
    monkeypatch.setattr(scale.receive, "sides", lambda *_: {"ours": lambda: 30.0, "c": lambda: 15.0})
    with ExitStack() as stack:
        sides = scale._receive_by_messages(5, Scale(tiny=True), stack)
        assert (sides["ours"](), sides["c"](), closed) == (6.0, 3.0, [])
    assert closed == [5]


def drawn(folder: Path, row: Row) -> tuple[Path, Any]:
    """Draw a row; return the file and its pixels."""
    from matplotlib import image

    document = {"name": "scale", "host": host(), "rows": [row, {"case": "nothing", "skipped": "made up"}]}
    (path,) = plots.draw(document, folder, "crossbook bench scale")
    return path, image.imread(path)


def test_a_plot_is_a_png_with_the_curves(tmp_path) -> None:
    """A row with points becomes one file: a PNG of the size asked for, with what was typed, and both colours in it."""
    path, pixels = drawn(tmp_path, made_up() | {"disturbed": "5 % of the CPU time stolen"})
    data = path.read_bytes()
    assert path.name == "scale-made-up.png" and list(tmp_path.iterdir()) == [path]
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR" and b"crossbook bench scale" in data
    assert pixels.shape[:2] == (624, 960)
    for colour in plots.COLOURS[:2]:
        wanted = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        assert (np.abs(pixels[..., :3] - wanted).max(axis=-1) < 0.01).sum() > 500


def test_a_steep_curve_reaches_higher_than_a_flat_one(tmp_path) -> None:
    """Our highest pixel lies above that of the reference where ours costs more, and below where it costs less."""

    def top_of(pixels: Any, colour: str) -> int:
        wanted = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        right = pixels[:, 700:, :3]  # beside the legend, where the largest sizes are
        return int(np.argwhere(np.abs(right - wanted).max(axis=-1) < 0.01)[:, 0].min())

    _, dearer = drawn(tmp_path, made_up(0.9, 0.1))
    _, cheaper = drawn(tmp_path, made_up(0.1, 0.9))
    assert top_of(dearer, plots.COLOURS[0]) < top_of(dearer, plots.COLOURS[1])
    assert top_of(cheaper, plots.COLOURS[0]) > top_of(cheaper, plots.COLOURS[1])

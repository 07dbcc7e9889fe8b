"""``crossbook plot features``: what is drawn, and what stands in the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import ConfigError
from libs.features.definitions import FEATURES
from libs.streams.schemas import FEATURES as RECORD
from services.cli import plots

DATA = Path(__file__).resolve().parents[2] / "data/binance"
SECOND = 1_000_000


@given(st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))), min_size=1, max_size=400), st.integers(4, 60))
def test_thinning_keeps_every_extreme(values: list[float], most: int) -> None:
    """Of each stretch the least and the largest stay, so no spike is lost; places stay in order."""
    array = np.array(values)
    at = plots.thinned(array, most)
    assert (np.diff(at) > 0).all()
    if len(array) <= most:
        assert len(at) == len(array)
    elif not np.isnan(array).all():
        assert np.nanmax(array[at]) == np.nanmax(array) and np.nanmin(array[at]) == np.nanmin(array)
        assert len(at) <= most + 2 + 2 * int(np.count_nonzero(np.diff(np.isnan(array).astype(int))))


def test_stretches_without_a_row_are_found() -> None:
    """Longer than the limit only."""
    feed = np.array([0, SECOND, 7 * SECOND, 8 * SECOND, 13 * SECOND])
    assert plots.gaps(feed) == [(SECOND, 7 * SECOND)]


def test_a_figure_has_a_panel_for_the_price_and_one_for_each_feature() -> None:
    """A gap is shaded in each; a feature that is NaN throughout says so."""
    rows = np.zeros(50, RECORD)
    rows["feed_ts_us"] = 1_700_000_000 * SECOND + np.arange(50) * SECOND
    rows["feed_ts_us"][25:] += 60 * SECOND
    rows["best_bid"], rows["best_ask"] = 10.0, 11.0
    rows["microprice"] = np.nan
    figure = plots.draw(rows, "binance X")
    assert [axes.get_ylabel() for axes in figure.axes] == ["price", *FEATURES]
    assert all(len(axes.patches) == 1 for axes in figure.axes)
    said = [axes.get_ylabel() for axes in figure.axes if any("NaN" in text.get_text() for text in axes.texts)]
    assert said == ["microprice"]
    assert "50 rows" in figure.get_suptitle()


@pytest.mark.parametrize("ending", ["png", "html"])
def test_a_file_is_written(tmp_path: Path, ending: str) -> None:
    """A PNG, or one page that needs nothing else."""
    target = tmp_path / f"x.{ending}"
    assert plots.run([str(DATA)], "BTC-USDT", str(target), None, None, None) == 0
    data = target.read_bytes()
    assert data.startswith(b"\x89PNG" if ending == "png" else b"<!doctype html>")
    assert ending == "png" or b"data:image/png;base64," in data


def test_times_are_read_as_people_write_them() -> None:
    """ISO 8601 in UTC, or microseconds; anything else is named."""
    assert plots.parse_time("--from", "2024-08-08T23:58:00", 0) == 1_723_161_480 * SECOND
    assert plots.parse_time("--from", "2024-08-09T01:58:00+02:00", 0) == 1_723_161_480 * SECOND
    assert plots.parse_time("--from", "17", 0) == 17
    assert plots.parse_time("--from", None, 5) == 5
    with pytest.raises(ConfigError, match=r"--until.*noon"):
        plots.parse_time("--until", "noon", 0)


def test_no_row_in_the_time_asked_for_is_an_error(tmp_path: Path) -> None:
    """And so is an exchange that there is not."""
    with pytest.raises(ConfigError, match="0 rows"):
        plots.run([str(DATA)], "BTC-USDT", str(tmp_path / "x.png"), "2030-01-01", None, None)
    with pytest.raises(ConfigError, match="--exchange"):
        plots.run([str(DATA)], "BTC-USDT", str(tmp_path / "x.png"), None, None, "kraken")
    assert not list(tmp_path.iterdir())

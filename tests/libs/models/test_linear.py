"""The linear model and its file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import ConfigError
from libs.models.linear import Calibration, LinearFile, LinearModel, Window, digest_of, load_model, save_model

ROOT = Path(__file__).resolve().parents[3]


def _file(**changes: Any) -> LinearFile:
    values: dict[str, Any] = {
        "kind": "linear",
        "version": 1,
        "name": "small",
        "symbols": "any",
        "horizon_s": 15.0,
        "feature_names": ("queue_imbalance", "spread_bps"),
        "mean": (0.1, 2.0),
        "std": (0.5, 4.0),
        "coefficients": (1.5, -0.25),
        "intercept": 0.3,
        "calibration": Calibration(0.5, 4.0),
        "threshold_bps": 0.9,
        "training": Window("2024-07-23T00:00:00Z", "2024-07-24T00:00:00Z", 10, ("here",)),
    }
    return LinearFile(**(values | changes))


def _edited(folder: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    path = folder / "m.json"
    save_model(_file(), path)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-20, 20)), min_size=1, max_size=20))
def test_it_predicts_what_the_formula_says(points: list[tuple[float, float]]) -> None:
    """Predictions equal the formula in plain Python, whatever the size of the batch."""
    model = LinearModel(_file())
    x = np.array(points)
    mean, sigma = model.predict(x)
    for row, (a, b) in enumerate(points):
        expected = 0.5 * (0.3 + 1.5 * (a - 0.1) / 0.5 - 0.25 * (b - 2.0) / 4.0)
        assert mean[row] == pytest.approx(expected, rel=1e-12, abs=1e-12)
        assert mean[row] == model.predict(x[row : row + 1])[0][0]
    assert (sigma == 4.0).all()


def test_a_missing_input_gives_no_prediction() -> None:
    """NaN in any input makes prediction, deviation and distance NaN."""
    model = LinearModel(_file())
    x = np.array([[np.nan, 1.0], [0.1, 2.0]])
    mean, sigma = model.predict(x)
    assert np.isnan([mean[0], sigma[0], model.deviations(x)[0]]).all()
    assert not np.isnan([mean[1], sigma[1], model.deviations(x)[1]]).any()


def test_distance_is_that_of_the_farthest_input() -> None:
    """Deviations are counted from the training mean, and the farthest input counts."""
    assert LinearModel(_file()).deviations(np.array([[0.6, 2.0], [0.1, -30.0]])).tolist() == [1.0, 8.0]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2))
def test_a_file_reads_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    """Every float survives the file, and the digest with it."""
    path = tmp_path_factory.getbasetemp() / "round.json"
    written = save_model(_file(coefficients=tuple(values)), path)
    assert load_model(path).file == written.file
    assert written.digest == digest_of(_file(coefficients=tuple(values))).sha256


def test_a_model_knows_its_symbols() -> None:
    """``any`` covers all; a list covers what it names."""
    assert LinearModel(_file()).covers("BTC-USDT")
    named = LinearModel(_file(symbols=("NEXO-USDT",)))
    assert (named.covers("NEXO-USDT"), named.covers("BTC-USDT")) == (True, False)


@pytest.mark.parametrize(
    ("change", "key", "message"),
    [
        (lambda c: c["feature_names"].__setitem__(0, "queue_imbalanse"), "feature_names[0]", "near: queue_imbalance"),
        (lambda c: c["feature_names"].__setitem__(1, "wap_0ms"), "feature_names[1]", "any symbol .near: wap_"),
        (lambda c: c["feature_names"].__setitem__(1, "queue_imbalance"), "feature_names[1]", "each feature once"),
        (lambda c: c["mean"].append(1.0), "mean", "expected 2 numbers, one a feature, found 3"),
        (lambda c: c["std"].__setitem__(0, 0.0), "std[0]", "float > 0"),
        (lambda c: c["coefficients"].__setitem__(0, 1.25), "digest", r"\(changed: coefficients\)"),
        (lambda c: c.update(intercept=0.1, name="x"), "digest", r"\(changed: intercept, name\)"),
        (lambda c: c["digest"].update(sha256="0" * 64), "digest", "no field changed"),
        (lambda c: c.pop("digest"), "digest", "found none"),
        (lambda c: c.update(horizon=15), "horizon", "near: horizon_s"),
        (lambda c: c.pop("threshold_bps"), "threshold_bps", "no such key"),
        (lambda c: c.update(kind="forest"), "kind", "expected one of linear"),
    ],
)
def test_a_file_that_is_not_right_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], key: str, message: str
) -> None:
    """Unknown features, unequal lengths and edited files are refused by field, with near names."""
    with pytest.raises(ConfigError, match=message) as caught:
        load_model(_edited(tmp_path, change))
    assert caught.value.key == key


def test_a_named_symbol_may_use_prices(tmp_path: Path) -> None:
    """A model for named symbols may name a feature that has a dimension."""
    named = _file(symbols=("NEXO-USDT",), feature_names=("wap_0ms", "spread_bps"))
    assert save_model(named, tmp_path / "m.json").feature_names == ("wap_0ms", "spread_bps")


def test_the_model_that_ships_loads() -> None:
    """config/models/default.json is whole, for any symbol, 15 s ahead, and its figures stand beside it."""
    model = load_model(ROOT / "config/models/default.json")
    assert (model.file.symbols, model.horizon_s) == ("any", 15.0)
    assert model.threshold_bps > 0
    assert model.digest[:16] in (ROOT / "config/models/README.md").read_text()

"""What the signal service decides about rows, without I/O."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from libs.book.flags import CROSSED, HALTED, MUTE, NO_SNAPSHOT, STALE, SUSPECT, TRUNCATED
from libs.features.definitions import COLUMNS
from libs.models.linear import Calibration, LinearFile, LinearModel, Window
from libs.streams.reader import Batch
from libs.streams.schemas import FEATURES
from libs.streams.shards import Shard
from services.signals.app import by_run
from services.signals.evaluate import Evaluator
from services.signals.records import signal_records
from services.signals.settings import RealCosts, Settings

NOW_US = 1_700_000_000_000_000


def _model(**changes: Any) -> LinearModel:
    values: dict[str, Any] = {
        "kind": "linear",
        "version": 1,
        "name": "test",
        "symbols": "any",
        "horizon_s": 15.0,
        "feature_names": ("queue_imbalance",),
        "mean": (0.0,),
        "std": (0.5,),
        "coefficients": (1.0,),
        "intercept": 0.0,
        "calibration": Calibration(1.0, 4.0),
        "threshold_bps": 1.0,
        "training": Window("a", "b", 1, ("c",)),
    }
    return LinearModel(LinearFile(**(values | changes)))


def _row(book: int = 0, imbalance: float = 0.8, feed_us: int = 0, **changes: Any) -> np.ndarray:
    row = np.zeros(1, FEATURES)
    for name in COLUMNS:
        row[name] = np.nan
    row["book_id"], row["exchange"], row["symbol"] = book, book % 5, f"S{book}-USDT".encode()
    row["valid"], row["best_bid"], row["best_ask"], row["spread_bps"] = 1, 99.95, 100.05, 10.0
    row["queue_imbalance"], row["feed_ts_us"], row["sent_ts_us"] = imbalance, feed_us, NOW_US
    for name, value in changes.items():
        row[name] = value
    return row


def _evaluate(evaluator: Evaluator, *rows: np.ndarray) -> list[dict[str, str]]:
    decision, _ = evaluator.evaluate(np.concatenate(rows), NOW_US)
    return signal_records(
        decision,
        run="7",
        model="digest",
        costs=evaluator.settings.costs,
        threshold_bps=evaluator.threshold_bps,
        sizing=evaluator.settings.sizing.limits(),
        signal_ts_ns=123,
    )


def test_a_row_beyond_the_threshold_makes_a_signal_with_all_its_fields() -> None:
    """Imbalance 0.8 of deviation 0.5 predicts 1.6 bps: buy, with confidence Φ(0.4) and the event's identity."""
    evaluator = Evaluator(_model(), Settings())
    [signal] = _evaluate(evaluator, _row(book=2, session=5, sequence=17, feed_ts_us=1000, book_ts_ns=9))
    assert signal["exchange"] == "coinbase"
    assert signal["symbol"] == "S2-USDT"
    assert (signal["session"], signal["sequence"], signal["feed_ts_us"]) == ("5", "17", "1000")
    assert (signal["run"], signal["book_id"], signal["book_ts_ns"], signal["signal_ts_ns"]) == ("7", "2", "9", "123")
    assert (signal["action"], signal["prediction_bps"], signal["sigma_bps"]) == ("buy", "1.600000", "4.000000")
    assert (signal["cost_bps"], signal["net_bps"], signal["threshold_bps"]) == ("0.000000", "1.600000", "1.000000")
    assert (signal["confidence"], signal["size_fraction"]) == ("0.655422", "0.250000")
    assert (signal["mid"], signal["best_bid"], signal["best_ask"]) == ("100.0", "99.95", "100.05")
    assert (signal["model"], signal["costs"]) == ("digest", "demo")
    assert evaluator.by_action == {"buy": 1}


def test_a_small_prediction_makes_no_signal_and_is_no_skip() -> None:
    """Below the threshold nothing is said, and nothing was wrong."""
    evaluator = Evaluator(_model(), Settings())
    assert _evaluate(evaluator, _row(imbalance=0.5), _row(1, imbalance=-0.5)) == []
    assert +evaluator.skipped == {}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"valid": 0, "flags": NO_SNAPSHOT}, "not_valid"),
        ({"valid": 0}, "not_valid"),
        ({"flags": SUSPECT}, "suspect"),
        ({"flags": HALTED}, "halted"),
        ({"flags": MUTE}, "mute"),
        ({"flags": STALE}, "stale"),
        ({"sent_ts_us": NOW_US - 2_000_001}, "stale"),
        ({"flags": CROSSED}, "crossed"),
        ({"best_bid": 100.05}, "crossed"),
        ({"best_ask": np.nan}, "one_sided"),
        ({"queue_imbalance": np.nan}, "nan_feature"),
        ({"queue_imbalance": 3.01}, "out_of_range"),
        ({"book_id": 16_384}, "capacity"),
    ],
)
def test_a_row_that_is_not_good_makes_no_signal_but_a_count(changes: dict[str, Any], reason: str) -> None:
    """Each reason is counted by name, and the neighbour of a bad row is not touched."""
    evaluator = Evaluator(_model(), Settings())
    signals = _evaluate(evaluator, _row(**changes), _row(1))
    assert [signal["symbol"] for signal in signals] == ["S1-USDT"]
    assert +evaluator.skipped == {reason: 1}


def test_missing_features_are_counted_by_name() -> None:
    """Which feature was missing is counted, for rows that would have been good otherwise."""
    model = _model(feature_names=("queue_imbalance", "microprice_bps"), mean=(0, 0), std=(1, 1), coefficients=(1, 1))
    evaluator = Evaluator(model, Settings())
    assert _evaluate(evaluator, _row(), _row(1, valid=0), _row(2)) == []
    assert evaluator.nan_features == {"microprice_bps": 2}


def test_an_incomplete_row_matters_to_sums_only() -> None:
    """A model of the best levels takes it; one that sums over levels doesn't."""
    assert _evaluate(Evaluator(_model(), Settings()), _row(incomplete=1, flags=TRUNCATED))
    sums = Evaluator(_model(feature_names=("order_book_imbalance",)), Settings())
    assert _evaluate(sums, _row(incomplete=1, order_book_imbalance=0.8)) == []
    assert +sums.skipped == {"incomplete": 1}


def test_a_model_of_named_symbols_leaves_others_alone() -> None:
    """Rows of symbols that the model was not made for are counted as not covered."""
    evaluator = Evaluator(_model(symbols=("S1-USDT",)), Settings())
    assert [s["symbol"] for s in _evaluate(evaluator, _row(), _row(1))] == ["S1-USDT"]
    assert +evaluator.skipped == {"not_covered": 1}


def test_only_the_latest_row_of_a_book_counts() -> None:
    """Rows that a later one of the same batch replaced are counted as superseded."""
    evaluator = Evaluator(_model(), Settings())
    signals = _evaluate(evaluator, _row(0, 0.8), _row(1, -0.8), _row(0, -0.9, feed_us=1))
    assert [(s["symbol"], s["action"]) for s in signals] == [("S1-USDT", "sell"), ("S0-USDT", "sell")]
    assert +evaluator.skipped == {"superseded": 1}
    assert evaluator.rows == 3


def test_a_signal_is_said_at_a_change_and_again_while_it_lasts() -> None:
    """The same action is said again only after more than repeat_ms of feed time; a change at once."""
    evaluator = Evaluator(_model(), Settings(repeat_ms=1000))
    said = []
    for feed_us, imbalance in [
        (5_000_000, 0.8),
        (5_100_000, 0.9),
        (6_000_000, 0.9),
        (6_000_001, 0.9),
        (6_100_000, -0.9),
        (6_200_000, 0.0),
        (6_300_000, -0.9),
    ]:
        said += [(feed_us, s["action"]) for s in _evaluate(evaluator, _row(imbalance=imbalance, feed_us=feed_us))]
    assert said == [(5_000_000, "buy"), (6_000_001, "buy"), (6_100_000, "sell"), (6_300_000, "sell")]


def test_real_costs_are_taken_off() -> None:
    """Spread 10 bps, spot fee 10 bps, slippage 0.5 bps: opening costs 31 bps, and a derivative's fee is its own."""
    model = _model(coefficients=(25.0,), threshold_bps=99.0)
    evaluator = Evaluator(model, Settings(costs="real", real=RealCosts(threshold_bps=1.0)))
    rows = [_row(0, 0.65), _row(5, 0.66, symbol=b"S5-USDT-PERP"), _row(10, 0.64), _row(15, -0.65)]
    spot, derivative, short = _evaluate(evaluator, *rows)
    assert (spot["cost_bps"], spot["net_bps"], spot["costs"]) == ("31.000000", "1.500000", "real")
    assert (derivative["cost_bps"], derivative["net_bps"]) == ("21.000000", "12.000000")
    assert (short["action"], short["net_bps"]) == ("sell", "1.500000")


def test_a_restart_of_the_consumer_forgets_books() -> None:
    """Ids mean other books afterwards: symbols are read anew, and an action is said anew."""
    evaluator = Evaluator(_model(symbols=("S0-USDT",)), Settings())
    assert _evaluate(evaluator, _row())
    assert _evaluate(evaluator, _row()) == []
    evaluator.restart()
    assert _evaluate(evaluator, _row(symbol=b"OTHER")) == []
    assert +evaluator.skipped == {"not_covered": 1}


def test_a_restart_of_one_shard_forgets_its_books() -> None:
    """Of two consumers that share the symbols the other one's books stay known."""
    evaluator = Evaluator(_model(), Settings())
    assert len(_evaluate(evaluator, _row(0), _row(1))) == 2
    evaluator.restart(Shard(2, 2))
    assert [signal["symbol"] for signal in _evaluate(evaluator, _row(0), _row(1))] == ["S1-USDT"]


def test_rows_of_shards_are_joined_apart() -> None:
    """However entries of two consumers alternate, each one's rows make one batch a run."""
    one, two = Shard(1, 2), Shard(2, 2)
    order = [(one, "5", 0), (two, "6", 1), (one, "5", 2), (one, "7", 4), (two, "6", 3)]
    batches = [Batch("features", str(at), run, _row(book), shard) for at, (shard, run, book) in enumerate(order)]
    found = [(shard, run, rows["book_id"].tolist()) for rows, run, shard in by_run(batches)]
    assert found == [(one, "5", [0, 2]), (two, "6", [1, 3]), (one, "7", [4])]


def test_predictions_are_scored_a_horizon_later() -> None:
    """A prediction of 1.6 bps that came true by 10 bps is one settled pair, however few rows came between."""
    evaluator = Evaluator(_model(), Settings())
    _evaluate(evaluator, _row(feed_us=1_000_000))
    _evaluate(evaluator, _row(feed_us=15_900_000, best_bid=100.05, best_ask=100.15))
    _evaluate(evaluator, _row(feed_us=16_100_000, best_bid=500.0, best_ask=500.1))
    assert evaluator.scoring.counts[0] == 1
    assert evaluator.scoring.recent[0] == pytest.approx([1.6, 1e4 * np.log(100.1 / 100.0), 4.0])

"""Fitting microprice tables, and refusing wrong ones."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from libs.config import PositiveDecimal
from libs.errors import ConfigError
from libs.features.microprice import (
    NotFittedError,
    TableFile,
    Training,
    digest_of,
    fit,
    load,
    load_all,
    states,
    write,
)

BUCKETS, SPREADS = 4, 2
TRAINED = Training(start="2024-08-08", end="2024-08-09", rows=1000, moves=200, sources=("a",))
TABLE = ((0.0, -0.3), (0.0, 0.3))


def a_file(**changes: object) -> TableFile:
    """Return a table that is right, but for changes."""
    right = TableFile(
        kind="microprice", version=1, exchange="binance", symbol="BTC-USDT", tick=PositiveDecimal("0.010"), buckets=2,
        spreads=1, table=TABLE, training=TRAINED,
    )  # fmt: skip
    return msgspec.structs.replace(right, **changes)


def made(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return best levels in ticks and their sizes: mid follows the larger side, more so at a narrow spread."""
    rng = np.random.default_rng(seed)
    ticks, sizes = np.zeros((rows, 2)), np.zeros((rows, 2))
    bid, spread = 1000.0, 1.0
    for k in range(rows):
        share = rng.integers(0, 10) / 10 + 0.05
        ticks[k], sizes[k] = (bid, bid + spread), (share, 1 - share)
        if rng.random() < 0.3:
            up = rng.random() < 0.2 + 0.6 * share
            bid += (1 if up else -1) * (1 if spread == 1 else rng.integers(0, 2))
            spread = float(rng.integers(1, 4))
    return ticks, sizes


def expected_moves(ticks: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return how far mid is expected to have moved in the end, by summing the chain's steps one by one."""
    state, mid = states(ticks, sizes, BUCKETS, SPREADS), ticks.mean(axis=1)
    n = BUCKETS * (SPREADS + 1)
    counts, gain = np.zeros((n, n)), np.zeros(n)
    for k in range(len(ticks) - 1):
        now, then, move = state[k], state[k + 1], mid[k + 1] - mid[k]
        for a, b, m in ((now, then, move), (mirrored(now), mirrored(then), -move)):
            counts[a, b] += 1
            gain[a] += m
    seen = counts.sum(axis=1)
    seen[seen == 0] = 1
    step, found, along = gain / seen, np.zeros(n), counts / seen[:, None]
    for _ in range(20_000):
        found, step = found + step, along @ step
    return found.reshape(BUCKETS, SPREADS + 1)


def mirrored(state: int) -> int:
    """Return the state with bids and asks exchanged."""
    i, s = divmod(state, SPREADS + 1)
    return (BUCKETS - 1 - i) * (SPREADS + 1) + s


@pytest.mark.parametrize("seed", range(3))
def test_a_table_is_where_mid_is_expected_in_the_end(seed: int) -> None:
    """G = Σ Bᵏ G1 is the sum of the expected moves of all steps to come, whatever the time between moves."""
    ticks, sizes = made(4_000, seed)
    table, moves = fit(ticks, sizes, np.ones(len(ticks), bool), BUCKETS, SPREADS)
    assert moves == int((np.diff(ticks.mean(axis=1)) != 0).sum())
    np.testing.assert_allclose(table, expected_moves(ticks, sizes), atol=1e-9)
    np.testing.assert_array_equal(table, -table[::-1])
    assert table[0, 1] < table[1, 1] < 0


def test_steps_that_do_not_follow_are_left_out() -> None:
    """A move over a gap counts for nothing."""
    ticks, sizes = made(3_000, 5)
    wanted, _ = fit(ticks, sizes, np.ones(len(ticks), bool), BUCKETS, SPREADS)
    later = np.concatenate([ticks, ticks + 500]), np.concatenate([sizes, sizes])
    follows = np.ones(6_000, bool)
    follows[3_000] = False
    found, _ = fit(*later, follows, BUCKETS, SPREADS)
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_rows_without_two_sides_or_crossed_have_no_state() -> None:
    """They are no part of the chain; wide spreads are the last state, a full side the last bucket."""
    ticks = np.array([[1, np.nan], [3, 2], [5, 5], [5, 90], [5, 6]])
    sizes = np.array([[1, 0], [1, 1], [1, 1], [1, 3], [1, 0]])
    assert states(ticks, sizes, 4, 2).tolist() == [-1, -1, 6, 5, 10]


def test_too_few_moves_fit_nothing() -> None:
    """A quiet recording is said to be that."""
    ticks, sizes = made(40, 1)
    with pytest.raises(NotFittedError, match="fewer than 100"):
        fit(ticks, sizes, np.ones(40, bool), BUCKETS, SPREADS)


def test_a_written_table_is_read_again(tmp_path: Path) -> None:
    """To the bit, with its tick without zeros."""
    write(tmp_path / "t.json", a_file())
    (table,) = load_all({"binance BTC-USDT": str(tmp_path / "t.json")})
    assert (table.exchange, table.symbol, table.tick) == ("binance", "BTC-USDT", (1, -2))
    np.testing.assert_array_equal(table.adjustments, TABLE)


WRONG = {
    "table: expected 3 rows, one a bucket, found 2": {"buckets": 3},
    "table[0]: expected 3 numbers, spreads 0 to 2, found 2": {"spreads": 2},
    "table[0][1]: expected -table[1][1] (-0.4), found -0.3": {"table": ((0.0, -0.3), (0.0, 0.4))},
    "symbol: expected a table of binance BTC-USDT, found one of binance ETH-USDT": {"symbol": "ETH-USDT"},
    "symbol: expected a table of binance BTC-USDT, found one of okx BTC-USDT": {"exchange": "okx"},
}


@pytest.mark.parametrize("said", WRONG)
def test_a_wrong_table_is_refused(said: str, tmp_path: Path) -> None:
    """Naming file, place, what was expected and what was found."""
    write(tmp_path / "t.json", a_file(**WRONG[said]))
    with pytest.raises(ConfigError) as raised:
        load(tmp_path / "t.json", "binance", "BTC-USDT")
    assert str(raised.value) == f"{tmp_path / 't.json'}: {said}"
    assert raised.value.exit_status == 2


@pytest.mark.parametrize(
    ("key", "value"), [("buckets", 65), ("buckets", 1), ("spreads", 17), ("tick", "0"), ("table", 5)]
)
def test_values_out_of_range_are_refused(key: str, value: object, tmp_path: Path) -> None:
    """The key is named."""
    write(tmp_path / "t.json", a_file())
    content = json.loads((tmp_path / "t.json").read_text()) | {key: value}
    (tmp_path / "t.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=key):
        load(tmp_path / "t.json", "binance", "BTC-USDT")


def test_a_table_edited_by_hand_is_refused(tmp_path: Path) -> None:
    """The digest is of the content."""
    write(tmp_path / "t.json", a_file())
    text = (tmp_path / "t.json").read_text()
    assert digest_of(a_file()) in text
    (tmp_path / "t.json").write_text(text.replace("0.3", "0.2"))
    with pytest.raises(ConfigError, match="sha256: expected the digest of the content"):
        load(tmp_path / "t.json", "binance", "BTC-USDT")


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    """1e999 is read as infinity."""
    write(tmp_path / "t.json", a_file())
    text = (tmp_path / "t.json").read_text()
    (tmp_path / "t.json").write_text(text.replace("-0.3", "-1e999").replace("0.3", "1e999"))
    with pytest.raises(ConfigError, match="table: expected finite numbers"):
        load(tmp_path / "t.json", "binance", "BTC-USDT")

"""The bench of shards at a tiny size."""

from __future__ import annotations

from libs.market.symbol_table import t_shard
from tests.bench import shards
from tests.bench.runner import Scale


def test_every_side_keeps_its_account() -> None:
    """It measures seven cases, and every ledger balances with nothing lost, however many runs there were."""
    rows = shards.rows(Scale(tiny=True))
    assert len(rows) == 7
    assert all(row["ours"] > 0 and set(row["references"]) == {"takes everything"} for row in rows)


def test_shards_of_the_bench_are_equal() -> None:
    """Half of the symbols are of each shard."""
    symbols = shards.evenly()
    assert len(set(symbols)) == 2 * shards.HALF
    assert sum(t_shard(symbol, 2) for symbol in symbols) == shards.HALF

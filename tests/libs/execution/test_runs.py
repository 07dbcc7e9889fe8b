"""Which run of the consumer counts."""

from __future__ import annotations

from libs.execution.runs import Runs
from libs.market.symbol_table import t_shard
from libs.streams.shards import WHOLE, Shard
from tests.libs.execution.test_paper import DUE_US, LATENCY_US, START_US, Bench, D, fills
from tests.oracles.shown import book_row

ONE, TWO = Shard(1, 2), Shard(2, 2)


def test_each_shard_has_its_run() -> None:
    """The run of one shard says nothing of another's; an older one of the same is over."""
    runs = Runs()
    assert runs.begin("100", ONE) and not runs.begin("90", TWO)
    assert (runs.known(ONE), runs.known(TWO), runs.known(WHOLE)) == ("100", "90", "")
    assert not runs.is_over("95", TWO)
    assert runs.is_over("95", ONE)
    assert not runs.begin("110", ONE)
    assert runs.copy() == {ONE: "110", TWO: "90"}


def test_symbols_shared_anew_forget_every_run() -> None:
    """A run among another number of consumers ends all, unless it is older than one of them."""
    runs = Runs()
    assert not runs.begin("100", WHOLE)
    assert runs.is_over("99", ONE) and not runs.is_over("101", ONE)
    assert runs.begin("101", ONE)
    assert (runs.of, runs.known(WHOLE)) == (2, "")
    assert runs.is_over("100", WHOLE)


def test_an_order_waits_for_the_feed_time_of_its_own_shard() -> None:
    """Another consumer that is ahead lets nothing arrive on a book that it does not show."""
    bench = Bench()
    market, own = bench.market, Shard(t_shard("BTC-USDT", 2) + 1, 2)
    other = Shard(3 - own.number, 2)
    bench.order()
    for shard in (own, other):
        market.begin_run("2", shard)
    ids = {shard: 2 + shard.offset for shard in (own, other)}
    market.take_books(book_row(ids[own], feed_us=START_US), own)
    changed = market.take_books(book_row(ids[other], symbol="ETH-USDT", feed_us=2 * DUE_US), other)
    assert bench.venue.advance(changed, 9) == []
    changed = market.take_books(book_row(ids[own], feed_us=DUE_US), own)
    assert fills(bench.venue.advance(changed, 9)) == [("a", D(3), D(101))]


def test_what_was_taken_stays_taken_when_another_shard_starts_anew() -> None:
    """Only the books of the consumer that started anew are new."""
    bench = Bench()
    market, own = bench.market, Shard(t_shard("BTC-USDT", 2) + 1, 2)
    other = Shard(3 - own.number, 2)
    left = []
    for number, (shard, run) in enumerate(((own, "1"), (other, "1"), (other, "2"), (own, "2"))):
        market.begin_run(run, shard)
        start_us = START_US + 2 * number * LATENCY_US
        bench.order(str(number), quantity="3", feed_ts_us=start_us)
        changed = market.take_books(book_row(2 + own.offset, feed_us=start_us + LATENCY_US), own)
        left += [quantity for _, quantity, _ in fills(bench.venue.advance(changed, 9))]
    assert left == [D(3), D(2), D(3)]

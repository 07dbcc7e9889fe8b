"""The replay bench at a tiny size: hftbacktest has our best levels, C our features and quotes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from libs.book import kernels
from libs.book.state import ASK_PRICE, BID_PRICE
from tests.bench import books, hft, main, replay
from tests.bench.book_inputs import AT, BOOK, synthetic
from tests.bench.runner import Scale
from tests.needs import needs_cc, package

needs_hft = package("hftbacktest")


def test_it_is_one_of_the_benches() -> None:
    """`crossbook bench replay` finds it."""
    assert main.chosen("replay") == ("replay",)


@needs_cc
def test_c_gives_the_same_features_and_quotes() -> None:
    """At the end of a replay every features row and quote is what the C references make of the same books."""
    markets = replay.made_up(500)
    replay.check(markets, {})
    tops = markets.books.tops[: replay.SYMBOLS * 5].reshape(5, replay.SYMBOLS, 8)
    assert np.array_equal(markets.quotes.bid_price, tops[:, :, BID_PRICE].max(axis=0))
    assert np.array_equal(markets.quotes.ask_price, tops[:, :, ASK_PRICE].min(axis=0))


def test_a_replay_in_pieces_is_the_same_replay() -> None:
    """Books, rows and quotes do not depend on how many events one call takes."""
    markets = replay.made_up(300)
    whole = markets.replay(0, 300)
    kept = [array.copy() for array in (*markets.books[:2], markets.books.tops, markets.rows, *markets.quotes)]
    markets.reset()
    assert sum(markets.replay(k, min(k + 7, 300)) for k in range(0, 300, 7)) == whole == 300
    now = (*markets.books[:2], markets.books.tops, markets.rows, *markets.quotes)
    assert all(np.array_equal(one, other, equal_nan=True) for one, other in zip(kept, now, strict=True))


@needs_cc
@needs_hft
@pytest.mark.parametrize("levels", [1, 30])
def test_hftbacktest_has_the_same_best_levels(levels: int) -> None:
    """After each event its best prices and sizes are ours, whatever its books are made of."""
    markets = replay.Markets(synthetic(2, levels, 400), (0,), ((0, 0), (0, 0)))
    others = replay.kinds(markets.given)
    assert len(others) == 3
    replay.check(markets, others)


@needs_cc
@needs_hft
@pytest.mark.recordings
def test_hftbacktest_has_the_same_best_levels_of_recordings(recordings: Path) -> None:
    """The same holds for what an exchange really sent; the inverse contract stays out of the quotes."""
    markets = replay.recording(1_500)
    replay.check(markets, replay.kinds(markets.given))
    assert (markets.quotes.bid_exchanges & 0b100 == 0).all()
    assert (markets.quotes.bid_exchanges > 0).all()


@needs_hft
@pytest.mark.parametrize("local_only", [False, True])
def test_every_message_wakes_hftbacktest_once(local_only: bool) -> None:
    """It reads as many messages as there are events, and then the data end."""
    given = synthetic(3, 20, 200)
    for depth in hft.DEPTHS:
        with hft.ready(hft.Feed(given, local_only), depth) as backtest:
            assert hft.feeds(backtest) == 200


@needs_cc
@needs_hft
def test_a_difference_is_noticed() -> None:
    """A best price that only hftbacktest was given makes the check fail."""
    markets = replay.Markets(synthetic(1, 20, 50), (0,), ((0, 0),))
    feeds = replay.kinds(markets.given)
    last = markets.given.events[-1]
    markets.given.data[last[AT] : last[AT] + 2] = markets.books.tops[0, BID_PRICE] + 1, 7
    with pytest.raises(AssertionError, match="other best levels after event 49"):
        replay.check(markets, feeds)


@pytest.mark.recordings
def test_recorded_books_are_never_crossed(recordings: Path) -> None:
    """Changes that came before a file's snapshot and are newer than it count, as the recording's description says."""
    markets = replay.recording(20_000)
    for k in range(0, 20_000, 50):
        markets.replay(k, k + 50)
        b = int(markets.given.events[k + 49, BOOK])
        assert kernels.is_valid(markets.books, b)
        assert markets.books.tops[b, BID_PRICE] < markets.books.tops[b, ASK_PRICE]


@needs_cc
def test_every_case_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Books alone and with features are measured; without hftbacktest the row with the goal says what is missing."""
    alone, whole = replay.rows(Scale(tiny=True))
    assert alone["ratio"]["c books"] > 0 and alone["events_per_s"]["ours"] > 0
    if hft.module() is not None:
        assert whole["ratio"]["hftbacktest"] > 0 and whole["goal"] == {"ratio": 1.0, "reference": "hftbacktest"}
    monkeypatch.setattr(hft, "module", lambda: None)
    monkeypatch.setattr(books, "RECORDINGS", Path("nowhere"))
    alone, whole = replay.rows(Scale(tiny=True))
    assert list(alone["references"]) == ["c books"] and "hftbacktest" in whole["skipped"]
    assert alone["case"].startswith("made up")

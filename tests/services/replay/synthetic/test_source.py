"""The synthetic market."""

from __future__ import annotations

import numpy as np
import pytest

from libs.sending.chunk import ASKS, AT, BIDS, BOOK, FEED_US, FLAGS, ID, KIND, PRICE, PRICE_EXP, SRC, TRADE
from libs.sending.listing import EXCHANGE, TICK, TICK_EXP, symbol_of
from services.replay.synthetic.source import SyntheticSource
from services.replay.synthetic.state import LOG_PRICE, PRESSURE

Played = tuple[np.ndarray, np.ndarray]


def play(source: SyntheticSource, messages: int) -> list[Played]:
    """Return copies of the chunks of about so many messages after the snapshots, and of the snapshots."""
    found: list[Played] = []
    made = 0
    for c in source.chunks():
        n, m = c.used.tolist()
        found.append((c.events[:n].copy(), c.levels[:m].copy()))
        made += n
        if made >= messages:
            return found
    return found


def test_same_seed_same_events() -> None:
    """Seed and settings decide every event; another seed, another market."""
    first, again, other = (play(SyntheticSource(5, 3, seed, 1000.0, 4.0), 3000) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) and np.array_equal(x, y) for (a, x), (b, y) in zip(first, again, strict=True))
    assert any(not np.array_equal(x, y) for (_, x), (_, y) in zip(first, other, strict=False))


@pytest.mark.parametrize(("rate", "levels"), [(500.0, 2.0), (5000.0, 4.0), (50_000.0, 12.0)])
def test_rate_and_mean_levels_are_kept(rate: float, levels: float) -> None:
    """Messages take exactly their share of time, and their updates have the mean that was asked for."""
    chunks = [c for c in play(SyntheticSource(10, 5, 3, rate, levels), 30_000) if not (c[0][:, FLAGS] & 1).all()][1:]
    events = np.concatenate([e for e, _ in chunks])
    span = events[-1, SRC] - events[0, SRC]
    assert abs(span / 1000 / len(events) - 1) < 0.01
    updates = np.where(events[:, KIND] == BOOK, events[:, BIDS] + events[:, ASKS], 1).sum()
    assert abs(updates / len(events) / levels - 1) < 0.03
    seconds = (events[-1, FEED_US] - events[0, FEED_US]) / 1e6
    assert abs(len(events) / seconds / rate - 1) < 0.01


def test_arrivals_burst() -> None:
    """Messages come in bursts: gaps vary more than those of a Poisson process."""
    events = np.concatenate([e for e, _ in play(SyntheticSource(10, 5, 3, 5000.0, 4.0), 30_000)[2:]])
    gaps = np.diff(np.unique(events[:, SRC])).astype(float)
    assert gaps.std() > 1.1 * gaps.mean()


def test_trades_hit_the_touch_from_both_sides() -> None:
    """A print is at the best ask when the buyer took, at the best bid when the seller did."""
    source = SyntheticSource(3, 2, 5, 1000.0, 4.0)
    books: dict[int, tuple[dict[int, int], dict[int, int]]] = {}
    sides = [0, 0]
    for events, levels in play(source, 8000):
        for e in events:
            book = books.setdefault(int(e[ID]), ({}, {}))
            if e[KIND] == TRADE:
                bought = int(e[FLAGS])
                sides[bought] += 1
                assert e[PRICE] == (min(book[1]) if bought else max(book[0]))
                continue
            for k in range(int(e[BIDS] + e[ASKS])):
                price, size = levels[e[AT] + 2 * k : e[AT] + 2 * k + 2].tolist()
                side = book[0 if k < e[BIDS] else 1]
                side.update({price: size}) if size else side.pop(price, None)
            assert max(book[0]) < min(book[1])
            assert 10 <= len(book[0]) <= 120
    assert min(sides) > 100


def test_exchanges_cross_each_other_seldom() -> None:
    """At a moment few symbols have a bid on one exchange above an offer on another, yet some have."""
    symbols, venues = 20, 5
    books: list[tuple[dict[int, int], dict[int, int]]] = [({}, {}) for _ in range(symbols * venues)]
    tops = np.zeros((symbols * venues, 2))
    crossed = []
    for events, levels in play(SyntheticSource(symbols, venues, 1, 2000.0, 4.0), 24_000):
        changes = events[events[:, KIND] == BOOK]
        for e in changes:
            for k in range(int(e[BIDS] + e[ASKS])):
                price, size = levels[e[AT] + 2 * k : e[AT] + 2 * k + 2].tolist()
                side = books[e[ID]][0 if k < e[BIDS] else 1]
                side.update({price: size}) if size else side.pop(price, None)
            bids, asks = books[e[ID]]
            tops[e[ID]] = max(bids) * 10.0 ** e[PRICE_EXP], min(asks) * 10.0 ** e[PRICE_EXP]
        if not changes[:, FLAGS].any():
            by_symbol = tops.reshape(symbols, venues, 2)
            crossed.append((by_symbol[:, :, 0].max(1) > by_symbol[:, :, 1].min(1)).mean())
    assert len(crossed) > 30
    assert 0 < np.mean(crossed) < 0.03


def test_every_book_has_its_exchanges_own_tick() -> None:
    """Each symbol is listed on every exchange; ticks differ between exchanges."""
    source = SyntheticSource(30, 5, 1, 1000.0, 4.0)
    listing = source.listing
    names = {symbol_of(listing, row) for row in range(150)}
    assert len(names) == 30
    assert listing.rows[:10, EXCHANGE].tolist() == [0, 1, 2, 3, 4] * 2
    ticks = {tuple(listing.rows[row, [TICK, TICK_EXP]]) for row in range(5)}
    assert len(ticks) > 1


def test_queue_imbalance_leads_the_price_a_little() -> None:
    """Over five seconds the mid follows the pressure in the book: learnable, yet mostly noise."""
    source = SyntheticSource(1, 1, 11, 200.0, 4.0)
    market = source._market
    signal, price = [], []
    for _ in zip(range(6000), source.chunks(), strict=False):
        signal.append(float(market.symbols[0, PRESSURE]))
        price.append(float(market.symbols[0, LOG_PRICE]))
    # A chunk is a quarter of a second or 64 messages, whichever is longer: about 0.32 s.
    ahead = np.array(price[16:]) - np.array(price[:-16])
    correlation = np.corrcoef(np.array(signal[:-16]), ahead)[0, 1]
    assert 0.05 < correlation < 0.6

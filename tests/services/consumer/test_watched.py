"""The watch list: which symbols are in it, and nothing that is not valid."""

from __future__ import annotations

import numpy as np
import pytest

from libs.engine import state
from libs.market.exchanges import EXCHANGES
from libs.market.symbol_table import t_register
from libs.streams.schemas import FEATURES, NBBO
from libs.telemetry.segment import Segment
from services.consumer.watched import COLUMNS, FEATURE_NAMES, FIRST_HEARD, QUOTE, Watched, watch_of

SYMBOLS = [f"S{n}-USDT" for n in range(FIRST_HEARD + 2)]


def _watched(names: tuple[str, ...] = ()) -> tuple[Segment, Watched]:
    spec = state.spec(ring_capacity=1024, max_books=64, max_symbols=32, depth=16)
    segment = Segment.create("consumer", [], extra=spec, watch=watch_of(names))
    watched = Watched(segment, segment.arrays, names)
    for symbol in SYMBOLS:
        for exchange in (0, 3):
            t_register(watched.table, exchange, symbol)
    return segment, watched


def _hear(segment: Segment, *books: int) -> None:
    segment.arrays["heard"][list(books)] = 1


def _names(segment: Segment) -> list[tuple[str, str]]:
    return [segment.watched(row) for row in range(segment.watch.rows) if segment.watched(row)[0]]


def test_the_first_that_are_heard_are_watched_where_none_is_named() -> None:
    """A symbol of the configuration that the feed never speaks of takes no place; later ones find the table full."""
    segment, watched = _watched()
    _hear(segment, 2)
    watched.update()
    assert _names(segment) == [("S1-USDT", ""), ("S1-USDT", "binance")]
    _hear(segment, *range(2 * len(SYMBOLS)))
    watched.update()
    assert len({symbol for symbol, _ in _names(segment)}) == FIRST_HEARD
    assert ("S1-USDT", "okx") in _names(segment)


def test_named_symbols_are_watched_and_no_others() -> None:
    """The list of the configuration is the list."""
    segment, watched = _watched(("S4-USDT",))
    _hear(segment, *range(2 * len(SYMBOLS)))
    watched.update()
    assert _names(segment) == [("S4-USDT", ""), ("S4-USDT", "binance"), ("S4-USDT", "okx")]
    assert segment.watch.rows == 1 + len(EXCHANGES)


def test_what_is_not_valid_is_not_a_number() -> None:
    """Features of a book that is not valid, and a quote with one side, are no numbers; they return with validity."""
    segment, watched = _watched(("S0-USDT",))
    _hear(segment, 0, 1)
    row = segment.arrays["out_features"][0].view(FEATURES)
    row["valid"], row["spread_bps"] = 1, 2.5
    quote = segment.arrays["out_nbbo"][0].view(NBBO)
    quote["bid_exchanges"], quote["ask_exchanges"] = 1, 8
    quote["bid_price"], quote["ask_price"], quote["price_exponent"] = 9_990, 10_010, -2
    watched.update()
    book = 1 + 0
    assert segment.watch_values[0, :QUOTE].tolist() == pytest.approx([99.9, 100.1, 0.002])
    assert segment.watch_values[book, QUOTE + FEATURE_NAMES.index("spread_bps")] == 2.5
    assert np.isnan(segment.watch_values[1 + 3, QUOTE:]).all()
    row["valid"], quote["ask_exchanges"] = 0, 0
    watched.update()
    assert np.isnan(segment.watch_values).all()
    assert len(COLUMNS) == QUOTE + len(FEATURE_NAMES)

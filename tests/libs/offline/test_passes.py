"""A pass of a recording: a row an event, in order, of the books that plain dictionaries give."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from libs.features.kernels import NOT_FITTED
from libs.features.microprice import Table
from libs.offline import passes
from libs.offline.passes import Block, Pass
from libs.storage.recording import BinanceRecording
from libs.storage.source import RecordingSource
from libs.units import rescale
from libs.venues.events import BookEvent, TradeEvent
from tests.libs.storage.test_recording import EXPONENT, Book, apply

DATA = Path(__file__).resolve().parents[2] / "data/binance"
LEVELS = 25


def copied(block: Block) -> Block:
    return Block(*(array.copy() for array in block))


def blocks(levels: int = LEVELS) -> list[Block]:
    return [copied(block) for block in Pass(RecordingSource([DATA]), levels=levels).blocks()]


def joined(found: list[Block], name: str) -> np.ndarray:
    return np.concatenate([getattr(block, name) for block in found])


def levels_of(row: np.void, levels: np.ndarray, sides: np.ndarray) -> tuple[list[tuple[int, int]], ...]:
    """Return both sides of a row, best first, in units of 10^EXPONENT."""
    found = []
    for side in range(2):
        pairs = levels[2 * side : 2 * side + 2, : sides[side]].T.tolist()
        scaled = [
            (rescale(p, int(row["price_exponent"]), EXPONENT), rescale(q, int(row["size_exponent"]), EXPONENT))
            for p, q in pairs
        ]
        found.append(scaled)
    return tuple(found)  # type: ignore[return-value]


def best_first(book: Book) -> tuple[list[tuple[int, int]], ...]:
    bids = sorted(book[0].items(), reverse=True)[:LEVELS]
    return bids, sorted(book[1].items())[:LEVELS]


def test_every_event_gives_its_row_and_its_levels() -> None:
    """Rows come one an event and symbol, in order, none conflated, with the book as it was right after the event."""
    found = blocks()
    rows, levels, sides = (joined(found, name) for name in ("features", "levels", "sides"))
    books: dict[str, Book] = {}
    at: dict[str, list[int]] = {}
    for place, symbol in enumerate(rows["symbol"].tolist()):
        at.setdefault(symbol.decode(), []).append(place)
    taken: dict[str, int] = {}
    for _, event in BinanceRecording([DATA]).events():
        if not isinstance(event, BookEvent):
            continue
        book = books.setdefault(event.symbol, ({}, {}))
        apply(book, event)
        k = at[event.symbol][taken.get(event.symbol, 0)]
        taken[event.symbol] = taken.get(event.symbol, 0) + 1
        assert levels_of(rows[k], levels[k], sides[k]) == best_first(book)
        assert rows["feed_ts_us"][k] == event.feed_ts_us and rows["events"][k] == 1 and rows["valid"][k] == 1
    assert taken == {symbol: len(places) for symbol, places in at.items()}
    assert len(rows) > 100


def test_trades_come_as_they_were_recorded() -> None:
    """All of them, with their own ids, in the order of their channel."""
    trades = joined(blocks(), "trades")
    expected = [event for _, event in BinanceRecording([DATA]).events() if isinstance(event, TradeEvent)]
    assert trades["trade_id"].tolist() == [event.trade_id for event in expected]
    assert (np.diff(trades["sequence"].astype(np.int64)) > 0).all()
    assert len(expected) > 10


def test_two_passes_are_the_same_to_the_bit() -> None:
    """Also where blocks end elsewhere; only the moment of computing differs."""
    first = blocks()
    passes_rows = passes.ROWS
    try:
        passes.ROWS = 200
        second = blocks()
    finally:
        passes.ROWS = passes_rows
    assert len(second) > len(first)
    for name in ("features", "trades", "status", "levels", "sides"):
        one, other = joined(first, name), joined(second, name)
        for column in ("book_ts_ns",):
            if column in (one.dtype.names or ()):
                one[column] = other[column] = 0
        assert one.tobytes() == other.tobytes()


def test_a_fitted_microprice_is_in_the_rows() -> None:
    """mid + tick × G by bucket and spread instead of the WAP, and no row says that none was fitted."""
    table = Table("binance", "BTC-USDT", (1, -2), np.array([[-0.5, -0.25], [0.5, 0.25]]))
    found = [copied(block) for block in Pass(RecordingSource([DATA]), levels=1, tables=[table]).blocks()]
    rows = joined(found, "features")
    rows = rows[rows["symbol"] == b"BTC-USDT"]
    assert len(rows) > 50
    assert not (rows["notes"] & NOT_FITTED).any()
    narrow = np.rint((rows["best_ask"] - rows["best_bid"]) * 100) == 0
    size = np.where(narrow, 0.5, 0.25) * 0.01
    larger = np.where(rows["bid_size"] >= rows["ask_size"], 1, -1)
    mid = (rows["best_bid"] + rows["best_ask"]) / 2
    np.testing.assert_allclose(rows["microprice"], mid + larger * size, rtol=1e-12)
    (plain,) = {tuple(block.features["notes"][:1]) for block in blocks(1)[:1]}
    assert plain[0] & NOT_FITTED

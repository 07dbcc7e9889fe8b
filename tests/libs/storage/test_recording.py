"""Binance recordings as events, checked against the venue's own ticker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from libs.storage.collector import Line
from libs.storage.recording import BinanceRecording
from libs.units import parse_decimal, rescale
from libs.venues.events import BookEvent, Event, TradeEvent

EXPONENT = -8
Book = tuple[dict[int, int], dict[int, int]]


def apply(book: Book, event: BookEvent) -> None:
    """Change a dict book, in units of 1e-8, exactly."""
    if event.snapshot:
        book[0].clear()
        book[1].clear()
    for k in range(event.bids + event.asks):
        side = book[0 if k < event.bids else 1]
        price = rescale(int(event.levels[2 * k]), event.price_exponent, EXPONENT)
        size = rescale(int(event.levels[2 * k + 1]), event.size_exponent, EXPONENT)
        assert price is not None
        assert size is not None
        if size:
            side[price] = size
        else:
            side.pop(price, None)


def text_of(value: str) -> int:
    exact = rescale(*parse_decimal(value), EXPONENT)
    assert exact is not None
    return exact


class Checked(BinanceRecording):
    """A recording that plays into dict books; bookTicker is compared wherever its update id is the book's."""

    def __init__(self, paths: list[Path]) -> None:
        super().__init__(paths)
        self.books: dict[str, Book] = {}
        self.trades: dict[str, int] = {}
        self.agreed: dict[str, int] = {}
        self.crossed = 0
        times = [ns for ns, _ in self.events()]
        assert times == sorted(times)

    def _events_of(self, line: Line) -> list[Event]:
        events = super()._events_of(line)
        for event in events:
            if isinstance(event, BookEvent):
                book = self.books.setdefault(event.symbol, ({}, {}))
                apply(book, event)
                self.crossed += bool(book[0] and book[1] and max(book[0]) >= min(book[1]))
            elif isinstance(event, TradeEvent):
                self.trades[event.symbol] = self.trades.get(event.symbol, 0) + 1
        for feed in self.feeds.values():
            ticker: Any = self.tickers.pop(feed.symbol, None)
            if ticker is not None and feed.splice.book_id == ticker.u:
                self.compare(feed.symbol, ticker)
            elif ticker is not None and feed.splice.book_id < ticker.u:
                self.tickers[feed.symbol] = ticker
        return events

    def compare(self, symbol: str, ticker: Any) -> None:
        """Compare the best prices with the venue's statement about the same update."""
        bids, asks = self.books[symbol]
        bid, ask = max(bids), min(asks)
        assert (bid, bids[bid], ask, asks[ask]) == tuple(map(text_of, (ticker.b, ticker.B, ticker.a, ticker.A)))
        self.agreed[symbol] = self.agreed.get(symbol, 0) + 1


@pytest.mark.recordings
def test_nexousdt_ends_with_the_book_that_its_description_states(recordings: Path) -> None:
    """Both days are one stream; the last book, levels and trades are those counted independently."""
    replayed = Checked([recordings / "binance/nexousdt_202407"])
    bids, asks = replayed.books["NEXO-USDT"]
    assert (len(bids), len(asks)) == (310, 815)
    tops = [(p, bids[p]) for p in sorted(bids, reverse=True)[:3]] + [(p, asks[p]) for p in sorted(asks)[:3]]
    stated = [
        "1.221",
        "29.88",
        "1.220",
        "183.77",
        "1.219",
        "456.93",
        "1.223",
        "131.67",
        "1.224",
        "2461.28",
        "1.225",
        "1937.10",
    ]
    assert [v for level in tops for v in level] == [text_of(v) for v in stated]
    assert replayed.trades == {"NEXO-USDT": 178 + 12_280}
    assert replayed.crossed == 0
    assert replayed.bad.count == 0
    assert replayed.agreed["NEXO-USDT"] > 100


@pytest.mark.recordings
def test_spot_pair_is_spliced_where_its_snapshots_say(recordings: Path) -> None:
    """One kept delta for BTC, none for ETH; no gap, no crossing, and every shared ticker agrees."""
    folder = recordings / "binance/multi_20240808"
    replayed = Checked([folder / f"spot_{base}usdt_2024080{day}.gz" for base in ("btc", "eth") for day in (8, 9)])
    feeds = {f.symbol: f for f in replayed.feeds.values()}
    assert feeds["BTC-USDT"].counts["depth_kept"] == 1
    assert feeds["ETH-USDT"].counts["depth_kept"] == 0
    assert all(f.splice.gaps == 0 and f.counts["trade_gap"] == 0 for f in feeds.values())
    assert replayed.trades == {"BTC-USDT": 19_904, "ETH-USDT": 14_515}
    assert replayed.crossed == 0
    assert min(replayed.agreed[s] for s in feeds) > 500


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("name", "symbol", "kept"),
    [
        ("cm_btcusd_perp", "BTC-USD-PERP", 2),
        ("cm_ethusd_perp", "ETH-USD-PERP", 2),
        ("usdm_btcusdt", "BTC-USDT-PERP", 2),
        ("usdm_ethusdt", "ETH-USDT-PERP", 1),
    ],
)
def test_futures_keep_the_deltas_behind_their_snapshot(recordings: Path, name: str, symbol: str, kept: int) -> None:
    """The kept deltas are as counted independently, and no gap follows."""
    recording = BinanceRecording([recordings / f"binance/multi_20240808/{name}_20240808.gz"])
    for count, _ in enumerate(recording.events()):
        if count > 2000:
            break
    (feed,) = recording.feeds.values()
    assert (feed.symbol, feed.counts["depth_kept"], feed.splice.gaps) == (symbol, kept, 0)


def test_the_small_recordings_are_whole() -> None:
    """What the script wrote plays without a gap or a crossing and agrees with its own ticker at every update."""
    replayed = Checked([Path(__file__).resolve().parents[2] / "data/binance"])
    assert {f.symbol: f.splice.gaps for f in replayed.feeds.values()} == {"BTC-USDT": 0, "BTC-USD-PERP": 0}
    assert replayed.crossed == 0
    assert replayed.bad.count == 0
    assert min(replayed.agreed.values()) > 200


def test_bad_lines_are_named_and_the_rest_is_used(tmp_path: Path) -> None:
    """Not JSON, wrong fields, no levels, no data: each counts; a second round does not count them again."""
    good = json.dumps({"lastUpdateId": 1, "bids": [["1", "1"]], "asks": []})
    wrong_levels = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": 2, "u": 2, "b": [["x", "1"]], "a": []}
    bad_lines = [
        "{nonsense",
        '{"stream":"btcusdt@trade","data":{"s":"BTCUSDT"}}',
        json.dumps({"stream": "btcusdt@depth", "data": wrong_levels}),
        '{"stream":"btcusdt@depth"}',
    ]
    path = tmp_path / "btcusdt_20240808.dat"
    path.write_text("".join(f"1721749182850494 {line}\n" for line in [good, *bad_lines, good]))
    recording = BinanceRecording([path])
    assert len(list(recording.events())) == 1
    assert [b.line for b in recording.bad.examples] == [2, 3, 4, 5]
    assert recording.bad.examples[0].reason == "not JSON"
    assert len(list(recording.events())) == 1
    assert recording.bad.count == 4

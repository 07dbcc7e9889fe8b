"""Captures of HFTP as events: both lines, losses, parts, sessions."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.errors import RecordingError
from libs.storage.hftp import HftpCapture
from libs.storage.lines import BadLines
from libs.storage.mixed import MixedRecording
from libs.storage.pcap import PcapWriter
from libs.storage.source import RecordingSource
from libs.venues.events import BookEvent, StatusEvent, TradeEvent
from libs.wire.messages import Message, Status, encode_datagram
from tests.libs.engine.harness import LAST, REFRESH, SNAPSHOT, Feed

A, B = ("239.192.0.1", 9001), ("239.192.0.2", 9002)


def captured(path: Path, *datagrams: tuple[tuple[str, int], list[Message]]) -> Path:
    with PcapWriter(path) as writer:
        for k, (line, messages) in enumerate(datagrams):
            writer.put(10**18 + k, ("127.0.0.1", 5), line, encode_datagram(messages))
    return path


def told(path: Path, bad: BadLines | None = None) -> list[tuple[str, int, int]]:
    """Return (kind, levels or code or id, exchange) of every event."""
    found = []
    for _, exchange, e in HftpCapture([path]).events(bad or BadLines()):
        number = e.bids + e.asks if isinstance(e, BookEvent) else e.code if isinstance(e, StatusEvent) else e.trade_id
        found.append((type(e).__name__, number, exchange))
    return found


def test_both_lines_are_one_stream(tmp_path: Path) -> None:
    """Each message once, in order, whichever line brought it first; parts make one event."""
    feed = Feed()
    m = [
        feed.heartbeat(), feed.instrument(), feed.snapshot(), feed.trade(),
        feed.book(0, [(1, 1)], []), feed.book(LAST, [], [(20_000, 1), (20_001, 2)]),
        feed.book(SNAPSHOT | REFRESH | LAST, [], []),
    ]  # fmt: skip
    path = captured(tmp_path / "x.pcap", (A, m[:3]), (B, m[:2]), (A, m[5:]), (B, m[2:5]), (B, m[5:]))
    assert told(path) == [("BookEvent", 10, 0), ("TradeEvent", m[3].sequence, 0), ("BookEvent", 3, 0)]
    capture = HftpCapture([path])
    assert capture.exchanges == [0]
    assert str(capture.instruments[0, "BTC-USDT"]).startswith("binance BTC-USDT: tick 0.01, lot 0.001")
    events = [e for _, _, e in capture.events(BadLines())]
    assert events[0].feed_ts_us == m[2].feed_timestamp_us
    assert isinstance(events[0], BookEvent) and events[0].snapshot


def test_what_is_missing_makes_books_invalid(tmp_path: Path) -> None:
    """And is counted; the rest goes on."""
    feed = Feed()
    first = [feed.heartbeat(), feed.snapshot()]
    feed.book(LAST, [(1, 1)], [])
    third = [feed.book(LAST, [(2, 1)], []), feed.trade()]
    bad = BadLines()
    path = captured(tmp_path / "x.pcap", (A, first), (A, third))
    assert [kind for kind, *_ in told(path, bad)] == ["BookEvent", "StatusEvent", "BookEvent", "TradeEvent"]
    assert bad.count == 1
    assert "are missing" in bad.examples[0].reason


def test_states_are_played_again(tmp_path: Path) -> None:
    """Of a symbol as they are; of a venue for each of its books."""
    feed = Feed()
    messages = [feed.snapshot(), *(Status(*feed._head(), "BTC-USDT", code, "") for code in (3, 4, 6, 7, 8, 2))]
    messages.append(Status(*feed._head(), "", 1, ""))
    path = captured(tmp_path / "x.pcap", (A, messages))
    assert [number for kind, number, _ in told(path) if kind == "StatusEvent"] == [3, 4, 6, 7, 8, 2, 2]


def test_a_refresh_begins_a_book_and_is_no_event_otherwise(tmp_path: Path) -> None:
    """A capture that begins in the middle of a session, and one that lost something."""
    feed = Feed()
    refresh = feed.book(SNAPSHOT | REFRESH | LAST, [(1, 1)], [(9, 1)])
    again = feed.book(SNAPSHOT | REFRESH | LAST, [(1, 1)], [(9, 1)])
    path = captured(tmp_path / "x.pcap", (A, [refresh, again, feed.book(LAST, [(2, 1)], [])]))
    assert told(path) == [("BookEvent", 2, 0), ("BookEvent", 1, 0)]
    feed.trade()
    late = feed.book(SNAPSHOT | REFRESH | LAST, [(3, 1)], [])
    path = captured(tmp_path / "x.pcap", (A, [refresh, again]), (A, [late]))
    assert [kind for kind, *_ in told(path)] == ["BookEvent", "StatusEvent", "BookEvent"]


def test_another_session_begins_anew(tmp_path: Path) -> None:
    """Its sequences are its own."""
    one, two = Feed(), Feed(session=1_800_000_000_000_000_000)
    messages = [one.heartbeat(), one.snapshot(), one.trade(), two.heartbeat(), two.snapshot()]
    path = captured(tmp_path / "x.pcap", *((A, [m]) for m in messages))
    assert [kind for kind, *_ in told(path)] == ["BookEvent", "TradeEvent", "StatusEvent", "BookEvent"]


def test_a_capture_is_a_source(tmp_path: Path) -> None:
    """With its instruments, like any recording."""
    feed = Feed(exchange=3)
    path = captured(tmp_path / "x.pcap", (A, [feed.heartbeat(), feed.instrument(), feed.snapshot(), feed.trade()]))
    assert MixedRecording([path]).exchanges == [3]
    assert [int(chunk.used[0]) for chunk in RecordingSource([path]).chunks()] == [2]
    kinds = {type(e) for _, _, e in MixedRecording([path]).events()}
    assert kinds == {BookEvent, TradeEvent}


def test_a_capture_of_something_else(tmp_path: Path) -> None:
    """Said by name; bytes that make no sense are counted."""
    with PcapWriter(tmp_path / "x.pcap") as writer:
        writer.put(1, ("127.0.0.1", 5), A, b"hello, world, this is no market data")
    with pytest.raises(RecordingError, match="expected HFTP"):
        HftpCapture([tmp_path / "x.pcap"])

"""Snapshots of what was sent: exact, at their place in the channel, never inside an event."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from libs.recovery.history import History, begin, new_history, remember
from libs.recovery.mirror import PASSED_BY, Mirror
from libs.wire.messages import Message, OrderBook, decode_datagram, encode
from libs.wire.recovery import NO_SNAPSHOT, NOT_YET, OK, UNKNOWN_SESSION, UNKNOWN_SYMBOL
from services.replay.synthetic.source import SyntheticSource
from tests.libs.engine.harness import BAD, LAST, SESSION, SNAPSHOT, Feed
from tests.libs.sending.composed import Composed
from tests.oracles.hftp import BOOK, PlainBook, messages


class Sent:
    """A history that messages go into, and the mirror that follows it."""

    def __init__(self, **sizes: int) -> None:
        self.history: History = new_history(**sizes)
        begin(self.history, SESSION)
        self.mirror = Mirror(self.history, 64, 1024, 1472)

    def send(self, *sent: Message) -> None:
        for message in sent:
            data = np.frombuffer(encode(message), np.uint8)
            remember(self.history, message.exchange_id, message.sequence, data, 0, len(data))

    def levels(self, symbol: str = "BTC-USDT") -> tuple[int, dict[int, int], dict[int, int]]:
        status, sequence, count, body = self.mirror.snapshot(0, SESSION, symbol)
        assert status == OK
        parts, trouble = decode_datagram(body)
        assert trouble is None and len(parts) == count
        bids: dict[int, int] = {}
        asks: dict[int, int] = {}
        for part in parts:
            assert isinstance(part, OrderBook) and part.sequence == sequence and part.symbol == symbol
            bids |= dict(part.bids)
            asks |= dict(part.asks)
        return sequence, bids, asks


@pytest.fixture
def sent() -> Sent:
    """A session with an instrument and a snapshot."""
    found = Sent()
    found.feed = feed = Feed()  # type: ignore[attr-defined]
    found.send(feed.instrument(), feed.snapshot())
    return found


def test_a_snapshot_is_the_book_as_of_the_last_message(sent: Sent) -> None:
    """It holds every event sent so far, and names the last sequence of the channel, whatever that message was."""
    feed: Feed = sent.feed  # type: ignore[attr-defined]
    sent.send(feed.book(LAST, [(9_999, 77), (9_998, 0)], []), feed.trade())
    sequence, bids, asks = sent.levels()
    assert sequence == 4
    assert bids == {9_999: 77, 9_997: 12, 9_996: 13, 9_995: 14}
    assert len(asks) == 5


def test_inside_an_event_there_is_none(sent: Sent) -> None:
    """Between the parts of an event the answer is NOT_YET; after the last one the event is whole."""
    feed: Feed = sent.feed  # type: ignore[attr-defined]
    sent.send(feed.book(0, [(9_999, 77)], []))
    assert sent.mirror.snapshot(0, SESSION, "BTC-USDT")[0] == NOT_YET
    sent.send(feed.book(LAST, [], [(10_001, 88)]))
    _, bids, asks = sent.levels()
    assert (bids[9_999], asks[10_001]) == (77, 88)


def test_what_the_sender_doubts_is_not_shown(sent: Sent) -> None:
    """No snapshot of a book marked BAD, invalid, disconnected, of another multiplier, or at the session's end."""
    feed: Feed = sent.feed  # type: ignore[attr-defined]
    for message in (
        lambda: feed.status(2, "BTC-USDT"),
        lambda: feed.book(LAST | BAD, [(9_999, 1)], []),
        lambda: feed.status(1),
        lambda: feed.instrument(multiplier=5),
        lambda: feed.status(5),
    ):
        assert sent.mirror.snapshot(0, SESSION, "BTC-USDT")[0] == OK
        sent.send(message())
        assert sent.mirror.snapshot(0, SESSION, "BTC-USDT")[0] == NO_SNAPSHOT
        sent.send(feed.instrument(), feed.snapshot())
    sent.send(feed.status(3, "BTC-USDT"), feed.status(6))
    assert sent.mirror.snapshot(0, SESSION, "BTC-USDT")[0] == OK, "halted and mute books are right"


def test_unknown_symbols_and_sessions_are_named(sent: Sent) -> None:
    """What was never sent, or belongs to another session, has no snapshot; a new session begins with none."""
    assert sent.mirror.snapshot(0, SESSION, "ETH-USDT")[0] == UNKNOWN_SYMBOL
    assert sent.mirror.snapshot(1, SESSION, "BTC-USDT")[0] == UNKNOWN_SYMBOL
    assert sent.mirror.snapshot(0, SESSION - 1, "BTC-USDT")[0] == UNKNOWN_SESSION
    begin(sent.history, SESSION + 1)
    assert sent.mirror.snapshot(0, SESSION, "BTC-USDT")[0] == UNKNOWN_SESSION
    assert sent.mirror.snapshot(0, SESSION + 1, "BTC-USDT")[0] == NO_SNAPSHOT


def test_a_mirror_that_was_passed_by_waits_for_snapshots() -> None:
    """What was overwritten before it was followed may have touched any book of the channel."""
    sent, feed = Sent(messages=256, size=1 << 18), Feed()
    sent.send(feed.instrument(), feed.snapshot())
    assert sent.mirror.snapshot(0, SESSION, "BTC-USDT")[0] == OK
    sent.send(*(feed.trade() for _ in range(1000)))
    assert sent.mirror.snapshot(0, SESSION, "BTC-USDT")[0] == NO_SNAPSHOT
    assert sent.mirror.kernel_state.state[PASSED_BY] == sent.mirror.passed_by >= 1
    sent.send(feed.snapshot())
    assert sent.mirror.snapshot(0, SESSION, "BTC-USDT")[0] == OK


def test_snapshots_equal_an_independent_book_at_every_sequence() -> None:
    """A market through the real composer, numbered and remembered: each snapshot is the plain book at its sequence."""
    composed = Composed(SyntheticSource(6, 2, 7, 1000.0, 6.0), refresh_s=0.5)
    history = new_history()
    begin(history, SESSION)
    mirror = Mirror(history, 64, 1024, 1472)
    plain: dict[tuple[int, str], PlainBook] = {}
    following = [1] * 5
    compared = 0
    for data, rows in composed.batches(3000):
        for m, row in zip(messages(data), rows, strict=True):
            at = int(row[0])
            raw = np.frombuffer(data, np.uint8)[at : at + int(row[1])].copy()
            raw[4:12] = np.frombuffer(struct.pack("<q", following[m.exchange]), np.uint8)
            remember(history, m.exchange, following[m.exchange], raw, 0, len(raw))
            following[m.exchange] += 1
            if m.kind == BOOK:
                book = plain.setdefault((m.exchange, m.symbol), PlainBook())
                book.take(m)
                if following[m.exchange] % 7 == 0 and book.valid:
                    compared += _compare(mirror, m.exchange, m.symbol, book, following[m.exchange] - 1)
    assert compared > 200 and len(plain) == 12


def _compare(mirror: Mirror, exchange: int, symbol: str, book: PlainBook, last: int) -> int:
    status, sequence, count, body = mirror.snapshot(exchange, SESSION, symbol)
    if book.parts:
        assert status == NOT_YET
        return 0
    assert (status, sequence) == (OK, last)
    parts = list(messages(body))
    assert len(parts) == count and parts[0].body["flags"] & SNAPSHOT and parts[-1].body["flags"] & LAST
    for part in parts:
        book.take(part)
    return 1

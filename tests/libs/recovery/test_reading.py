"""An answer is believed only when each of its messages is what was asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from libs.recovery.reading import AnswerReader
from libs.wire.layout import BOOK_BAD, BOOK_LAST, BOOK_REFRESH, BOOK_SNAPSHOT
from libs.wire.messages import Heartbeat, Message, OrderBook, Status, Trade, encode
from libs.wire.recovery import (
    OK,
    RANGE,
    SNAPSHOT,
    Answer,
    MalformedRecoveryError,
    Request,
    decode_answer,
    encode_answer,
)
from tests.libs.recovery.model import SESSION

READER = AnswerReader()


def trade(sequence: int, exchange: int = 0) -> Trade:
    """Return a numbered message."""
    return Trade(sequence, 5, exchange, "BTC-USDT", 1, -2, -3, 9, 0, 5, 100, 5)


def part(flags: int, **changes: object) -> OrderBook:
    """Return a part of a snapshot as of 7."""
    return replace(
        OrderBook(7, 5, 0, "BTC-USDT", flags | BOOK_REFRESH, -2, -3, 0, 0, 5, ((100, 1),), ((101, 1),)), **changes
    )


def read_range(data: bytes, first: int = 3, last: int = 5) -> tuple[str, list[bytes]]:
    """Read an answer that says that it holds a range of channel 0."""
    request = Request(RANGE, 0, SESSION, 3, 5, 1)
    return READER.read(request, Answer(RANGE, 0, OK, SESSION, first, last, 1, last - first + 1, len(data)), data)


def read_snapshot(*parts: Message, count: int | None = None) -> tuple[str, list[bytes]]:
    """Read an answer that says that it holds a book as of 7."""
    data = b"".join(map(encode, parts))
    count = len(parts) if count is None else count
    request = Request(SNAPSHOT, 0, SESSION, 0, 0, 1, "BTC-USDT")
    return READER.read(request, Answer(SNAPSHOT, 0, OK, SESSION, 7, 7, 1, count, len(data)), data)


GOOD = [encode(trade(n)) for n in (3, 4, 5)]
FIRST, LAST = BOOK_SNAPSHOT, BOOK_LAST


def test_a_range_as_asked_is_one_delivery() -> None:
    """Whole messages in order, behind the prefix that names kind, exchange and session."""
    reason, [delivery] = read_range(b"".join(GOOD))
    assert reason == ""
    assert delivery == bytes([RANGE, 0, 0, 0, 0, 0, 0, 0]) + SESSION.to_bytes(8, "little") + b"".join(GOOD)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "wrong_count"),
        (b"".join(GOOD[:2]), "wrong_count"),
        (b"".join([*GOOD, encode(trade(6))]), "wrong_sequence"),
        (b"".join([GOOD[0], GOOD[2], GOOD[1]]), "wrong_sequence"),
        (b"".join([GOOD[0], GOOD[0], GOOD[1]]), "wrong_sequence"),
        (b"".join(GOOD)[:-1], "bad_message"),
        (b"".join(GOOD) + b"\0", "bad_message"),
        (b"\0" + b"".join(GOOD), "bad_message"),
        (b"".join([*GOOD[:2], encode(trade(5, 1))]), "wrong_channel"),
        (b"".join([*GOOD[:2], encode(Heartbeat(5, 0, SESSION + 1, 5, 5))]), "wrong_type"),
        (b"".join([*GOOD[:2], GOOD[2][:21] + b"\x63" + GOOD[2][22:]]), "wrong_type"),
        (b"".join([*GOOD[:2], encode(Status(5, 5, 0, "", 1, "x" * 60_000))]), "too_long"),
    ],
)
def test_a_range_that_is_something_else_is_refused(data: bytes, reason: str) -> None:
    """Missing, further, doubled, torn, foreign and unnumbered messages each have their reason; nothing gets through."""
    assert read_range(data) == (reason, [])


def test_an_answer_may_hold_the_beginning_only() -> None:
    """Less than was asked for is good, from the first message on."""
    assert read_range(GOOD[0], last=3)[0] == ""
    assert read_range(GOOD[1], first=4, last=4) == ("wrong_request", [])


def test_long_answers_are_cut_between_messages() -> None:
    """Deliveries hold at most 60,000 bytes, the longest message that fits included."""
    texts = [encode(Status(n, 5, 0, "", 1, "x" * (59_984 - 28 if n == 4 else 40))) for n in (3, 4, 5)]
    reason, deliveries = read_range(b"".join(texts))
    assert (reason, [delivery[16:] for delivery in deliveries]) == ("", texts)
    assert max(map(len, deliveries)) == 60_000


def test_a_snapshot_in_parts_is_one_delivery() -> None:
    """One part or several, the first and the last marked as such."""
    for parts in ([part(FIRST | LAST)], [part(FIRST), part(0), part(LAST)]):
        reason, [delivery] = read_snapshot(*parts)
        assert (reason, delivery[0], delivery[16:]) == ("", SNAPSHOT, b"".join(map(encode, parts)))


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([], "wrong_count"),
        ([part(FIRST)], "wrong_flags"),
        ([part(LAST)], "wrong_flags"),
        ([part(FIRST), part(FIRST | LAST)], "wrong_flags"),
        ([part(FIRST | LAST), part(LAST)], "wrong_flags"),
        ([part(FIRST | LAST | BOOK_BAD)], "wrong_flags"),
        ([replace(part(0), flags=FIRST | LAST)], "wrong_flags"),
        ([part(FIRST | LAST, sequence=8)], "wrong_sequence"),
        ([part(FIRST | LAST, exchange_id=1)], "wrong_channel"),
        ([part(FIRST | LAST, symbol="ETH-USDT")], "wrong_symbol"),
        ([part(FIRST | LAST, symbol="BTC-USD")], "wrong_symbol"),
        ([part(FIRST), trade(7)], "wrong_type"),
        ([part(FIRST if n == 0 else LAST if n == 2 else 0, bids=((100, 1),) * 1300) for n in range(3)], "too_long"),
    ],
)
def test_a_snapshot_that_is_something_else_is_refused(parts: list[Message], reason: str) -> None:
    """Another book, sequence or kind of message, or parts that do not make one whole, are refused."""
    assert read_snapshot(*parts) == (reason, [])


def test_parts_are_counted() -> None:
    """The header's count is the number of parts."""
    assert read_snapshot(part(FIRST | LAST), count=2) == ("wrong_count", [])


def test_half_an_answer_is_not_completed_by_the_next() -> None:
    """Messages that are not those that the sender summed up are no answer, though each byte count is right."""
    answer = Answer(RANGE, 0, OK, SESSION, 3, 5, 1, 3)
    data = encode_answer(answer, b"".join(GOOD))
    assert decode_answer(data)[1] == b"".join(GOOD)
    with pytest.raises(MalformedRecoveryError, match=r"checksum: expected [0-9a-f]{8}, found [0-9a-f]{8}"):
        decode_answer(data[:-9] + data)

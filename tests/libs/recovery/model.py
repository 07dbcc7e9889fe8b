"""What a sender has sent, and a server of it that can be told to misbehave: support for the tests of the client."""

from __future__ import annotations

from functools import cache

from libs.recovery.client import RecoveryClient
from libs.recovery.reading import PREFIX
from libs.recovery.wants import MS, Limits
from libs.wire.layout import BOOK_LAST, BOOK_REFRESH, BOOK_SNAPSHOT
from libs.wire.messages import Heartbeat, OrderBook, Status, Trade, decode_datagram, encode
from libs.wire.recovery import OK, RANGE, Answer, Request, decode_answer, encode_answer

SYMBOLS = ("BTC-USDT", "ETH-USDT")


@cache
def message(session: int, exchange: int, sequence: int) -> bytes:
    """Return what was sent under a sequence."""
    sent_us = session % 1000 * 1_000_000 + sequence
    symbol = SYMBOLS[sequence % 2]
    if sequence % 7 == 3:
        return encode(Status(sequence, sent_us, exchange, symbol, 3, "halted"))
    if sequence % 3 == 0:
        levels = tuple((100 + i, 5 + session % 10) for i in range(sequence % 4))
        return encode(
            OrderBook(sequence, sent_us, exchange, symbol, BOOK_LAST, -2, -3, 0, sent_us, sent_us, levels, ())
        )
    return encode(Trade(sequence, sent_us, exchange, symbol, 1, -2, -3, sequence, sent_us, sent_us, 100, 5))


@cache
def snapshot(session: int, exchange: int, symbol: str, sequence: int) -> bytes:
    """Return a book as of a sequence, in two parts."""
    sent_us = session % 1000 * 1_000_000 + sequence
    bids = tuple((100 - i, sequence) for i in range(3))
    parts = [
        OrderBook(sequence, sent_us, exchange, symbol, BOOK_SNAPSHOT | BOOK_REFRESH, -2, -3, 0, 0, sent_us, bids, ()),
        OrderBook(sequence, sent_us, exchange, symbol, BOOK_LAST | BOOK_REFRESH, -2, -3, 0, 0, sent_us, (), bids),
    ]
    return b"".join(map(encode, parts))


def messages(session: int, exchange: int, first: int, last: int) -> bytes:
    """Return what was sent from one sequence to another, both included."""
    return b"".join(message(session, exchange, sequence) for sequence in range(first, last + 1))


def answer_to(request: Request, last_sent: int, *, at_most: int = 1 << 20) -> bytes:
    """Return the right answer, of ``at_most`` messages."""
    if request.kind == RANGE:
        last = min(request.last, request.first + at_most - 1)
        data = messages(request.session, request.exchange, request.first, last)
        return _encode(request, request.first, last, last - request.first + 1, data)
    data = snapshot(request.session, request.exchange, request.symbol, last_sent)
    return _encode(request, last_sent, last_sent, 2, data)


def with_another(request: Request, sequence: int, by: int) -> bytes:
    """Return an answer that holds in place of one message that of a sequence farther on, or a heartbeat (0)."""
    parts = [message(request.session, request.exchange, n) for n in range(request.first, request.last + 1)]
    heartbeat = encode(Heartbeat(1, request.exchange, request.session + 1, sequence, 1))
    other = message(request.session, request.exchange, max(1, sequence + by)) if by else heartbeat
    parts[sequence - request.first] = other
    if other == message(request.session, request.exchange, sequence):
        return b""
    return _encode(request, request.first, request.last, len(parts), b"".join(parts))


def refusal(request: Request, status: int) -> bytes:
    """Return an answer that brings nothing but a status."""
    return encode_answer(Answer(request.kind, request.exchange, status, request.session, 0, 0, request.request_id))


def _encode(request: Request, first: int, last: int, count: int, data: bytes) -> bytes:
    answer = Answer(request.kind, request.exchange, OK, request.session, first, last, request.request_id, count)
    return encode_answer(answer, data)


def split(delivery: bytes) -> tuple[int, int, int, list[bytes]]:
    """Return kind, exchange, session and messages of a delivery."""
    kind, exchange, zero, also_zero, session = PREFIX.unpack_from(delivery)
    assert zero == also_zero == 0
    found, error = decode_datagram(delivery[PREFIX.size :])
    assert error is None and found
    return kind, exchange, session, list(map(encode, found))


SESSION = 77
SMALL = Limits(
    messages=8,
    requests_per_second=20,
    in_flight=5,
    wants=12,
    held=2,
    held_ns=300 * MS,
    buffer_bytes=4096,
    want_ns=2000 * MS,
    snapshot_timeout_ns=40 * MS,
)
SENT = 60


class Rig:
    """A client, the position of its receiver, and a clock."""

    def __init__(self, limits: Limits = SMALL) -> None:
        self.now_ns = 1
        self.session = [SESSION, SESSION]
        self.expected = [1, 1]
        self.client = RecoveryClient(limits, lambda exchange: (self.session[exchange], self.expected[exchange]))

    def want(self, first: int, last: int) -> None:
        """Want a range of channel 0."""
        self.client.want_range(0, SESSION, first, last, self.now_ns)

    def due(self) -> list[Request]:
        """Return what is due now."""
        return self.client.due(self.now_ns)

    def answer(self, data: bytes) -> None:
        """Hand a whole answer in."""
        answer, rest = decode_answer(data)
        self.client.on_answer(answer, rest, self.now_ns)

    def delivered(self) -> list[bytes]:
        """Return what comes out now."""
        return self.client.deliveries(self.now_ns)

    def count(self, name: str) -> int:
        """Return a counter."""
        return self.client.counters[name]

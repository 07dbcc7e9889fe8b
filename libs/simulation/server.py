"""A recovery server in plain Python: right answers from what was sent, or, when asked to, wrong ones."""

from __future__ import annotations

import random
import struct
from bisect import bisect_right
from dataclasses import replace

from libs.simulation.schedule import LinkPlan
from libs.simulation.sender import HEADER_STRUCT, Sent, Session
from libs.simulation.source import SIZE_EXPONENT
from libs.simulation.truth import State, Truth
from libs.wire.layout import MAGIC
from libs.wire.recovery import (
    BAD_RANGE,
    NO_SNAPSHOT,
    NOT_YET,
    OK,
    RANGE,
    TOO_MANY,
    TOO_OLD,
    UNKNOWN_CHANNEL,
    UNKNOWN_SESSION,
    UNKNOWN_SYMBOL,
    Answer,
    Request,
    encode_answer,
)

MESSAGES = 1024
LEVELS_A_PART = 40
_BODY = struct.Struct("<BbbBHHqq")
_LEVEL = struct.Struct("<qq")


class Server:
    """What every session of a schedule would answer."""

    def __init__(self, link: LinkPlan, sessions: list[Session], truth: Truth) -> None:
        self.link, self.truth = link, truth
        self.sessions = {session.life.number: session for session in sessions}
        self.sent: dict[tuple[int, int], list[Sent]] = {}
        for session in sessions:
            for channel in session.plan.channels:
                self.sent[session.life.number, channel] = []
            for message in session.messages:
                self.sent[session.life.number, message.channel].append(message)
        self.times = {key: [sent.at_ns for sent in messages] for key, messages in self.sent.items()}

    def is_up(self, now_ns: int) -> bool:
        """Return whether any session lives."""
        return any(each.life.start_ns <= now_ns < each.life.end_ns for each in self.sessions.values())

    def answer(self, request: Request, now_ns: int) -> bytes:
        """Return a complete answer."""
        answer, data = self._right(request, now_ns)
        return encode_answer(answer, data)

    def _right(self, request: Request, now_ns: int) -> tuple[Answer, bytes]:
        none = Answer(request.kind, request.exchange, OK, request.session, 0, 0, request.request_id)
        session = self.sessions.get(request.session)
        if session is None or not session.life.start_ns <= now_ns < session.life.end_ns:
            return replace(none, status=UNKNOWN_SESSION), b""
        if (request.session, request.exchange) not in self.sent:
            return replace(none, status=UNKNOWN_CHANNEL), b""
        known = bisect_right(self.times[request.session, request.exchange], now_ns)
        if request.kind == RANGE:
            return self._range(request, none, known)
        return self._snapshot(request, none, known)

    def _range(self, request: Request, none: Answer, known: int) -> tuple[Answer, bytes]:
        first, last = request.first, min(request.last, known)
        if first < 1 or request.last < first:
            return replace(none, status=BAD_RANGE), b""
        if request.last - first >= MESSAGES:
            return replace(none, status=TOO_MANY), b""
        if first > known:
            return replace(none, status=NOT_YET), b""
        if first <= known - self.link.history:
            return replace(none, status=TOO_OLD), b""
        data = b"".join(sent.data for sent in self.sent[request.session, request.exchange][first - 1 : last])
        return replace(none, first=first, last=last, count=last - first + 1), data

    def _snapshot(self, request: Request, none: Answer, known: int) -> tuple[Answer, bytes]:
        book = self.truth.books.get((request.session, request.exchange, request.symbol))
        if book is None:
            return replace(none, status=UNKNOWN_SYMBOL), b""
        sequence = book.between_events(known)
        state = book.at(sequence)
        if sequence < 1 or not state.valid:
            return replace(none, status=NO_SNAPSHOT), b""
        stamp_us = struct.unpack_from("<q", self.sent[request.session, request.exchange][sequence - 1].data, 12)[0]
        parts = snapshot_parts(request, state, sequence, stamp_us)
        return replace(none, first=sequence, last=sequence, count=len(parts)), b"".join(parts)


def snapshot_parts(request: Request, state: State, sequence: int, stamp_us: int) -> list[bytes]:
    """Return a book as a sender's own copy: what it knows of it, in parts."""
    name = request.symbol.encode()
    head = HEADER_STRUCT.pack(MAGIC, sequence, stamp_us, request.exchange, 0, len(name)) + name
    sides: list[list[tuple[int, int]]] = []
    cut = 0
    for side in range(2):
        end, sign = state.ends[side], 1 - 2 * side
        levels = sorted(state.sides[side].items(), reverse=side == 0)
        sides.append([each for each in levels if end is None or sign * each[0] >= sign * end])
        cut |= (1 << side) if end is not None else 0
    tagged = [(0, each) for each in sides[0]] + [(1, each) for each in sides[1]]
    pieces = [tagged[k : k + LEVELS_A_PART] for k in range(0, len(tagged), LEVELS_A_PART)] or [[]]
    parts = []
    for k, piece in enumerate(pieces):
        flags = 8 | (1 if k == 0 else 0) | (2 if k == len(pieces) - 1 else 0)
        bids = sum(side == 0 for side, _ in piece)
        body = _BODY.pack(flags, state.exponent, SIZE_EXPONENT, 0 if k else cut, bids, len(piece) - bids, 0, stamp_us)
        parts.append(head + body + b"".join(_LEVEL.pack(*level) for _, level in piece))
    return parts


def falsified(rng: random.Random, data: bytes, header: int) -> bytes:
    """Return an answer that is wrong in a way that the receiver can find out.

    A right answer to the request with another book's prices in it can't be told: TCP's checksum stands against damage,
    and a server is configured, hence trusted.

    Parameters
    ----------
    header : int
        Bytes before the messages.
    """
    kind = rng.randrange(7)
    out = bytearray(data)
    if kind == 0:
        out[rng.randrange(4)] ^= 0xFF
    elif kind == 1:
        # Another request's id.
        out[32:36] = rng.getrandbits(32).to_bytes(4, "little")
    elif kind == 2:
        out[8 + rng.randrange(6)] ^= 1 << rng.randrange(8)
    elif kind == 3 and len(out) > header + 24:
        out[header + 4] ^= 1 << rng.randrange(8)
    elif kind == 4 and len(out) > header + 24:
        out[header + 20] = (out[header + 20] + 1) % 5
    elif kind == 5 and len(out) > header + 24:
        out[header + rng.randrange(4)] ^= 0xFF
    else:
        out[36:40] = rng.randint(2000, 1 << 30).to_bytes(4, "little")
    return bytes(out)

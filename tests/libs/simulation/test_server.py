"""The simulator's recovery server answers as wire.md says, and its wrong answers are wrong."""

from __future__ import annotations

import random

import pytest

from libs.sending.outbox import new_outbox
from libs.simulation.schedule import MS, LinkPlan, draw
from libs.simulation.sender import play
from libs.simulation.server import Server, falsified
from libs.simulation.truth import Truth
from libs.wire.messages import decode_datagram
from libs.wire.recovery import (
    ANSWER_BYTES,
    BAD_RANGE,
    NOT_YET,
    OK,
    RANGE,
    SNAPSHOT,
    TOO_MANY,
    TOO_OLD,
    UNKNOWN_SESSION,
    UNKNOWN_SYMBOL,
    Answer,
    MalformedRecoveryError,
    Request,
    decode_answer,
)

PLAN = next(p for p in map(draw, range(1, 99)) if len(p.sessions) == 1)
CHANNEL = PLAN.channels[0]
NUMBER = PLAN.sessions[0].number
LATE = PLAN.sessions[0].end_ns - MS


@pytest.fixture(scope="module")
def server() -> Server:
    """Everything of a schedule's only session."""
    sessions = play(PLAN, new_outbox(1))
    return Server(LinkPlan(history=60), sessions, Truth(sessions))


def _ask(server: Server, first: int, last: int, now: int = LATE, session: int = NUMBER) -> tuple[Answer, bytes]:
    found = decode_answer(server.answer(Request(RANGE, CHANNEL, session, first, last, 7), now))
    assert found is not None and found[0].request_id == 7
    return found


def test_ranges_are_what_was_sent(server: Server) -> None:
    """A range comes exactly as sent, up to what is sent by now."""
    known = len([t for t in server.times[NUMBER, CHANNEL] if t <= LATE])
    answer, data = _ask(server, known - 9, known + 5)
    assert (answer.status, answer.first, answer.last, answer.count) == (OK, known - 9, known, 10)
    assert [m.sequence for m in decode_datagram(data)[0]] == list(range(known - 9, known + 1))
    assert data == b"".join(sent.data for sent in server.sent[NUMBER, CHANNEL][known - 10 : known])


@pytest.mark.parametrize(
    ("first", "last", "session", "status"),
    [(0, 4, NUMBER, BAD_RANGE), (9, 8, NUMBER, BAD_RANGE), (1, 2, NUMBER, TOO_OLD), (1, 5000, 3, UNKNOWN_SESSION),
     (10**6, 10**6, NUMBER, NOT_YET), (10, 5000, NUMBER, TOO_MANY)],
)  # fmt: skip
def test_what_cannot_be_had_is_refused(first: int, last: int, session: int, status: int, server: Server) -> None:
    """Each reason has its status, and no messages come with it."""
    answer, data = _ask(server, first, last, session=session)
    assert (answer.status, data) == ((BAD_RANGE if last < first or first == 0 else status), b"")


def test_a_snapshot_is_the_book_between_events(server: Server) -> None:
    """A snapshot's parts, as of one sequence, are the book at it."""
    name = PLAN.symbol_names[0]
    found = decode_answer(server.answer(Request(SNAPSHOT, CHANNEL, NUMBER, 0, 0, 7, name), LATE))
    assert found is not None
    answer, data = found
    parts = decode_datagram(data)[0]
    assert answer.status == OK and len(parts) == answer.count
    assert {m.sequence for m in parts} == {answer.first} == {answer.last}
    state = server.truth.books[NUMBER, CHANNEL, name].at(answer.last)
    bids = {p: s for m in parts for p, s in m.bids}  # type: ignore[union-attr]
    end = state.ends[0]
    assert bids == {p: s for p, s in state.sides[0].items() if end is None or p >= end}
    assert parts[0].flags & 1 and parts[-1].flags & 2  # type: ignore[union-attr]
    other = decode_answer(server.answer(Request(SNAPSHOT, CHANNEL, NUMBER, 0, 0, 7, "NO-SUCH"), LATE))
    assert other is not None and other[0].status == UNKNOWN_SYMBOL


def test_wrong_answers_differ_from_right_ones(server: Server) -> None:
    """A falsified answer never says what the right one says."""
    rng = random.Random(5)
    known = len([t for t in server.times[NUMBER, CHANNEL] if t <= LATE])
    right = server.answer(Request(RANGE, CHANNEL, NUMBER, known - 5, known, 7), LATE)
    for _ in range(200):
        wrong = falsified(rng, right, ANSWER_BYTES)
        try:
            assert decode_answer(wrong) != decode_answer(right)
        except MalformedRecoveryError:
            continue

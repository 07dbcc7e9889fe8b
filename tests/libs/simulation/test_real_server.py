"""The recovery server of libs.recovery beside the simulator's plain one: the same messages for the same requests."""

from __future__ import annotations

import random

from libs.sending.outbox import new_outbox
from libs.simulation.real_server import Parts, RealServer
from libs.simulation.schedule import LinkPlan, draw
from libs.simulation.sender import play
from libs.simulation.server import Server
from libs.simulation.truth import Truth
from libs.wire.recovery import OK, RANGE, SNAPSHOT, Request, decode_answer


def test_ranges_are_the_same_and_snapshots_of_the_same_books() -> None:
    """Over some schedules, at random moments; a snapshot may be of another sequence, and then of another book."""
    parts, compared = Parts(), 0
    for seed in range(1, 25):
        plan, rng = draw(seed), random.Random(seed)
        sessions = play(plan, new_outbox(1))
        truth = Truth(sessions)
        plain, real = Server(LinkPlan(), sessions, truth), RealServer(LinkPlan(), sessions, truth, parts)
        for now in sorted(rng.randrange(plan.sessions[-1].end_ns) for _ in range(30)):
            if not plain.is_up(now):
                continue
            session = rng.choice(sessions).life.number
            channel = rng.choice(plan.channels)
            first = rng.randint(0, 200)
            request = Request(RANGE, channel, session, first, first + rng.choice((-1, 0, 3, 50)), 7)
            ours, theirs = (decode_answer(server.answer(request, now)) for server in (real, plain))
            assert ours is not None and theirs is not None
            answered = [(each[0].status == OK, each[1]) for each in (ours, theirs)]
            assert answered[0] == answered[1], (seed, now, request)
            compared += answered[0][0]
            book = Request(SNAPSHOT, channel, session, 0, 0, 8, plan.symbol_names[0])
            ours, theirs = (decode_answer(server.answer(book, now)) for server in (real, plain))
            if ours and theirs and ours[0].status == theirs[0].status == OK:
                assert ours[0].first >= theirs[0].first
                compared += 1
    assert compared > 100

"""Whatever a server does, the recovery client delivers nothing but the truth that it asked for, within its limits."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.recovery.wants import FOREVER, MS
from libs.wire.recovery import RANGE, SNAPSHOT, STATUSES, MalformedRecoveryError, Request, decode_answer
from tests.libs.recovery import model
from tests.libs.recovery.model import SENT, SMALL, Rig

STEPS = 120
ACTIONS = {
    "want_range": 5,
    "want_book": 3,
    "wait": 4,
    "serve": 10,
    "bytes_arrive": 3,
    "receiver_moves": 2,
    "session_changes": 0.3,
    "disconnect": 0.3,
}
KINDS = {
    "right": 4,
    "part": 2,
    "twice": 1,
    "status": 1,
    "other": 1,
    "swapped": 1,
    "changed": 1,
    "cut": 0.3,
    "lost": 0.5,
}


def pick(random: Random, weights: dict[str, float]) -> str:
    """Return a name, as often as its weight says."""
    return random.choices(list(weights), list(weights.values()))[0]


class World:
    """A client, and a server that loses, delays, repeats, cuts, changes, swaps; connections break at any byte."""

    def __init__(self, random: Random) -> None:
        self.random, self.rig = random, Rig()
        self.asked: set[tuple[int, int, int]] = set()
        self.asked_books: set[tuple[int, int, str]] = set()
        self.sent_ns: list[int] = []
        self.pending: list[Request] = []
        self.stream, self.arrived = bytearray(), bytearray()

    def want_range(self) -> None:
        """Want up to 20 messages."""
        exchange, first = self.random.randrange(2), self.random.randint(1, SENT)
        last = min(first + self.random.randrange(20), SENT)
        self.rig.client.want_range(exchange, self.rig.session[exchange], first, last, self.rig.now_ns)

    def want_book(self) -> None:
        """Want a snapshot."""
        exchange = self.random.randrange(2)
        symbol = self.random.choice(model.SYMBOLS)
        self.rig.client.want_snapshot(exchange, self.rig.session[exchange], symbol, self.rig.now_ns)

    def wait(self) -> None:
        """Let time pass."""
        waits = {"1": 2, "100000": 3, "1000000": 3, "2000000": 3, "7000000": 2, "60000000": 0.5, "1100000000": 0.3}
        self.rig.now_ns += int(pick(self.random, waits))

    def receiver_moves(self) -> None:
        """Let the lines bring something."""
        exchange = self.random.randrange(2)
        self.rig.expected[exchange] = min(self.rig.expected[exchange] + self.random.randint(1, 6), SENT)

    def session_changes(self) -> None:
        """Begin a session."""
        exchange = self.random.randrange(2)
        self.rig.session[exchange] += 1
        self.rig.expected[exchange] = 1

    def serve(self) -> None:
        """Answer some request somehow; mostly at once."""
        if not self.pending:
            return
        request = self.pending.pop(self.random.randrange(len(self.pending)))
        self.stream += self._answer(request, pick(self.random, KINDS))
        if self.random.random() < 0.7:
            self._arrive(len(self.stream))

    def _answer(self, request: Request, kind: str) -> bytes:
        random = self.random
        answer = model.answer_to(request, random.randint(1, self.rig.expected[request.exchange] + 3))
        if kind == "part":
            return model.answer_to(request, SENT, at_most=random.randint(1, 4))
        if kind == "twice":
            return answer * 2
        if kind == "status":
            return model.refusal(request, random.randrange(1, len(STATUSES)))
        if kind == "other":
            by = random.choice((-1, 1, SENT))
            changes = {"first": max(1, request.first + by), "last": request.last + by}
            return model.answer_to(Request(**(vars(request) | changes)), SENT)
        if kind == "swapped" and request.kind == RANGE:
            return model.with_another(request, random.randint(request.first, request.last), random.choice((-1, 0, 1)))
        if kind == "changed":
            at = random.randrange(len(answer))
            return answer[:at] + bytes([answer[at] ^ random.randint(1, 255)]) + answer[at + 1 :]
        if kind == "cut":
            return answer[: random.randrange(len(answer))]
        return b"" if kind == "lost" else answer

    def bytes_arrive(self) -> None:
        """Let some of what the server wrote arrive."""
        self._arrive(self.random.randint(0, len(self.stream)))

    def _arrive(self, n: int) -> None:
        self.arrived += self.stream[:n]
        del self.stream[:n]
        try:
            while (found := decode_answer(self.arrived)) is not None:
                answer, messages = found
                del self.arrived[: 48 + len(messages)]
                self.rig.client.on_answer(answer, messages, self.rig.now_ns)
        except MalformedRecoveryError:
            self.rig.client.on_malformed(self.rig.now_ns)
            self.disconnect()
        if self.rig.client.is_distrusted:
            self.disconnect()

    def disconnect(self) -> None:
        """Lose the connection, and what was on its way."""
        self.pending.clear()
        self.stream.clear()
        self.arrived.clear()
        self.rig.client.on_disconnect(self.rig.now_ns)

    def look(self) -> None:
        """Take what is due and what comes out; everything must be as promised."""
        # Twice: a snapshot that was let go of makes room for another request.
        for _ in range(2):
            for request in self.rig.due():
                self._note(request)
            for delivery in self.rig.delivered():
                self._check(delivery)
        client, now_ns = self.rig.client, self.rig.now_ns
        assert client.in_flight <= SMALL.in_flight
        assert client.wanted <= SMALL.wants
        assert client.buffered_bytes <= SMALL.buffer_bytes
        assert client.backoff.until_ns - now_ns <= SMALL.longest_backoff_ns
        assert client.next_due_ns(now_ns) > now_ns

    def _note(self, request: Request) -> None:
        self.pending.append(request)
        self.sent_ns.append(self.rig.now_ns)
        if len(self.sent_ns) > SMALL.requests_per_second:
            assert self.sent_ns[-1] - self.sent_ns[-1 - SMALL.requests_per_second] >= 1000 * MS
        if request.kind == SNAPSHOT:
            self.asked_books.add((request.session, request.exchange, request.symbol))
            return
        assert 1 <= request.first <= request.last < request.first + SMALL.messages
        sequences = range(request.first, request.last + 1)
        self.asked |= {(request.session, request.exchange, sequence) for sequence in sequences}

    def _check(self, delivery: bytes) -> None:
        """Asked for, as it was sent, of the present session, and the receiver has reached it."""
        assert len(delivery) <= 60_000
        kind, exchange, session, found = model.split(delivery)
        assert session == self.rig.session[exchange]
        if kind == SNAPSHOT:
            sequence = int.from_bytes(found[0][4:12], "little")
            assert sequence < self.rig.expected[exchange]
            books = [symbol for s, e, symbol in self.asked_books if (s, e) == (session, exchange)]
            assert delivery[16:] in [model.snapshot(session, exchange, book, sequence) for book in books]
            return
        for message in found:
            sequence = int.from_bytes(message[4:12], "little")
            assert (session, exchange, sequence) in self.asked
            assert message == model.message(session, exchange, sequence)


@settings(max_examples=100)
@given(st.randoms(use_true_random=True))
def test_only_the_truth_is_delivered_within_the_limits(random: Random) -> None:
    """At every step; and in the end nothing is wanted any more, though the server never answers again."""
    world = World(random)
    for _ in range(STEPS):
        getattr(world, pick(random, ACTIONS))()
        world.look()
    rig = world.rig
    deadline_ns = rig.now_ns + SMALL.want_ns + 2000 * MS
    while (next_ns := rig.client.next_due_ns(rig.now_ns)) < FOREVER:
        rig.now_ns = next_ns
        world.look()
        assert rig.now_ns <= deadline_ns
    assert rig.client.wanted == rig.client.in_flight == rig.client.buffered_bytes == 0

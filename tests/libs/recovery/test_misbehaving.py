"""Whatever a server does, the recovery client delivers nothing but the truth that it asked for, within its limits."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from libs.recovery.wants import FOREVER, MS
from libs.wire.recovery import SNAPSHOT, STATUSES, MalformedRecoveryError, Request, decode_answer
from tests.libs.recovery import model
from tests.libs.recovery.model import SENT, SMALL, Rig


class Misbehaving(RuleBasedStateMachine):
    """A server that loses, delays, repeats, cuts, changes and invents; a connection that breaks at any byte."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig()
        self.asked: set[tuple[int, int, int]] = set()
        self.asked_books: set[tuple[int, int, str]] = set()
        self.sent_ns: list[int] = []
        self.pending: list[Request] = []
        self.stream = bytearray()
        self.arrived = bytearray()

    @rule(exchange=st.integers(0, 1), first=st.integers(1, SENT), length=st.integers(1, 20))
    def want_range(self, exchange: int, first: int, length: int) -> None:
        session = self.rig.session[exchange]
        self.rig.client.want_range(exchange, session, first, min(first + length - 1, SENT), self.rig.now_ns)

    @rule(exchange=st.integers(0, 1), symbol=st.sampled_from(model.SYMBOLS))
    def want_snapshot(self, exchange: int, symbol: str) -> None:
        self.rig.client.want_snapshot(exchange, self.rig.session[exchange], symbol, self.rig.now_ns)

    @rule(wait_ns=st.sampled_from([1, MS // 10, MS, 7 * MS, 60 * MS, 1100 * MS]))
    def wait(self, wait_ns: int) -> None:
        self.rig.now_ns += wait_ns

    @rule(exchange=st.integers(0, 1), by=st.integers(1, 15))
    def receiver_moves(self, exchange: int, by: int) -> None:
        self.rig.expected[exchange] += by

    @rule(exchange=st.integers(0, 1))
    def session_changes(self, exchange: int) -> None:
        self.rig.session[exchange] += 1
        self.rig.expected[exchange] = 1

    @precondition(lambda self: self.pending)
    @rule(data=st.data(), kind=st.sampled_from(["right", "part", "twice", "status", "other", "changed", "cut", "lost"]))
    def serve(self, data: st.DataObject, kind: str) -> None:
        request = self.pending.pop(data.draw(st.integers(0, len(self.pending) - 1)))
        answer = model.answer_to(request, data.draw(st.integers(1, SENT)))
        if kind == "part":
            answer = model.answer_to(request, SENT, at_most=data.draw(st.integers(1, 4)))
        elif kind == "twice":
            answer += answer
        elif kind == "status":
            answer = model.refusal(request, data.draw(st.integers(1, len(STATUSES) - 1)))
        elif kind == "other":
            changes = {"first": request.first + data.draw(st.integers(1, 3)), "last": request.last + 3}
            answer = model.answer_to(Request(**(vars(request) | changes)), SENT)
        elif kind == "changed":
            at = data.draw(st.sampled_from(model.bytes_that_tell(answer)))
            answer = answer[:at] + bytes([answer[at] ^ data.draw(st.integers(1, 255))]) + answer[at + 1 :]
        elif kind == "cut":
            answer = answer[: data.draw(st.integers(0, len(answer) - 1))]
        self.stream += b"" if kind == "lost" else answer

    @precondition(lambda self: self.stream)
    @rule(share=st.floats(0, 1))
    def bytes_arrive(self, share: float) -> None:
        n = max(1, int(len(self.stream) * share))
        self.arrived += self.stream[:n]
        del self.stream[:n]
        self._decode()

    def _decode(self) -> None:
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

    @rule()
    def disconnect(self) -> None:
        self.pending.clear()
        self.stream.clear()
        self.arrived.clear()
        self.rig.client.on_disconnect(self.rig.now_ns)

    def _note(self, request: Request) -> None:
        self.pending.append(request)
        self.sent_ns.append(self.rig.now_ns)
        if request.kind == SNAPSHOT:
            self.asked_books.add((request.session, request.exchange, request.symbol))
            return
        assert 1 <= request.first <= request.last < request.first + SMALL.messages
        sequences = range(request.first, request.last + 1)
        self.asked |= {(request.session, request.exchange, sequence) for sequence in sequences}

    @invariant()
    def holds(self) -> None:
        """After every step."""
        self.only_truth_is_delivered()
        # A snapshot that was let go of makes room for another request.
        self.only_truth_is_delivered()
        self.limits_hold()

    def only_truth_is_delivered(self) -> None:
        """What comes out was asked for, is what was sent, is of the session, and the receiver has reached it."""
        for request in self.rig.due():
            self._note(request)
        for delivery in self.rig.delivered():
            assert len(delivery) <= 60_000
            kind, exchange, session, found = model.split(delivery)
            if kind == SNAPSHOT:
                sequence = int.from_bytes(found[0][4:12], "little")
                assert sequence < self.rig.expected[exchange] and session == self.rig.session[exchange]
                books = [symbol for s, e, symbol in self.asked_books if (s, e) == (session, exchange)]
                assert delivery[16:] in [model.snapshot(session, exchange, book, sequence) for book in books]
                continue
            for message in found:
                sequence = int.from_bytes(message[4:12], "little")
                assert (session, exchange, sequence) in self.asked
                assert message == model.message(session, exchange, sequence)

    def limits_hold(self) -> None:
        """At every step everything is bounded, and the client never asks to be called at once for nothing."""
        client, now_ns = self.rig.client, self.rig.now_ns
        assert client.in_flight <= SMALL.in_flight
        assert client.wanted <= SMALL.wants
        assert client.buffered_bytes <= SMALL.buffer_bytes
        assert client.backoff.until_ns - now_ns <= SMALL.longest_backoff_ns
        assert client.next_due_ns(now_ns) > now_ns
        for at, sent_ns in enumerate(self.sent_ns[SMALL.requests_per_second :]):
            assert sent_ns - self.sent_ns[at] >= 1000 * MS

    def teardown(self) -> None:
        """Nothing is wanted for ever, though the server never answers again."""
        deadline_ns = self.rig.now_ns + SMALL.want_ns + 2000 * MS
        while (next_ns := self.rig.client.next_due_ns(self.rig.now_ns)) < FOREVER:
            self.rig.now_ns = next_ns
            self.holds()
            assert self.rig.now_ns <= deadline_ns
        assert self.rig.client.wanted == self.rig.client.in_flight == self.rig.client.buffered_bytes == 0


Misbehaving.TestCase.settings = settings(stateful_step_count=40)
test_misbehaving_server = Misbehaving.TestCase

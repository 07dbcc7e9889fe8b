"""The recovery connection of a consumer: the real client, a server, and a virtual TCP link between them."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

import numpy as np

from libs.recovery.client import RecoveryClient
from libs.recovery.wants import Limits
from libs.sequencing import state as seq
from libs.simulation.receiver import MONO_NS, Receiver
from libs.simulation.schedule import MS, LinkPlan
from libs.simulation.server import Server, falsified
from libs.wire.recovery import ANSWER_BYTES, RANGE, MalformedRecoveryError, decode_answer

RECONNECT_NS = 10 * MS


class Link:
    """A client and its one connection."""

    def __init__(
        self, plan: LinkPlan, receiver: Receiver, server: Server, seed: int, faults_end_ns: int,
        trace: Callable[[int, str], None],
    ) -> None:  # fmt: skip
        self.plan, self.receiver, self.server, self.trace = plan, receiver, server, trace
        self.rng, self.faults_end = random.Random(seed), faults_end_ns
        self.client = RecoveryClient(Limits(), self._position)
        self.up, self.connects_ns = False, 0
        self.answers: list[tuple[int, int, bytes]] = []
        self.count = 0
        self.room = np.zeros((64, 8), np.int64)

    def _position(self, exchange: int) -> tuple[int, int]:
        row = self.receiver.arrays["sequencer_channels"][exchange]
        return int(row[seq.SESSION]), int(row[seq.EXPECTED])

    def _is_faulty(self, now_ns: int) -> bool:
        return now_ns < self.faults_end

    def is_busy(self) -> bool:
        """Return whether anything is wanted, under way or to be handed on."""
        return bool(self.client.wanted or self.answers or self.client.buffered_bytes)

    def poll(self, now_ns: int) -> list[bytes]:
        """Let the client take its turn; return what it hands to the engine."""
        mono = MONO_NS + now_ns
        self._take_wants(mono)
        self._connect(now_ns)
        while self.up and self.answers and self.answers[0][0] <= now_ns:
            self._read(heapq.heappop(self.answers)[2], now_ns)
        if self.up and self.client.wanted:
            for request in self.client.due(mono):
                self.trace(now_ns, f"asks {'range' if request.kind == RANGE else request.symbol} {request.exchange}: "
                                   f"{request.first}..{request.last}")  # fmt: skip
                self.count += 1
                data = self.server.answer(request, now_ns)
                wait = int(self.rng.expovariate(1 / self.plan.latency_ns))
                heapq.heappush(self.answers, (now_ns + self.plan.latency_ns // 4 + wait, self.count, data))
        return self.client.deliveries(mono)

    def _take_wants(self, mono: int) -> None:
        for words in self.receiver.requests("range", self.room):
            self.client.want_range(words[1], words[2], words[3], words[4], mono)
        for words in self.receiver.requests("snapshot", self.room):
            channel, symbol = self.receiver.books()[words[5]]
            self.client.want_snapshot(channel, words[2], symbol, mono)

    def _connect(self, now_ns: int) -> None:
        reachable = self.server.is_up(now_ns) and not self.plan.dead
        if self.up and not reachable:
            self.drop(now_ns)
        elif not self.up and reachable and now_ns >= self.connects_ns:
            self.up = True

    def drop(self, now_ns: int) -> None:
        """Lose the connection, and what was under way."""
        if self.up:
            self.trace(now_ns, "recovery connection closed")
            self.up = False
            self.answers.clear()
            self.client.on_disconnect(MONO_NS + now_ns)
        self.connects_ns = now_ns + RECONNECT_NS

    def _read(self, data: bytes, now_ns: int) -> None:
        if self._is_faulty(now_ns):
            if self.rng.random() < self.plan.closes:
                self.drop(now_ns)
                return
            if self.rng.random() < self.plan.wrong:
                data = falsified(self.rng, data, ANSWER_BYTES)
        try:
            found = decode_answer(data)
        except MalformedRecoveryError:
            found = None
        if found is None:
            # What follows in the stream can't be found any more.
            self.drop(now_ns)
            return
        answer, messages = found
        self.trace(now_ns, f"answer of kind {answer.kind} status {answer.status}: {answer.first}..{answer.last}")
        self.client.on_answer(answer, messages, MONO_NS + now_ns)

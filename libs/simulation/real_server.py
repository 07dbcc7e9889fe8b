"""The sender's own recovery server, fed with what a schedule's sender has put on the lines so far."""

from __future__ import annotations

import numpy as np

from libs.recovery.history import begin, new_history, remember
from libs.recovery.mirror import Mirror
from libs.recovery.server import Limits, RecoveryServer
from libs.simulation.receiver import MONO_NS
from libs.simulation.schedule import LinkPlan
from libs.simulation.sender import Session
from libs.simulation.server import Server
from libs.simulation.truth import Truth
from libs.wire.recovery import Request

MESSAGES, BYTES = 4096, 4 << 20
BOOKS, DEPTH, MTU = 32, 256, 1400
NOBODY = 1
"""The number of a session that no schedule has."""


class Parts:
    """A history, the mirror that follows it and the core that answers; used again by one schedule after the other."""

    def __init__(self) -> None:
        self.history = new_history(MESSAGES, BYTES)
        self.mirror = Mirror(self.history, BOOKS, DEPTH, MTU)
        self.core = RecoveryServer(self.history, self.mirror, Limits())

    def begin_anew(self) -> None:
        """Forget an earlier schedule, whose sessions may have had the same numbers."""
        begin(self.history, NOBODY)
        self.mirror.follow()
        self.core.forget("the receiver")


class RealServer(Server):
    """Answers out of the history, as libs.recovery does live."""

    def __init__(self, link: LinkPlan, sessions: list[Session], truth: Truth, parts: Parts) -> None:
        super().__init__(link, sessions, truth)
        self.parts = parts
        parts.begin_anew()
        self.session, self.remembered = 0, 0

    def answer(self, request: Request, now_ns: int) -> bytes:
        """Return a complete answer."""
        self._catch_up(now_ns)
        return self.parts.core.answer(request, MONO_NS + now_ns, "the receiver")

    def _catch_up(self, now_ns: int) -> None:
        for number, session in self.sessions.items():
            if not session.life.start_ns <= now_ns < session.life.end_ns:
                continue
            if number != self.session:
                begin(self.parts.history, number)
                self.session, self.remembered = number, 0
            messages = session.messages
            while self.remembered < len(messages) and messages[self.remembered].at_ns <= now_ns:
                sent = messages[self.remembered]
                data = np.frombuffer(sent.data, np.uint8)
                remember(self.parts.history, sent.channel, sent.sequence, data, 0, len(data))
                self.remembered += 1

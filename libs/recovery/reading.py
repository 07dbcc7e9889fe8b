"""From an answer to deliveries: only what a request asked for gets through."""

from __future__ import annotations

import struct
from itertools import pairwise

import numpy as np

from libs.recovery.checks import CODES, MAX_PIECES, WRONG_COUNT, check_range, check_snapshot
from libs.wire.recovery import OK, RANGE, Answer, Request

PREFIX = struct.Struct("<BBHIQ")
"""Before the messages of a delivery: kind, exchange, 0, 0, session."""
SEQUENCES = 1 << 63
"""Sequences and sessions are below it."""

REFUSALS = (*CODES[1:], "malformed", "unknown_request", "wrong_request", "unexpected_messages", "no_room")
"""Why an answer is not believed, or cannot be taken."""


class AnswerReader:
    """Checks answers; keeps the kernels' scratch."""

    def __init__(self) -> None:
        self._scratch, self._ends = np.zeros(16, np.int64), np.zeros(MAX_PIECES, np.int64)

    def read(self, request: Request, answer: Answer, messages: bytes) -> tuple[str, list[bytes]]:
        """Return why an answer is refused, or "" and its deliveries (none when it brings no messages).

        Parameters
        ----------
        request : Request
            The one with the answer's id.
        """
        if (answer.kind, answer.exchange) != (request.kind, request.exchange):
            return "wrong_request", []
        if answer.status != OK:
            return "unexpected_messages" if messages or answer.count else "", []
        if answer.session != request.session:
            return "wrong_request", []
        prefix = PREFIX.pack(request.kind, request.exchange, 0, 0, request.session)
        if request.kind == RANGE:
            return self._read_range(request, answer, messages, prefix)
        return self._read_snapshot(request, answer, messages, prefix)

    def _read_range(self, request: Request, answer: Answer, messages: bytes, prefix: bytes) -> tuple[str, list[bytes]]:
        if answer.first != request.first or not answer.first <= answer.last <= request.last:
            return "wrong_request", []
        if answer.count != answer.last - answer.first + 1:
            return CODES[WRONG_COUNT], []
        data = np.array(memoryview(messages), np.uint8)
        code, pieces = check_range(
            data, len(data), request.exchange, answer.first, answer.last, self._scratch, self._ends
        )
        ends = [0, *self._ends[:pieces].tolist()]
        return CODES[code] if code else "", [prefix + messages[start:end] for start, end in pairwise(ends)]

    def _read_snapshot(
        self, request: Request, answer: Answer, messages: bytes, prefix: bytes
    ) -> tuple[str, list[bytes]]:
        if answer.first != answer.last or not 0 < answer.last < SEQUENCES:
            return "wrong_request", []
        data = np.array(memoryview(messages), np.uint8)
        symbol = np.array(bytearray(request.symbol.encode()), np.uint8)
        code = check_snapshot(data, len(data), request.exchange, answer.last, answer.count, symbol, self._scratch)
        return (CODES[code], []) if code else ("", [prefix + messages])

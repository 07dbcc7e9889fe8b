"""Faults of a recovery server, injected on purpose: a receiver must heal without it, and believe nothing of it."""

from __future__ import annotations

from typing import NamedTuple

from libs.wire.recovery import ANSWER_BYTES, decode_answer, encode_answer

MODES = ("on", "off", "slow", "wrong", "close")
"""As it should be; dead; answers late; answers wrongly (another range, a byte of a message, a message's sequence under
a right checksum, in turn); closes within an answer."""
SLOW_S = 0.2
_FIRST = 16
"""Offset of ``first`` in an answer."""
_SEQUENCE = 4
"""Offset of the sequence in a message."""
_STEP = 7919


class Handling(NamedTuple):
    """What becomes of an answer."""

    data: bytes
    delay_s: float = 0.0
    close: bool = False


class Faults:
    """The mode in force; any thread may set it.

    Attributes
    ----------
    mode : str
        One of MODES.
    injected : int
        Answers that were not given as they should be.
    """

    def __init__(self) -> None:
        self.mode = "on"
        self.injected = 0

    def handle(self, answer: bytes) -> Handling:
        """Return what is to be sent instead of an answer."""
        mode = self.mode
        if mode == "on":
            return Handling(answer)
        self.injected += 1
        if mode == "slow":
            return Handling(answer, SLOW_S)
        if mode == "wrong":
            return Handling(self._wrong(answer))
        return Handling(answer[: len(answer) // 2], close=True)

    def _wrong(self, answer: bytes) -> bytes:
        data, turn = bytearray(answer), self.injected % 3
        if turn == 0 or len(data) == ANSWER_BYTES:
            data[_FIRST] ^= 0x07
        elif turn == 1:
            data[ANSWER_BYTES + self.injected * _STEP % (len(data) - ANSWER_BYTES)] ^= 0x55
        else:
            head, messages = decode_answer(answer) or (None, b"")
            changed = bytearray(messages)
            changed[_SEQUENCE] ^= 0x07
            return encode_answer(head, bytes(changed)) if head else answer
        return bytes(data)

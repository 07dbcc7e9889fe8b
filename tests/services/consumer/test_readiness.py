"""When the consumer says that it does its work."""

from __future__ import annotations

from libs.streams.writer import PackedWriter
from services.consumer.readiness import PATIENCE_S, Heard, Readiness


class Writer(PackedWriter):
    """A writer whose connection a test sets."""

    def __init__(self, connected: bool) -> None:
        self._is = connected

    @property
    def connected(self) -> bool:
        return self._is

    @property
    def last_error(self) -> str:
        return "Connection refused"


def heard(datagrams: int, valid: int = 0, books: int = 30, session_open: bool = True) -> Heard:
    return Heard(datagrams, books, valid, session_open)


def test_it_is_ready_before_the_feed_speaks_and_after_its_end() -> None:
    """Senders wait for the consumer, so it does not wait for them; a session that ended leaves nothing to do."""
    readiness = Readiness()
    assert readiness.problem(Writer(True), heard(0, books=0, session_open=False), 1e6) == ""
    assert readiness.problem(Writer(True), heard(500, session_open=False), 1e6 + 1) == ""
    assert readiness.problem(Writer(True), heard(500, session_open=False), 1e6 + 100) == ""


def test_redis_must_take_what_is_written() -> None:
    """The reason is Redis's own."""
    assert Readiness().problem(Writer(False), heard(1, 30), 1.0) == "Redis is not writable: Connection refused"


def test_silence_in_an_open_session_is_not_ready() -> None:
    """Senders say every 100 ms that they live; ten seconds of nothing is a reason, one datagram ends it."""
    readiness, writer = Readiness(), Writer(True)
    assert readiness.problem(writer, heard(7, 30), 100.0) == ""
    assert readiness.problem(writer, heard(7, 30), 100.0 + PATIENCE_S) == ""
    assert readiness.problem(writer, heard(7, 30), 102.0 + PATIENCE_S) == "no datagram for 12 s in an open session"
    assert readiness.problem(writer, heard(8, 30), 103.0 + PATIENCE_S) == ""


def test_no_valid_book_for_long_is_not_ready() -> None:
    """A moment without a valid book is a start or a new session; longer is a reason, and one valid book ends it."""
    readiness, writer = Readiness(), Writer(True)
    for second in range(int(PATIENCE_S) + 1):
        assert readiness.problem(writer, heard(second), 100.0 + second) == ""
    assert readiness.problem(writer, heard(90), 101.0 + PATIENCE_S) == "none of 30 books has been valid for 11 s"
    assert readiness.problem(writer, heard(91, valid=1), 102.0 + PATIENCE_S) == ""
    assert readiness.problem(writer, heard(92), 103.0 + PATIENCE_S) == ""

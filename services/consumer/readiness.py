"""When the consumer does its work: Redis takes what it writes, and while a sender speaks some book is valid."""

from __future__ import annotations

from typing import NamedTuple

from libs.streams.writer import PackedWriter

PATIENCE_S = 10.0
"""A start, a new session or a loss leaves no book valid for a moment; snapshots come well within this."""


class Heard(NamedTuple):
    """What the feed has said so far: datagrams, books, how many of these are valid, and whether a session is open."""

    datagrams: int
    books: int
    valid: int
    session_open: bool


class Readiness:
    """Remembers since when nothing has been heard, and since when no book has been valid.

    Before the feed has spoken of any book, and after its session's proper end, the consumer is ready: senders wait for
    it, and would else wait for ever.
    """

    def __init__(self) -> None:
        self._datagrams = -1
        self._heard_s = 0.0
        self._invalid_s: float | None = None

    def problem(self, writer: PackedWriter, heard: Heard, now_s: float) -> str:
        """Return why the service cannot do its work; empty: it does it.

        Parameters
        ----------
        writer : PackedWriter
        heard : Heard
        now_s : float
            Monotonic.
        """
        if heard.datagrams != self._datagrams:
            self._datagrams, self._heard_s = heard.datagrams, now_s
        silent_s = now_s - self._heard_s
        if heard.valid or not heard.books or silent_s > 1.0:
            self._invalid_s = None
        elif self._invalid_s is None:
            self._invalid_s = now_s
        if not writer.connected:
            return f"Redis is not writable: {writer.last_error}"
        if heard.session_open and silent_s > PATIENCE_S:
            return f"no datagram for {silent_s:.0f} s in an open session"
        if self._invalid_s is not None and now_s - self._invalid_s > PATIENCE_S:
            return f"none of {heard.books} books has been valid for {now_s - self._invalid_s:.0f} s"
        return ""

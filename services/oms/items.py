"""The desk's queue: signals and commands before rows of the market, both bounded."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from libs.execution.rows import Rows
from libs.streams.reader import Record

MOST_ROWS = 64
MOST_URGENT = 256


@dataclass(frozen=True)
class Signals:
    """Signals that came; ``done`` is set once they were acted on, which acknowledges them."""

    records: list[Record]
    done: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Command:
    """Something that the control API asks the desk's thread to do."""

    act: Callable[[], Any]
    answer: Callable[[Any, Exception | None], None]


Item = Signals | Rows | Command


class Items:
    """What waits for the desk.

    A signal goes first: the lateness of its order counts, and a book too far behind it denies the order.
    """

    def __init__(self, most_rows: int = MOST_ROWS, most_urgent: int = MOST_URGENT) -> None:
        self._most_rows, self._most_urgent = most_rows, most_urgent
        self._urgent: deque[Signals | Command] = deque()
        self._rows: deque[Rows] = deque()
        self._changed = threading.Condition()

    def put(self, item: Signals | Command) -> bool:
        """Add something urgent; False when there is no room."""
        with self._changed:
            if len(self._urgent) >= self._most_urgent:
                return False
            self._urgent.append(item)
            self._changed.notify_all()
            return True

    def put_rows(self, rows: Rows, wait_s: float) -> bool:
        """Add rows, waiting for room; False when none came free in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._rows) < self._most_rows, wait_s):
                return False
            self._rows.append(rows)
            self._changed.notify_all()
            return True

    def take(self, wait_s: float) -> Item | None:
        """Return the next item, or None when none came in time."""
        with self._changed:
            if not self._urgent and not self._rows and wait_s > 0:
                self._changed.wait(wait_s)
            if self._urgent:
                return self._urgent.popleft()
            if not self._rows:
                return None
            if len(self._rows) == self._most_rows:
                self._changed.notify_all()
            return self._rows.popleft()

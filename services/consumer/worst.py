"""Which message took longest to its book, every 10 s: a tail with a name."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from libs.engine import columns
from libs.market.exchanges import EXCHANGES

WINDOW_S = 10.0
RECENT = 6


class Worst:
    """Takes what the book thread noted, once a window.

    Attributes
    ----------
    recent : deque of dict
        The latest windows' messages, newest last: ``latency_ns`` from the scheduled send to the book, ``wire_ns`` of it
        until the kernel had the datagram, ``exchange``, ``symbol``, ``sequence``, ``at_s`` (unix, when it was noted).
    """

    def __init__(self) -> None:
        self.recent: deque[dict[str, Any]] = deque(maxlen=RECENT)
        self._due = 0.0

    def take(
        self, arrays: Mapping[str, np.ndarray], now_s: float, name_of: Callable[[int], str]
    ) -> dict[str, Any] | None:
        """Return the window's worst message, or None: too early, or there was none.

        Parameters
        ----------
        arrays : mapping
            The engine's.
        now_s : float
            Monotonic.
        name_of : callable
            Book id → symbol.
        """
        if now_s < self._due:
            return None
        self._due = now_s + WINDOW_S
        totals = arrays["totals"]
        latency = int(totals[columns.WORST_NS])
        book = int(totals[columns.WORST_BOOK])
        sequence, wire = int(totals[columns.WORST_SEQUENCE]), int(totals[columns.WORST_WIRE_NS])
        # The book thread may note another in between: it is then of this window or of the next, and neither is wrong.
        totals[columns.WORST_NS] = 0
        if latency <= 0:
            return None
        exchange = EXCHANGES[int(arrays["table_book_exchange"][book])]
        found = {
            "latency_ns": latency,
            "wire_ns": wire,
            "exchange": exchange,
            "symbol": name_of(book),
            "sequence": sequence,
            "at_s": int(time.time()),
        }
        self.recent.append(found)
        return found

"""Structured logs: one event name a line, keys with units; JSON unless a person is watching."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import structlog

Line = MutableMapping[str, Any]
BURST = 10
WINDOW_S = 10.0
MOST_EVENTS = 256
NEVER_HELD = ("stats",)
"""Events that come at a pace of their own."""


@dataclass(slots=True)
class _Window:
    began: float
    passed: int = 0
    held: int = 0


class Repeats:
    """Let each event through :data:`BURST` times in :data:`WINDOW_S`, and say with a later line how many were left out.

    A fault that repeats a thousand times a second would else fill the disk and hide every other line. Events are told
    apart by name and level alone, since what they carry changes each time.
    """

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._windows: dict[tuple[str, str], _Window] = {}
        self.suppressed = 0

    def __call__(self, logger: Any, level: str, line: Line) -> Line:
        """Return the line, with what was left out before it (``suppressed``, by event).

        Raises
        ------
        structlog.DropEvent
            When the event has had its lines of this window.
        """
        now = self._monotonic_s()
        over = self._take_over(now)
        if over:
            line["suppressed"] = over
        event = str(line.get("event", ""))
        if event in NEVER_HELD:
            return line
        if len(self._windows) >= MOST_EVENTS and (event, level) not in self._windows:
            return line
        window = self._windows.setdefault((event, level), _Window(now))
        if window.passed < BURST or over:
            window.passed += 1
            return line
        window.held += 1
        self.suppressed += 1
        raise structlog.DropEvent

    def _take_over(self, now: float) -> dict[str, int]:
        """Forget windows that are over, and return how many lines of each event were left out in them."""
        over: dict[str, int] = {}
        for key, window in list(self._windows.items()):
            # Another thread may log at the same moment: what it took away is told by its line.
            if now - window.began >= WINDOW_S and self._windows.pop(key, None) is not None and window.held:
                over[key[0]] = over.get(key[0], 0) + window.held
        return over


_repeats = Repeats()


def suppressed() -> int:
    """Return how many lines this process left out because their event repeated."""
    return _repeats.suppressed


def configure(service: str, fmt: str = "auto") -> None:
    """Set up logging to stderr for a process.

    Parameters
    ----------
    service : str
        Bound to every line.
    fmt : str
        ``json``, ``console``, or ``auto``: console on a terminal.
    """
    console = fmt == "console" or (fmt == "auto" and sys.stderr.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            _repeats,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)


def get(service: str) -> Any:
    """Return a logger for a service."""
    return structlog.get_logger(service=service)

"""Structured logs: one event name a line, keys with units; JSON unless a person is watching."""

from __future__ import annotations

import sys
from typing import Any

import structlog


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

"""Figures as people read them."""

from __future__ import annotations

from typing import Any


def duration(ns: float) -> str:
    """Return nanoseconds with three digits and the unit that suits them."""
    for limit, unit, scale in ((1_000, "ns", 1), (1_000_000, "µs", 1e3), (1_000_000_000, "ms", 1e6)):
        if ns < limit:
            return f"{_digits(ns / scale)} {unit}"
    return f"{_digits(ns / 1e9)} s"


def _digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def count(value: float) -> str:
    """Return a whole number with separators."""
    return f"{value:,.0f}"


def compact(value: float) -> str:
    """Return a whole number in at most seven characters or so."""
    if value < 1e6:
        return f"{value:,.0f}"
    return f"{value / 1e6:,.1f} M" if value < 1e9 else f"{value / 1e9:,.1f} G"


def size(n_bytes: float) -> str:
    """Return bytes in MiB."""
    return f"{n_bytes / 2**20:,.0f} MiB"


def clock(seconds: float) -> str:
    """Return seconds as mm:ss, or h:mm:ss."""
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60:02d}:{rest % 60:02d}"


def price(text: Any) -> str:
    """Return a decimal string with separators, nothing as a dash."""
    if text is None or text == "":
        return "–"
    whole, point, rest = str(text).partition(".")
    try:
        return f"{int(whole):,}{point}{rest}"
    except ValueError:
        return str(text)


def signed(value: Any, digits: int = 2) -> str:
    """Return a number with its sign; what is no number as a dash."""
    try:
        return f"{float(value):+,.{digits}f}"
    except (TypeError, ValueError):
        return "–"

"""Decimal arithmetic for money: 60 significant digits, so that sums and products of int64 mantissas are exact.

Only a division (an average entry) rounds, at the 60th digit.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal, getcontext, localcontext
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
SHORT = Context(prec=12)
ZERO = Decimal(0)
ONE = Decimal(1)


def exact(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function with 60 digits instead of the 28 of Python's default context."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        # Entering a context costs a microsecond, and these functions call each other.
        if getcontext().prec == EXACT.prec:
            return function(*args, **kwargs)
        with localcontext(EXACT):
            return function(*args, **kwargs)

    return wrapped


def decimal_of(mantissa: int, exponent: int) -> Decimal:
    """Return ``mantissa × 10^exponent``."""
    return Decimal(mantissa).scaleb(exponent, EXACT)


def short_text(value: Decimal) -> str:
    """Return a plain decimal string of 12 significant digits at the most, for people."""
    return text_of(SHORT.plus(value))


def text_of(value: Decimal) -> str:
    """Return a plain decimal string: no exponent, no zeros at the end of the fraction."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text

"""What stands in JSON bytes: kernels that find the end of a value, and read a decimal exactly."""

from __future__ import annotations

import numpy as np

from libs.jit import kernel
from libs.venues.levels import OK, PRICE_EXP, TOO_LARGE, _number

PACKED = 7
"""Bytes that :func:`pack` takes."""

MAX_SHIFT = 40
"""An exponent of so many places is beyond any price; it is refused as too large."""

_LIMIT = 2**63 - 1
_QUOTE, _COMMA, _DOT, _OPEN, _CLOSE, _ZERO, _NINE, _SPACE = 34, 44, 46, 91, 93, 48, 57, 32
_BRACE, _UNBRACE, _ESCAPE, _PLUS, _MINUS = 123, 125, 92, 43, 45


@kernel
def pack(text: np.ndarray, at: int, end: int) -> int:
    """Return the bytes from ``at`` to ``end`` as one integer, -1 when there are more than it holds."""
    if end - at > PACKED:
        return -1
    value = 0
    for i in range(at, end):
        value = value * 256 + int(np.int64(text[i]))
    return value


@kernel
def string_end(text: np.ndarray, at: int) -> int:
    """Return the offset after the string whose opening quote lies before ``at``, or -1."""
    n = len(text)
    while at < n:
        if text[at] == _ESCAPE:
            at += 1
        elif text[at] == _QUOTE:
            return at + 1
        at += 1
    return -1


@kernel
def value_end(text: np.ndarray, at: int) -> int:
    """Return the offset after any JSON value, or -1 where there is none."""
    n = len(text)
    start, depth = at, 0
    while at < n:
        c = text[at]
        if c == _QUOTE:
            at = string_end(text, at + 1)
            if at < 0:
                return -1
            if depth == 0:
                return at
            continue
        if c in (_OPEN, _BRACE):
            depth += 1
        elif c in (_CLOSE, _UNBRACE):
            if depth == 0:
                return at if at > start else -1
            depth -= 1
            if depth == 0:
                return at + 1
        elif c == _COMMA and depth == 0:
            return at if at > start else -1
        at += 1
    return -1


@kernel
def _exponent(text: np.ndarray, at: int, out: np.ndarray, decimals: np.ndarray, k: int) -> int:
    """Apply an exponent that stands at ``at`` (after its e) to out[k], decimals[k]; return as :func:`_number`."""
    n = len(text)
    minus = at < n and text[at] == _MINUS
    if at < n and (text[at] == _MINUS or text[at] == _PLUS):
        at += 1
    shift, digits = 0, 0
    while at < n and _ZERO <= text[at] <= _NINE:
        shift = min(10 * shift + int(np.int64(text[at])) - _ZERO, MAX_SHIFT)
        digits += 1
        at += 1
    if digits == 0:
        return -1
    if out[k] == 0:
        decimals[k] = 0
        return at
    if shift == MAX_SHIFT:
        return -2
    places = decimals[k] + (shift if minus else -shift)
    while places > 0 and out[k] % 10 == 0:
        out[k] //= 10
        places -= 1
    while places < 0:
        if out[k] > _LIMIT // 10:
            return -2
        out[k] *= 10
        places += 1
    decimals[k] = places
    return at


@kernel
def decimal(text: np.ndarray, at: int, out: np.ndarray, decimals: np.ndarray, k: int) -> int:
    """Read a quoted or bare decimal, with an exponent or without; return the offset after it, -1 or -2."""
    n = len(text)
    while at < n and text[at] <= _SPACE:
        at += 1
    quoted = at < n and text[at] == _QUOTE
    at += quoted
    if at >= n or not (_ZERO <= text[at] <= _NINE or text[at] == _DOT):
        return -1
    at = _number(text, at, out, decimals, k)
    if at >= 0 and at < n and (text[at] == 69 or text[at] == 101):
        at = _exponent(text, at + 1, out, decimals, k)
    if at < 0 or not quoted:
        return at
    if at >= n or text[at] != _QUOTE:
        return -1
    return at + 1


@kernel
def one_unit(out: np.ndarray, decimals: np.ndarray, end: int, result: np.ndarray) -> int:
    """Bring prices and sizes to one exponent each."""
    for half in range(2):
        places = -result[PRICE_EXP + half]
        for k in range(half, end, 2):
            places = max(places, decimals[k])
        for k in range(half, end, 2):
            if out[k] != 0:
                for _ in range(places - decimals[k]):
                    if out[k] > _LIMIT // 10:
                        return TOO_LARGE
                    out[k] *= 10
        result[PRICE_EXP + half] = -places
    return OK

"""Price levels straight from a venue's JSON bytes: ``[["61837.63000000","3.78826000"],...]`` to integers, exactly.

A depth message holds tens of decimal strings; making Python objects of them costs more than all the rest of a replay.
The arrays are left raw by msgspec and read here.
"""

from __future__ import annotations

import numpy as np

from libs.jit import kernel

OK, MALFORMED, TOO_LARGE, TOO_MANY = 0, 1, 2, 3
REASONS = {
    MALFORMED: "levels are not [price, size] pairs of plain decimals",
    TOO_LARGE: "a level is beyond 64 bits",
    TOO_MANY: "more levels than the parser holds",
}

# result: bids, asks, price exponent, size exponent
BIDS, ASKS, PRICE_EXP, SIZE_EXP = 0, 1, 2, 3

_LIMIT = 2**63 - 1
_QUOTE, _COMMA, _DOT, _OPEN, _CLOSE, _ZERO, _NINE, _SPACE = 34, 44, 46, 91, 93, 48, 57, 32


@kernel(inline=True)
def _skip(text: np.ndarray, at: int, byte: int) -> int:
    """Return the offset after ``byte`` and any blanks before it, or -1."""
    n = len(text)
    while at < n and text[at] <= _SPACE:
        at += 1
    if at >= n or text[at] != byte:
        return -1
    return at + 1


@kernel
def _number(text: np.ndarray, at: int, out: np.ndarray, decimals: np.ndarray, k: int) -> int:
    """Read a quoted or bare decimal into out[k], decimals[k]; return the offset after it, -1 malformed, -2 too large.

    Zeros at the end of the fraction are left out: the exponent is what the value needs, not how the venue pads it.
    """
    n = len(text)
    while at < n and text[at] <= _SPACE:
        at += 1
    quoted = at < n and text[at] == _QUOTE
    at += quoted
    mantissa, digits, places, zeros = 0, 0, 0, 0
    fraction = False
    while at < n:
        c = text[at]
        if c == _DOT:
            if fraction:
                return -1
            fraction = True
        elif _ZERO <= c <= _NINE:
            digits += 1
            if fraction and c == _ZERO:
                zeros += 1
            else:
                steps = 1 + zeros if fraction else 1
                for _ in range(steps):
                    if mantissa > _LIMIT // 10:
                        return -2
                    mantissa *= 10
                digit = int(np.int64(c)) - _ZERO
                if mantissa > _LIMIT - digit:
                    return -2
                mantissa += digit
                if fraction:
                    places += steps
                    zeros = 0
        else:
            break
        at += 1
    if digits == 0 or (quoted and (at >= n or text[at] != _QUOTE)):
        return -1
    out[k] = mantissa
    decimals[k] = places
    return at + quoted


@kernel
def _side(text: np.ndarray, out: np.ndarray, decimals: np.ndarray, k: int) -> int:
    """Read one array of pairs to ``out`` from k on; return the k after it, or -MALFORMED, -TOO_LARGE, -TOO_MANY."""
    at = _skip(text, 0, _OPEN)
    if at < 0:
        return -MALFORMED
    if _skip(text, at, _CLOSE) >= 0:
        return k
    while True:
        if k + 2 > len(out):
            return -TOO_MANY
        at = _skip(text, at, _OPEN)
        for half in range(2):
            if at < 0:
                return -MALFORMED
            at = _number(text, at, out, decimals, k + half)
            if at == -2:
                return -TOO_LARGE
            if at >= 0:
                at = _skip(text, at, _COMMA if half == 0 else _CLOSE)
        if at < 0:
            return -MALFORMED
        k += 2
        comma = _skip(text, at, _COMMA)
        if comma < 0:
            return k if _skip(text, at, _CLOSE) >= 0 else -MALFORMED
        at = comma


@kernel
def parse_levels(bids: np.ndarray, asks: np.ndarray, out: np.ndarray, decimals: np.ndarray, result: np.ndarray) -> int:
    """Read both sides of a book message.

    Parameters
    ----------
    bids, asks : uint8[]
        The two JSON arrays.
    out, decimals : int64[n]
        Levels (price, size of each bid, then each ask), and room to work in.
    result : int64[4]
        In: the coarsest exponents wanted, at PRICE_EXP and SIZE_EXP. Out: levels a side and the exponents used, finer
        than asked for only when a value needs it.

    Returns
    -------
    int
        OK, MALFORMED, TOO_LARGE or TOO_MANY.
    """
    middle = _side(bids, out, decimals, 0)
    if middle < 0:
        return -middle
    end = _side(asks, out, decimals, middle)
    if end < 0:
        return -end
    for half in range(2):
        places = -result[PRICE_EXP + half]
        for k in range(half, end, 2):
            places = max(places, decimals[k])
        for k in range(half, end, 2):
            for _ in range(places - decimals[k]):
                if out[k] > _LIMIT // 10:
                    return TOO_LARGE
                out[k] *= 10
        result[PRICE_EXP + half] = -places
    result[BIDS] = middle // 2
    result[ASKS] = (end - middle) // 2
    return OK


class LevelParser:
    """Reads the two sides of book messages, with its own room to work in.

    Parameters
    ----------
    max_levels : int
        Levels of both sides together that one message may hold.
    """

    def __init__(self, max_levels: int = 20_000) -> None:
        self._out = np.zeros(2 * max_levels, np.int64)
        self._decimals = np.zeros(2 * max_levels, np.int64)
        self._result = np.zeros(4, np.int64)

    def parse(
        self, bids: bytes | memoryview, asks: bytes | memoryview, price_exponent: int = 0, size_exponent: int = 0
    ) -> tuple[int, int, int, int, np.ndarray]:
        """Return bids, asks, price exponent, size exponent and the levels.

        Parameters
        ----------
        bids, asks : buffer
            The JSON arrays.
        price_exponent, size_exponent : int
            The book's unit, at most 0; what is returned is finer when a level needs it.

        Raises
        ------
        ValueError
            With the reason, when they are not levels.
        """
        r = self._result
        r[PRICE_EXP], r[SIZE_EXP] = min(price_exponent, 0), min(size_exponent, 0)
        code = parse_levels(np.frombuffer(bids, np.uint8), np.frombuffer(asks, np.uint8), self._out, self._decimals, r)
        if code != OK:
            raise ValueError(REASONS[code])
        n_bids, n_asks, price_exp, size_exp = r.tolist()
        return n_bids, n_asks, price_exp, size_exp, self._out[: 2 * (n_bids + n_asks)].copy()

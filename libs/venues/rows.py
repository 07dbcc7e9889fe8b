"""Price levels in the shapes of venues that do not write plain pairs, from raw JSON bytes to integers, exactly.

``["41006.8","0.6","0","1"]`` (OKX, Kraken: more fields follow), ``["new",4e-05,2.6]`` (Deribit: an action first, JSON
numbers), ``["buy","7887.1","0.5"]`` (Coinbase Exchange: both sides in one array) and objects (Coinbase Advanced Trade).
Numbers may be quoted or bare and may have an exponent; they never pass through a float.
"""

from __future__ import annotations

import numpy as np

from libs.jit import kernel
from libs.venues.levels import ASKS, BIDS, MALFORMED, OK, PRICE_EXP, SIZE_EXP, TOO_LARGE, TOO_MANY, _skip
from libs.venues.scan import PACKED, decimal, one_unit, pack, string_end, value_end

# result, beyond what libs.venues.levels says: where reading stopped, in which array; where the last event_time stands
AT, ARRAY, TIME_AT, TIME_END = 4, 5, 6, 7

PLAIN, ACTION, SIDED, OBJECT = 0, 1, 2, 3
"""Shapes: price, size, and what follows is passed over; action first; side first; an object with a side."""

_QUOTE, _COMMA, _OPEN, _CLOSE, _BRACE, _UNBRACE, _COLON = 34, 44, 91, 93, 123, 125, 58


def _packed(word: str) -> int:
    return int.from_bytes(word.encode(), "big")


_NEW, _CHANGE, _DELETE = (_packed(word) for word in ("new", "change", "delete"))
_BUY, _SELL, _BID, _OFFER = (_packed(word) for word in ("buy", "sell", "bid", "offer"))
_SIDE = _packed("side")
_PRICE_L, _EVEL = _packed("price_l"), _packed("evel")
_NEW_QUA, _NTITY = _packed("new_qua"), _packed("ntity")
_EVENT_T, _IME = _packed("event_t"), _packed("ime")


@kernel
def _lead(text: np.ndarray, at: int, shape: int, k: int, sides: np.ndarray) -> int:
    """Read a row's first word into sides[k // 2] (bit 0 the ask side, bit 1 delete); return the offset after it."""
    at = _skip(text, at, _QUOTE)
    if at < 0:
        return -1
    end = string_end(text, at)
    if end < 0:
        return -1
    word = pack(text, at, end - 1)
    if shape == ACTION:
        if word not in (_NEW, _CHANGE, _DELETE):
            return -1
        sides[k // 2] = 2 * (word == _DELETE)
    else:
        if word not in (_BUY, _BID, _SELL, _OFFER):
            return -1
        sides[k // 2] = int(word not in (_BUY, _BID))
    return end


@kernel
def _row(
    text: np.ndarray, at: int, shape: int, out: np.ndarray, decimals: np.ndarray, sides: np.ndarray, k: int
) -> int:
    """Read one row after its opening bracket to out[k], out[k + 1]; return the offset after it, -1 or -2."""
    sides[k // 2] = 0
    if shape != PLAIN:
        at = _lead(text, at, shape, k, sides)
        if at >= 0:
            at = _skip(text, at, _COMMA)
        if at < 0:
            return -1
    at = decimal(text, at, out, decimals, k)
    if at < 0:
        return at
    at = _skip(text, at, _COMMA)
    if at < 0:
        return -1
    at = decimal(text, at, out, decimals, k + 1)
    if at < 0:
        return at
    if sides[k // 2] == 2:
        out[k + 1], decimals[k + 1] = 0, 0
    while True:
        end = _skip(text, at, _CLOSE)
        if end >= 0:
            return end
        at = _skip(text, at, _COMMA)
        if at < 0:
            return -1
        at = value_end(text, at)
        if at < 0:
            return -1


@kernel
def _object(
    text: np.ndarray, at: int, out: np.ndarray, decimals: np.ndarray, sides: np.ndarray, k: int, result: np.ndarray
) -> int:
    """Read ``{"side":…,"price_level":…,"new_quantity":…}``, after its brace, as :func:`_row`."""
    seen = 0
    while True:
        at = _skip(text, at, _QUOTE)
        if at < 0:
            return -1
        end = string_end(text, at)
        if end < 0:
            return -1
        first = pack(text, at, min(at + PACKED, end - 1))
        rest = pack(text, min(at + PACKED, end - 1), end - 1)
        at = _skip(text, end, _COLON)
        if at < 0:
            return -1
        if first == _SIDE and rest == 0:
            at = _lead(text, at, SIDED, k, sides)
            seen |= 1
        elif first == _PRICE_L and rest == _EVEL:
            at = decimal(text, at, out, decimals, k)
            seen |= 2
        elif first == _NEW_QUA and rest == _NTITY:
            at = decimal(text, at, out, decimals, k + 1)
            seen |= 4
        else:
            value = at
            at = value_end(text, at)
            if first == _EVENT_T and rest == _IME:
                result[TIME_AT], result[TIME_END] = value, at
        if at < 0:
            return at
        comma = _skip(text, at, _COMMA)
        if comma < 0:
            at = _skip(text, at, _UNBRACE)
            return at if seen == 7 else -1
        at = comma


@kernel
def _rows(
    text: np.ndarray,
    shape: int,
    out: np.ndarray,
    decimals: np.ndarray,
    sides: np.ndarray,
    k: int,
    result: np.ndarray,
) -> int:
    """Read an array of rows to ``out`` from k on; return the k after it, or -MALFORMED, -TOO_LARGE, -TOO_MANY."""
    at = _skip(text, 0, _OPEN)
    if at < 0:
        return -MALFORMED
    if _skip(text, at, _CLOSE) >= 0:
        return k
    while True:
        if k + 2 > len(out):
            return -TOO_MANY
        result[AT] = at
        at = _skip(text, at, _BRACE if shape == OBJECT else _OPEN)
        if at < 0:
            return -MALFORMED
        if shape == OBJECT:
            at = _object(text, at, out, decimals, sides, k, result)
        else:
            at = _row(text, at, shape, out, decimals, sides, k)
        if at < 0:
            return -TOO_LARGE if at == -2 else -MALFORMED
        k += 2
        comma = _skip(text, at, _COMMA)
        if comma < 0:
            return k if _skip(text, at, _CLOSE) >= 0 else -MALFORMED
        at = comma


@kernel
def parse_rows(
    first: np.ndarray,
    second: np.ndarray,
    shape: int,
    out: np.ndarray,
    decimals: np.ndarray,
    sides: np.ndarray,
    result: np.ndarray,
) -> int:
    """Read a book message.

    Parameters
    ----------
    first, second : uint8[]
        The JSON arrays: bids and asks, or all rows and nothing.
    shape : int
        PLAIN, ACTION, SIDED or OBJECT.
    out, decimals : int64[n]
        Price and size of each row in the order of the text; room to work in.
    sides : int64[n / 2]
        1 for a row of the ask side.
    result : int64[8]
        As :func:`libs.venues.levels.parse_levels`, and where reading stopped.

    Returns
    -------
    int
        OK, MALFORMED, TOO_LARGE or TOO_MANY.
    """
    result[ARRAY], result[TIME_AT], result[TIME_END] = 0, 0, 0
    end = _rows(first, shape, out, decimals, sides, 0, result)
    if end < 0:
        return -end
    middle = end
    if shape in (PLAIN, ACTION):
        result[ARRAY] = 1
        end = _rows(second, shape, out, decimals, sides, middle, result)
        if end < 0:
            return -end
        for k in range(end // 2):
            sides[k] = int(2 * k >= middle)
    bids = 0
    for k in range(end // 2):
        bids += sides[k] == 0
    result[BIDS], result[ASKS] = bids, end // 2 - bids
    return one_unit(out, decimals, end, result)


Parsed = tuple[int, int, int, int, np.ndarray]
"""Bids, asks, price exponent, size exponent, and int64[2 * (bids + asks)]: the bids, then the asks."""

_EXPECTED = (
    "[price, size, …] of decimals that are not negative",
    "[new|change|delete, price, amount] of numbers that are not negative",
    "[buy|sell, price, size] of decimals that are not negative",
    "side bid or offer, price_level and new_quantity, decimals that are not negative",
)
_NOTHING = np.frombuffer(b"[]", np.uint8)
_SHOWN = 60


class RowParser:
    """Reads the levels of book messages, with its own room to work in.

    Parameters
    ----------
    shape : int
        PLAIN, ACTION, SIDED or OBJECT.
    max_levels : int
        Levels of both sides together that one message may hold.
    """

    def __init__(self, shape: int, max_levels: int = 20_000) -> None:
        self._shape = shape
        self._out = np.zeros(2 * max_levels, np.int64)
        self._decimals = np.zeros(2 * max_levels, np.int64)
        self._sides = np.zeros(max_levels, np.int64)
        self._result = np.zeros(8, np.int64)
        self.event_time = ""
        """The last object's ``event_time``, empty where there is none."""

    def parse(
        self, first: bytes | memoryview, second: bytes | memoryview | None, price_exponent: int, size_exponent: int
    ) -> Parsed:
        """Return the levels of bids and asks, or of one array that holds both sides (``second`` None).

        Exponents are the book's units, at most 0; what is returned is finer when a level needs it.

        Raises
        ------
        ValueError
            With what was expected and found, when they are not levels.
        """
        r = self._result
        r[PRICE_EXP], r[SIZE_EXP] = min(price_exponent, 0), min(size_exponent, 0)
        texts = (
            np.frombuffer(first, np.uint8),
            _NOTHING if second is None else np.frombuffer(second, np.uint8),
        )
        code = parse_rows(*texts, self._shape, self._out, self._decimals, self._sides, r)
        if code != OK:
            raise ValueError(self._reason(code, bytes(texts[int(r[ARRAY])])))
        bids, asks, price_exp, size_exp = r[:4].tolist()
        levels = self._out[: 2 * (bids + asks)].copy()
        if second is None:
            if self._shape == OBJECT:
                self.event_time = bytes(texts[0][r[TIME_AT] : r[TIME_END]]).decode().strip(' "')
            if bids and asks:
                order = np.argsort(self._sides[: bids + asks], kind="stable")
                levels = levels.reshape(-1, 2)[order].reshape(-1)
        return bids, asks, price_exp, size_exp, levels

    def _reason(self, code: int, text: bytes) -> str:
        if code == TOO_MANY:
            return f"expected at most {len(self._sides)} levels, found more"
        at = int(self._result[AT])
        found = text[at : at + _SHOWN].decode(errors="replace")
        if code == TOO_LARGE:
            return "expected levels within 64 bits in one unit, found larger ones"
        return f"expected {_EXPECTED[self._shape]}, found {found!r}"

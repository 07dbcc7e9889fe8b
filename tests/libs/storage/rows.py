"""Arbitrary records, and what a table of them must say, value by value and without Arrow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

from libs.market.exchanges import EXCHANGES
from libs.nbbo.states import STATES
from libs.storage.arrow import book_dtype
from libs.streams.schemas import FEATURES, SCHEMAS, STATUS_KINDS

INT64 = (-(2**63), -(2**63) + 1, -1, 0, 1, 2**53 + 1, 2**63 - 1)
FLOATS = (math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1)
SYMBOLS = ("", "BTC-USDT", "ÅÆØ-USDT", "😀" * 16, "x" * 64, "a'b\"c;--")
WIDTHS = (0, 1, 20, 200)
CODES = {
    "exchange": EXCHANGES,
    "bid_exchange": EXCHANGES,
    "ask_exchange": EXCHANGES,
    "state": STATES,
    "kind": STATUS_KINDS,
}
_SIDES = {1: "buy", -1: "sell"}


@st.composite
def records(draw: st.DrawFn, stream: str, most: int = 12) -> np.ndarray:
    """Draw records of a stream: bytes of any kind, strewn with extremes; books of any width."""
    dtype = SCHEMAS[stream].dtype
    if stream == "book":
        dtype = draw(st.sampled_from([dtype, *(book_dtype(FEATURES, width) for width in WIDTHS)]))
    n = draw(st.integers(0, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = np.frombuffer(rng.bytes(n * dtype.itemsize), dtype).copy()
    for name in dtype.names or ():
        values = rows[name]
        if values.dtype == np.dtype("<i8"):
            values[rng.random(values.shape) < 0.3] = rng.choice(np.array(INT64, np.int64))
        elif values.dtype.kind == "f":
            at = rng.random(values.shape) < 0.7
            values[at] = rng.choice(np.array(FLOATS), int(at.sum()))
        elif name.endswith("_count"):
            rows[name] = rng.integers(0, rows["bid_prices"].shape[1] + 1, n)
    rows["symbol"] = [draw(st.sampled_from(SYMBOLS)).encode() for _ in range(n)]
    return rows


def expected(rows: np.ndarray) -> dict[str, list[Any]]:
    """Return every column of the records' table as plain values."""
    found: dict[str, list[Any]] = {}
    for name in rows.dtype.names or ():
        if name.startswith("reserved"):
            continue
        values = rows[name].tolist()
        if name in CODES:
            found[name] = [CODES[name][code] if code < len(CODES[name]) else None for code in values]
            found[f"{name}_code"] = values
        elif name == "side":
            found |= {name: [_SIDES.get(code) for code in values], "side_code": values}
        elif name == "symbol":
            found[name] = [symbol.decode() for symbol in values]
        elif name in {"valid", "incomplete", "inverse"}:
            found[name] = [code != 0 for code in values]
        elif name.endswith(("_prices", "_sizes")):
            counts = rows[f"{name[:3]}_count"].tolist()
            found[name] = [levels[:n] for levels, n in zip(values, counts, strict=True)]
        else:
            found[name] = values
    if "bid_prices" in found:
        for side in ("bid", "ask"):
            found[f"best_{side}"] = _best(found[f"{side}_prices"], rows["price_exponent"])
            found[f"{side}_size"] = _best(found[f"{side}_sizes"], rows["size_exponent"])
    return found


def _best(levels: list[list[int]], exponents: np.ndarray) -> list[float]:
    return [
        _value(row[0], exponent) if row else math.nan for row, exponent in zip(levels, exponents.tolist(), strict=True)
    ]


def _value(mantissa: int, exponent: int) -> float:
    return float(Fraction(mantissa) * Fraction(10) ** exponent)


def same(name: str, one: Any, other: Any) -> bool:
    """Return whether two values are equal to the bit; best prices and sizes of a book within 2 ulps."""
    if isinstance(one, float) and isinstance(other, float):
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return bool(one == other)


def assert_equal(found: Mapping[str, list[Any]], wanted: Mapping[str, list[Any]], near: tuple[str, ...] = ()) -> None:
    """Assert that every wanted column is there with the values wanted; those of ``near`` within 2 ulps."""
    for name, values in wanted.items():
        assert len(found[name]) == len(values), name
        for row, (one, other) in enumerate(zip(found[name], values, strict=True)):
            close = name in near and not math.isnan(other) and abs(one - other) <= 2 * math.ulp(other)
            assert close or same(name, one, other), (name, row, one, other)

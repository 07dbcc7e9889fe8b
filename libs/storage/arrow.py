"""Packed records (libs/streams/schemas.py) as Arrow tables, whether they come from Redis or from an offline pass.

Field by field: codes become words with the code beside them (``state``, ``state_code``), level arrays of any width
become lists cut to their counts, reserved fields go. Values stay as they are: int64 mantissas, NaN, infinities.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from libs.market.exchanges import EXCHANGES
from libs.nbbo.states import STATES
from libs.storage.columns import describe
from libs.streams.schemas import STATUS_KINDS

SIDES = {-1: "sell", 1: "buy"}
WORDS: dict[str, Mapping[int, str]] = {
    **{name: dict(enumerate(EXCHANGES)) for name in ("exchange", "bid_exchange", "ask_exchange")},
    **{name: dict(enumerate(STATES)) for name in ("state", "ended_by")},
    "kind": dict(enumerate(STATUS_KINDS)),
    "side": SIDES,
}
"""Words by code; a code without one is null, and stands in the column beside."""
BOOLEANS = frozenset({"valid", "incomplete", "inverse"})
COUNTED = {"bid_prices": "bid_count", "bid_sizes": "bid_count", "ask_prices": "ask_count", "ask_sizes": "ask_count"}
TEXT = pa.dictionary(pa.int32(), pa.string())
_TENS = np.array([float(f"1e{k}") for k in range(129)])

Column = tuple[str, pa.Array]


class Origin(NamedTuple):
    """Where rows come from: a writer's run and shard, and of each row the entry of its stream.

    Attributes
    ----------
    entries : sequence of str
    of_row : int32[:]
        Place in ``entries``; -1: the recorder's own row.
    notes : sequence of str, optional
        Of each row, or None.
    """

    run: str
    shard: str
    entries: Sequence[str]
    of_row: np.ndarray
    notes: Sequence[str | None] | None = None


def table_of(stream: str, rows: np.ndarray, origin: Origin | None = None) -> pa.Table:
    """Return records as a table; each field carries its description and unit.

    Parameters
    ----------
    stream : str
        Decides what columns are called in words.
    rows : structured array
        Any fields; level arrays of any width.
    origin : Origin, optional
        Adds ``run``, ``shard`` and ``entry``.
    """
    columns = [column for name in rows.dtype.names or () for column in _columns(name, rows)]
    if "bid_prices" in (rows.dtype.names or ()):
        columns += _tops(rows)
    if origin is not None:
        columns += _origin(origin, len(rows))
    fields = [pa.field(name, array.type, metadata=_metadata(name, stream)) for name, array in columns]
    return pa.Table.from_arrays([array for _, array in columns], schema=pa.schema(fields))


def book_dtype(key: np.dtype, levels: int) -> np.dtype:
    """Return the layout of book records with so many levels a side.

    Parameters
    ----------
    key : dtype
        Of records that hold a book's key in their fields, as ``schemas.FEATURES``.
    """
    names = (key.names or ())[: (key.names or ()).index("size_exponent") + 1]
    fields = [(name, key[name]) for name in names]
    sides = [(f"{side}_{what}", "<i8", (levels,)) for side in ("bid", "ask") for what in ("prices", "sizes")]
    return np.dtype([*fields, ("bid_count", "<u2"), ("ask_count", "<u2"), *sides])


def book_rows(keys: np.ndarray, levels: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Return book records of an offline pass.

    Parameters
    ----------
    keys : structured array
        The features rows of the same events.
    levels : int64[n, 4, depth]
        Bid prices, bid sizes, ask prices, ask sizes, best first.
    sides : int64[n, 2]
        How many of them are bids and asks.
    """
    found = np.zeros(len(keys), book_dtype(keys.dtype, levels.shape[2]))
    for name in found.dtype.names or ():
        if name in (keys.dtype.names or ()):
            found[name] = keys[name]
    for k, name in enumerate(("bid_prices", "bid_sizes", "ask_prices", "ask_sizes")):
        found[name] = levels[:, k]
    found["bid_count"], found["ask_count"] = sides[:, 0], sides[:, 1]
    return found


def _metadata(name: str, stream: str) -> dict[str, str]:
    words = describe(name, stream)
    return {"description": words.text, "unit": words.unit}


def _columns(name: str, rows: np.ndarray) -> Iterator[Column]:
    values = rows[name]
    if name.startswith("reserved"):
        return
    if name in COUNTED:
        yield name, _cut(values, rows[COUNTED[name]])
    elif values.ndim == 2:
        yield name, _cut(values, np.full(len(values), values.shape[1]))
    elif values.dtype.kind == "S":
        yield name, _text(values)
    elif name in BOOLEANS:
        yield name, pa.array(values != 0)
    elif name in WORDS:
        yield name, _words(values, WORDS[name])
        yield f"{name}_code", pa.array(np.ascontiguousarray(values))
    else:
        yield name, pa.array(np.ascontiguousarray(values))


def _cut(values: np.ndarray, counts: np.ndarray) -> pa.Array:
    """Return each row's first so many values as a list."""
    counts = np.minimum(counts, values.shape[1]).astype(np.int32)
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum(counts, out=offsets[1:])
    kept = values[np.arange(values.shape[1]) < counts[:, None]]
    return pa.ListArray.from_arrays(offsets, pa.array(kept))


def _text(values: np.ndarray) -> pa.Array:
    """Return fixed-width bytes, padded with zeros, as words; what is no UTF-8 is shown escaped."""
    width = values.dtype.itemsize
    data = pa.py_buffer(np.ascontiguousarray(values).tobytes())
    coded = pa.Array.from_buffers(pa.binary(width), len(values), [None, data]).dictionary_encode()
    texts = [raw.rstrip(b"\0").decode(errors="backslashreplace") for raw in coded.dictionary.to_pylist()]
    return _coded(coded.indices.to_numpy(), texts)


def _coded(indices: np.ndarray, texts: Sequence[str | None]) -> pa.Array:
    """Return a dictionary column of texts by index; equal texts share a place, None and -1 are null."""
    places: dict[str, int] = {}
    found = [-1 if text is None else places.setdefault(text, len(places)) for text in texts]
    at = np.array([*found, -1], np.int32)[indices]
    return pa.DictionaryArray.from_arrays(pa.array(at, mask=at < 0), pa.array(list(places), pa.string()))


def _words(codes: np.ndarray, words: Mapping[int, str]) -> pa.Array:
    known, at = np.unique(codes, return_inverse=True)
    return _coded(at, [words.get(int(code)) for code in known])


def _tops(rows: np.ndarray) -> list[Column]:
    """Return the best prices and sizes as float64, correctly rounded below 2^53; NaN where a side is empty."""
    found = {}
    for side in ("bid", "ask"):
        there = (rows[f"{side}_count"] > 0) & (rows[f"{side}_prices"].shape[1] > 0)
        for column, what in ((f"best_{side}", "price"), (f"{side}_size", "size")):
            values = np.full(len(rows), np.nan)
            first = rows[f"{side}_{what}s"][there, :1].ravel()
            values[there] = scaled(first, rows[f"{what}_exponent"][there])
            found[column] = pa.array(values)
    return [(name, found[name]) for name in ("best_bid", "best_ask", "bid_size", "ask_size")]


def scaled(mantissas: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """Return mantissa × 10^exponent as float64, by the rule of libs/features/exact.py: dividing where it is below 0."""
    exponents = exponents.astype(np.int64)
    powers = _TENS[np.abs(exponents)]
    numbers = mantissas.astype(np.float64)
    return np.where(exponents < 0, numbers / powers, numbers * powers)


def _origin(origin: Origin, n: int) -> list[Column]:
    same = np.zeros(n, np.int32)
    found = [
        ("run", _coded(same, [origin.run])),
        ("shard", _coded(same, [origin.shard])),
        ("entry", _coded(origin.of_row, origin.entries)),
    ]
    if origin.notes is not None:
        found.append(("note", _coded(np.arange(n), list(origin.notes))))
    return found

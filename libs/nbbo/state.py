"""The consolidated quote of every canonical symbol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from libs.nbbo.states import STATES

EXCHANGES = 8
"""Columns by exchange id; more than there are, as in the records."""


class Nbbo(NamedTuple):
    """One row a symbol; written by libs.nbbo.kernels.update.

    A slot is an exchange id, or where quote currencies are joined one plus EXCHANGES for each currency before its own.

    Attributes
    ----------
    state : int64[symbols]
        libs.nbbo.states.
    bid_exchanges, ask_exchanges : int64[symbols]
        Bit sets of the slots at the best price; 0: no such side.
    bid_exchange, ask_exchange : int64[symbols]
        The slot to route to: the largest size at the price, then the lowest slot; 255: none.
    price_exp : int64[symbols]
        The common scale of the prices.
    bid_price, ask_price : int64[symbols]
        Mantissas; 0 without the side.
    bid_size, ask_size : float64[symbols]
        Base currency, summed at the price.
    mid, spread : float64[symbols]
        NaN without both sides.
    feed_ts_us : int64[symbols]
        Feed time of the last update.
    crossed_since_us : int64[symbols]
        Feed time at which the present cross began; -1: not crossed.
    updated : int64[symbols]
        1 after the first update.
    state_us : int64[symbols, len(STATES)]
        Feed time spent in each state.
    excluded : int64[symbols, slots]
        Reasons of libs.nbbo.states by slot.
    """

    state: np.ndarray
    bid_exchanges: np.ndarray
    ask_exchanges: np.ndarray
    bid_exchange: np.ndarray
    ask_exchange: np.ndarray
    price_exp: np.ndarray
    bid_price: np.ndarray
    ask_price: np.ndarray
    bid_size: np.ndarray
    ask_size: np.ndarray
    mid: np.ndarray
    spread: np.ndarray
    feed_ts_us: np.ndarray
    crossed_since_us: np.ndarray
    updated: np.ndarray
    state_us: np.ndarray
    excluded: np.ndarray


_FLOATS = {"bid_size", "ask_size", "mid", "spread"}


def spec(max_symbols: int, slots: int = EXCHANGES) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return name → (dtype, shape) of the arrays, for shared memory.

    Parameters
    ----------
    max_symbols : int
        Rows.
    slots : int
        Books that a row may consolidate, at most 62.
    """
    columns = {"state_us": len(STATES), "excluded": slots}
    return {
        name: ("<f8" if name in _FLOATS else "<i8", (max_symbols, columns[name]) if name in columns else (max_symbols,))
        for name in Nbbo._fields
    }


def bind(arrays: Mapping[str, np.ndarray]) -> Nbbo:
    """Return the state whose arrays :func:`spec` named."""
    return Nbbo(*(arrays[field] for field in Nbbo._fields))


def new(max_symbols: int, slots: int = EXCHANGES) -> Nbbo:
    """Return quotes of nothing, in this process's memory."""
    return bind({name: np.zeros(shape, dtype) for name, (dtype, shape) in spec(max_symbols, slots).items()})

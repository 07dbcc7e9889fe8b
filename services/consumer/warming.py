"""Compile or load the consumer's kernels before anything runs: a compiler in one thread holds up all the others."""

from __future__ import annotations

import numpy as np

from libs.book.kernels import set_instrument
from libs.engine import process, receive, state
from libs.market.symbol_table import t_register
from libs.multicast.receiver import new_batch
from services.consumer.publisher import warm_publisher
from services.consumer.recovery import warm_recovery


def warm_kernels(engine: state.Engine, part: str = "all") -> None:
    """Compile or load the kernels of the consumer, or of one of its threads, by running each over nothing."""
    stop = np.ones(8, np.int64)
    if part in {"all", "receive"}:
        receive.receive_loop(engine.directory, np.empty(0, np.int32), new_batch(), -1, -1, -1, stop, -1)
    if part in {"all", "books"}:
        process.book_loop(engine.directory, -1, -1, stop, -1)
        warm_publisher(engine.arrays)
        warm_recovery(engine.arrays)


def warm(part: str = "all") -> None:
    """Compile the kernels of the consumer, for ``--warm`` and image builds.

    Parameters
    ----------
    part : str
        ``all``, or those of one thread (``receive``, ``books``), so that two processes may share the work.
    """
    engine = state.new(ring_capacity=1024, max_books=8, max_symbols=8, depth=32)
    warm_kernels(engine, part)
    if part == "receive":
        return
    book = t_register(engine.table, 0, "BTC-USDT")
    set_instrument(engine.books, book, 1, -2, 1, -5, 1, 0, 0)

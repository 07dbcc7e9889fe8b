"""``crossbook train microprice``: fit the table of a symbol to a recording (Stoikov 2018)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from libs.book.state import TICK, TICK_EXP, WORDS
from libs.config import PositiveDecimal
from libs.errors import ConfigError
from libs.features.history import MAX_BUCKETS, MAX_SPREAD
from libs.features.microprice import NotFittedError, TableFile, Training, fit, write
from libs.market.exchanges import EXCHANGES
from libs.offline.passes import Block, Pass
from libs.storage.source import RecordingSource, instruments_of
from services.cli.features import target

FILE = "command line"


class Best(NamedTuple):
    """The best levels after each event of a book.

    Attributes
    ----------
    ticks, sizes : float64[n, 2]
        Best bid and ask in ticks, and their sizes; NaN and 0 for an empty side.
    follows : bool[n]
        Whether a row's event is the one just after the row before.
    feed_us : int64[n]
    tick : (int, int)
        Mantissa and exponent.
    """

    ticks: np.ndarray
    sizes: np.ndarray
    follows: np.ndarray
    feed_us: np.ndarray
    tick: tuple[int, int]


def number(name: str, text: str | None, default: int, least: int, most: int) -> int:
    """Return a whole number that the command line gives.

    Raises
    ------
    ConfigError
        When it is none, or out of range.
    """
    if text is None:
        return default
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ConfigError(FILE, name, f"a whole number from {least} to {most}", f'"{text}"')
    return int(text)


def best_levels(paths: Sequence[str], exchange: str, symbol: str) -> Best:
    """Return the best levels of a recorded book.

    Raises
    ------
    MissingError
        When a path is not there.
    ConfigError
        When the recording has no rows of the symbol; names those that it has.
    """
    passed = Pass(RecordingSource([Path(path) for path in paths], instrument_of=instruments_of("")), levels=1)
    wanted, place = symbol.encode(), EXCHANGES.index(exchange)
    found: list[tuple[np.ndarray, ...]] = []
    seen: set[bytes] = set()
    book = -1
    for block in passed.blocks():
        mine = (block.features["symbol"] == wanted) & (block.features["exchange"] == place)
        seen.update(np.unique(block.features["symbol"]).tolist())
        if mine.any():
            book = int(block.features["book_id"][mine][0])
            found.append(_of_block(block, mine))
    if book < 0:
        names = ", ".join(sorted(name.decode() for name in seen)) or "no valid book at all"
        raise ConfigError(FILE, "--symbol", f"a symbol of {exchange} in the recording ({names})", f'"{symbol}"')
    words = passed.engine.books.words[book * WORDS : (book + 1) * WORDS]
    mantissa, exponent = int(words[TICK]), int(words[TICK_EXP])
    prices, sizes, young, feed_us = (np.concatenate(parts) for parts in zip(*found, strict=True))
    # A row whose window reaches back before the book was valid may be the first of a life: nothing leads to it.
    return Best(prices / (mantissa * 10.0**exponent), sizes, ~young, feed_us, (mantissa, exponent))


def _of_block(block: Block, mine: np.ndarray) -> tuple[np.ndarray, ...]:
    rows = block.features[mine]
    prices = np.stack([rows["best_bid"], rows["best_ask"]], axis=1)
    sizes = np.nan_to_num(np.stack([rows["bid_size"], rows["ask_size"]], axis=1))
    return prices, sizes, np.isnan(rows["order_flow_imbalance"]), rows["feed_ts_us"].copy()


def run(
    paths: Sequence[str], symbol: str, exchange: str | None, to: str, buckets: str | None, spreads: str | None
) -> int:
    """Fit and write; return the exit status.

    Raises
    ------
    ConfigError
        When an argument is wrong, or the recording does not determine a table.
    """
    venue = exchange or EXCHANGES[0]
    if venue not in EXCHANGES:
        raise ConfigError(FILE, "--exchange", f"one of {', '.join(EXCHANGES)}", f'"{venue}"')
    n = number("--buckets", buckets, 10, 2, MAX_BUCKETS)
    widest = number("--spreads", spreads, 4, 1, MAX_SPREAD)
    path = target(to, (".json",))
    best = best_levels(paths, venue, symbol)
    try:
        table, moves = fit(best.ticks, best.sizes, best.follows, n, widest)
    except NotFittedError as error:
        raise ConfigError(FILE, "PATH", f"a recording that determines a table of {symbol}", str(error)) from None
    start, end = (datetime.fromtimestamp(int(at) / 1e6, UTC).isoformat() for at in (best.feed_us[0], best.feed_us[-1]))
    sources = tuple(Path(each).name for each in paths)
    mantissa, exponent = best.tick
    write(
        path,
        TableFile(
            kind="microprice", version=1, exchange=venue, symbol=symbol, tick=PositiveDecimal(f"{mantissa}e{exponent}"),
            buckets=n, spreads=widest, table=tuple(tuple(row) for row in table.tolist()),
            training=Training(start=start, end=end, rows=len(best.ticks), moves=moves, sources=sources),
        ),
    )  # fmt: skip
    largest = float(np.abs(table).max())
    print(f"{path}: {n} × {widest + 1} of {moves:,} moves of mid; at most {largest:.3f} ticks", file=sys.stderr)
    return 0

"""Recordings through kernels and oracle: ``python -m tests.oracles.compared [--events N] [--unlimited] [NAME …]``.

Without ``--events`` to the end of each; a line a recording says what was compared.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from libs.book.flags import BAD
from libs.venues.events import STATUS_SYMBOL_INVALID, STATUS_TRADES_MISSED
from tests.oracles.market import Count, Market
from tests.oracles.recorded import RECORDINGS, Book, Happened, Print

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
DEPTH = 8_192


def follow(market: Market, happened: Iterator[Happened], events: int) -> Count:
    """Give what happened to a market, which compares, until so many book messages; return what was compared.

    Feed time that goes back is taken as that of the message before, as the engine does.
    """
    now = taken = 0
    for each in happened:
        now = max(now, each.feed_us)
        if isinstance(each, Book):
            market.book(each.bits, each.sides, now, each.unit, each.cut)
            taken += 1
            if taken == events:
                break
        elif isinstance(each, Print):
            market.trade(each.side, each.size, each.size_exp, now)
        elif each.code == STATUS_SYMBOL_INVALID:
            market.set_flags(BAD)
        elif each.code == STATUS_TRADES_MISSED:
            market.trades_missed(now)
    return market.count


def compare(name: str, data: Path, events: int, *, depth: int = DEPTH, unlimited: bool = False) -> Count:
    """Compare a recording.

    Parameters
    ----------
    events : int
        Book messages; 0: all.
    unlimited : bool
        Whether the oracle's book keeps everything, and only whole rows are compared.
    """
    market = Market(depth, unlimited=unlimited)
    return follow(market, RECORDINGS[name](data), events)


def main() -> int:
    """Compare what is named, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--events", type=int, default=0)
    parser.add_argument("--depth", type=int, default=DEPTH)
    parser.add_argument("--unlimited", action="store_true")
    given = parser.parse_args()
    for name in given.names or RECORDINGS:
        began = time.monotonic()
        found = compare(name, DATA, given.events, depth=given.depth, unlimited=given.unlimited)
        print(f"{name}: {found}; {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

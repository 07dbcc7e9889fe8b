"""Where an order goes."""

from __future__ import annotations

from typing import Literal

from libs.execution.market import Market
from libs.orders.events import Side

Route = Literal["own", "best"]


def route(market: Market, exchange: str, symbol: str, side: Side, policy: Route) -> str:
    """Return the exchange that an order goes to.

    Parameters
    ----------
    exchange : str
        Whose book the signal is of.
    policy : str
        ``own``: there. ``best``: to the exchange that shows the best opposite price in the NBBO, the largest one at
        that price; where there is none, or its book or instrument is not known here, to the signal's own.
    """
    if policy == "own":
        return exchange
    best = market.best_exchange(symbol, side)
    if best is None or market.book_id(best, symbol) < 0 or (best, symbol) not in market.steps:
        return exchange
    return best

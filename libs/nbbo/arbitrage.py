"""Arbitrage opportunities between two exchanges: one begins when a symbol's consolidated quote crosses.

An opportunity is one pair of exchanges, to sell at the highest bid and to buy at the lowest ask, for as long as the
quote of a symbol stays crossed (uncertain or real, not stale) and is routed to that pair. It ends when the quote does
not cross any more, turns stale, or goes to another pair, which then is an opportunity of its own. A book that is locked
or crossed by itself is left out of the quote, so that two exchanges always differ.

Prices, sizes and edges are those of its best moment so far: the largest edge net of fees, the earliest of equals.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from libs.book.state import INVERSE, WORDS, Books
from libs.features.exact import scaled, sum_of, value
from libs.jit import kernel
from libs.nbbo.kernels import base_size
from libs.nbbo.state import Nbbo
from libs.nbbo.states import CROSSED_REAL, CROSSED_UNCERTAIN

NO_OPPORTUNITY, OPENED, REAL, CLOSED = range(4)

PHASES = ("none", "opened", "real", "closed")
"""By phase code; real: it has lasted as long as the clocks may differ."""

# Words of an opportunity.
(
    PHASE,
    STATE,  # libs.nbbo.states: uncertain or real, of the last moment
    ENDED_BY,  # state of the quote that ended it; a crossed one: another pair took its place
    BID_SLOT,  # sell there
    ASK_SLOT,  # buy there
    BEGIN_US,  # feed times
    BEST_US,
    LAST_US,
    PRICE_EXP,
    BID_PRICE,
    ASK_PRICE,
    BIDS,  # slots at the best price
    ASKS,
) = range(13)
ARBITRAGE_WORDS = 16

# Values of an opportunity: sizes in base currency, edges in price and in bps of the mid.
SIZE, ROUTE_SIZE, GROSS, GROSS_BPS, NET, NET_BPS = range(6)
ARBITRAGE_VALUES = 8


class Arbitrages(NamedTuple):
    """The opportunity of each row of the quotes, open where its phase is OPENED or REAL.

    Attributes
    ----------
    words : int64[rows, ARBITRAGE_WORDS]
    values : float64[rows, ARBITRAGE_VALUES]
        SIZE is the smaller of the two sides' sizes, each summed over the exchanges at the price; ROUTE_SIZE the smaller
        of what the two exchanges of the pair show alone, which is what NET is true of.
    """

    words: np.ndarray
    values: np.ndarray


def spec(rows: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return name → (dtype, shape) of the arrays, for shared memory."""
    return {"words": ("<i8", (rows, ARBITRAGE_WORDS)), "values": ("<f8", (rows, ARBITRAGE_VALUES))}


def bind(arrays: Mapping[str, np.ndarray]) -> Arbitrages:
    """Return the state whose arrays :func:`spec` named."""
    return Arbitrages(*(arrays[field] for field in Arbitrages._fields))


def new(rows: int) -> Arbitrages:
    """Return no opportunities, in this process's memory."""
    return bind({name: np.zeros(shape, dtype) for name, (dtype, shape) in spec(rows).items()})


@kernel(inline=True)
def is_open(a: Arbitrages, place: int) -> bool:
    """Return whether a row has an opportunity that has not ended."""
    return a.words[place, PHASE] == OPENED or a.words[place, PHASE] == REAL


@kernel(inline=True)
def crosses(nbbo: Nbbo, s: int) -> bool:
    """Return whether a row's quote is crossed by what may be traded against."""
    return nbbo.state[s] == CROSSED_UNCERTAIN or nbbo.state[s] == CROSSED_REAL


@kernel
def end(a: Arbitrages, nbbo: Nbbo, s: int, place: int) -> bool:
    """End an opportunity if its quote no longer offers it; return whether it ended just now.

    Called after every change of the quote, and before :func:`follow`.

    Parameters
    ----------
    s, place : int
        Rows of the quote and of its opportunity.
    """
    row = a.words[place]
    if not is_open(a, place):
        return False
    if crosses(nbbo, s) and row[BID_SLOT] == nbbo.bid_exchange[s] and row[ASK_SLOT] == nbbo.ask_exchange[s]:
        return False
    row[PHASE] = CLOSED
    row[ENDED_BY] = nbbo.state[s]
    row[LAST_US] = nbbo.feed_ts_us[s]
    return True


@kernel
def _measure(
    a: Arbitrages, nbbo: Nbbo, words: np.ndarray, members: np.ndarray, s: int, place: int, fees_bps: np.ndarray
) -> None:
    """Take the quote of now for the opportunity's best moment if it is better, or the first."""
    row, values = a.words[place], a.values[place]
    bid, ask = nbbo.bid_price[s], nbbo.ask_price[s]
    seller, buyer = members[nbbo.bid_exchange[s]], members[nbbo.ask_exchange[s]]
    # A fill of an inverse contract is worth size over price in base currency, so each fee counts at the other price.
    inverse = words[seller * WORDS + INVERSE] != 0
    sold_at, bought_at = (ask, bid) if inverse else (bid, ask)
    selling = fees_bps[nbbo.bid_exchange[s] % len(fees_bps)] * float(sold_at)
    buying = fees_bps[nbbo.ask_exchange[s] % len(fees_bps)] * float(bought_at)
    net = float(bid - ask) - (selling + buying) / 10_000.0
    mid = sum_of(bid, ask) / 2
    net_bps = 10_000.0 * net / mid
    if is_open(a, place) and not net_bps > values[NET_BPS]:
        return
    exponent = nbbo.price_exp[s]
    row[BEST_US] = nbbo.feed_ts_us[s]
    row[PRICE_EXP], row[BID_PRICE], row[ASK_PRICE] = exponent, bid, ask
    row[BIDS], row[ASKS] = nbbo.bid_exchanges[s], nbbo.ask_exchanges[s]
    values[SIZE] = min(nbbo.bid_size[s], nbbo.ask_size[s])
    values[ROUTE_SIZE] = min(base_size(words, seller, 0), base_size(words, buyer, 1))
    values[GROSS] = value(bid - ask, exponent)
    values[GROSS_BPS] = 10_000.0 * float(bid - ask) / mid
    values[NET] = scaled(net, exponent)
    values[NET_BPS] = net_bps


@kernel
def follow(
    a: Arbitrages, nbbo: Nbbo, books: Books, members: np.ndarray, s: int, place: int, fees_bps: np.ndarray
) -> bool:
    """Begin or go on with the opportunity of a quote; return whether it began or became real just now.

    Called after every change of the quote, after :func:`end`.

    Parameters
    ----------
    members : int64[slots]
        As libs.nbbo.kernels.update was given.
    s, place : int
        Rows of the quote and of its opportunity.
    fees_bps : float64[EXCHANGES]
        Taker fees by exchange, of instruments of this kind.
    """
    if not crosses(nbbo, s):
        return False
    row = a.words[place]
    _measure(a, nbbo, books.words, members, s, place, fees_bps)
    before = row[PHASE] if is_open(a, place) else NO_OPPORTUNITY
    if before == NO_OPPORTUNITY:
        row[BID_SLOT], row[ASK_SLOT] = nbbo.bid_exchange[s], nbbo.ask_exchange[s]
        row[BEGIN_US] = nbbo.feed_ts_us[s]
        row[ENDED_BY] = 0
    row[LAST_US] = nbbo.feed_ts_us[s]
    row[STATE] = nbbo.state[s]
    # A cross that turned stale for a moment keeps its age, so an opportunity may begin as real.
    row[PHASE] = max(before, REAL if nbbo.state[s] == CROSSED_REAL else OPENED)
    return row[PHASE] != before

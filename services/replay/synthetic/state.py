"""The state of the synthetic market, drawn from a seed.

Each symbol has a hidden log price (a slowly reverting random walk) and a hidden pressure (an Ornstein-Uhlenbeck process
of ten seconds) that tilts the sizes near the top of its books and pulls the price a little: books lead prices, weakly,
as in the recordings. Each exchange follows the hidden price with a lag of its own.

A book lives on a grid of price steps of 0.4 to 1.2 basis points. Step i holds one level, at tick i * step + jitter(i):
prices have the exchange's own decimals and uneven gaps. Sizes stand in a ring of RING steps a side.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from libs.sending.listing import Listing, add_row

RING = 256
MAX_LEVELS = 100
MIN_LEVELS = 20
VENUES = 5
SPREAD = 2
"""Grid steps between best bid and ask when quotes are set; with 1, whole steps alone cross four symbols in ten."""
LAGS = (1.0, 0.95, 0.9, 0.85, 0.8)
"""Share of the way to the hidden price that an exchange goes at each event."""
DELAYS_US = (3_000, 9_000, 21_000, 6_000, 14_000)
"""From the exchange's clock to the feeder."""
VENUE_WEIGHTS = (0.34, 0.24, 0.13, 0.19, 0.10)

_KNOWN = (
    ("BTC-USDT", 61_800.0),
    ("ETH-USDT", 2_680.0),
    ("SOL-USDT", 155.0),
    ("XRP-USDT", 0.61),
    ("DOGE-USDT", 0.104),
    ("BNB-USDT", 512.0),
    ("ADA-USDT", 0.347),
    ("LINK-USDT", 10.4),
    ("AVAX-USDT", 21.7),
    ("NEXO-USDT", 1.01),
    ("BTC-USDT-PERP", 61_790.0),
    ("ETH-USDT-PERP", 2_679.0),
)


LOG_PRICE, PRESSURE, SIGMA, LAST_MESSAGE = range(4)
"""Columns of ``symbols``. SIGMA: per root second. LAST_MESSAGE: number of the message at which it last moved."""
START_STEP, BELIEVED, MEAN_LOTS, LAG = range(4)
"""Columns of ``reals``. START_STEP: grid step of the first price. BELIEVED: the exchange's price, in grid steps."""
BEST, LEVELS, STEP_TICKS, TICK_MANTISSA, PRICE_EXPONENT, SIZE_EXPONENT, DELAY_US, LAST_TRADE = 0, 2, 3, 4, 5, 6, 7, 8
"""Columns of ``words``. BEST: grid step of the best bid, then of the best ask. LEVELS: a side."""
MESSAGES, SOURCE_TIME, LEVELS_SENT, BOOK_EVENTS, SNAPSHOTS, VENUES = range(6)
"""Words of ``counters``: messages made, source time (1,000 a message), updates, book events, snapshots made; venues."""


class Market(NamedTuple):
    """Few arrays, as each one more makes every kernel dearer to compile. Book = symbol * venues + venue."""

    symbols: np.ndarray
    """float64[symbols, 4]"""
    cdfs: np.ndarray
    """float64[symbols + venues]: how often each is heard of, cumulated"""
    reals: np.ndarray
    """float64[books, 4]"""
    words: np.ndarray
    """int64[books, 10]"""
    sizes: np.ndarray
    """int64[books, 2, RING] lots"""
    rng: np.ndarray
    counters: np.ndarray
    """int64[8]"""


def symbol_names(count: int, rng: np.random.Generator) -> list[tuple[str, float]]:
    """Return (canonical symbol, first price) of so many symbols."""
    known = list(_KNOWN[:count])
    prices = np.exp(rng.uniform(math.log(0.02), math.log(900.0), max(0, count - len(known))))
    return known + [(f"SYN{i:04d}-USDT", float(p)) for i, p in enumerate(prices, len(known) + 1)]


def new_market(symbols: int, venues: int, seed: int, rate: float, listing: Listing) -> Market:
    """Draw a market and enter its books in the listing.

    Parameters
    ----------
    symbols, venues : int
        Canonical symbols, each on the first so many exchanges (by id).
    seed : int
        Same seed, same market, same messages.
    rate : float
        Messages a second that it will be played at: a book that is seldom heard of must not jump each time.
    listing : Listing
        Empty, with room.
    """
    rng = np.random.default_rng(seed)
    books = symbols * venues
    weights = 1.0 / (np.arange(symbols) + 8.0) ** 0.8
    weights /= weights.sum()
    venue_weights = np.array(VENUE_WEIGHTS[:venues]) / sum(VENUE_WEIGHTS[:venues])
    spacing = rng.uniform(0.4e-4, 1.2e-4, symbols)
    # At most a quarter of a grid step a book event on average: a move costs few level changes, and exchanges that were
    # heard at different times seldom cross each other.
    seconds = 1.0 / (rate * weights)
    sigma = np.minimum(rng.uniform(0.6e-4, 1.6e-4, symbols), 0.22 * spacing / np.sqrt(seconds * venues))
    m = Market(
        symbols=np.zeros((symbols, 4)),
        cdfs=np.concatenate([weights.cumsum(), venue_weights.cumsum()]),
        reals=np.zeros((books, 4)),
        words=np.zeros((books, 10), np.int64),
        sizes=np.zeros((books, 2, RING), np.int64),
        rng=np.array([rng.integers(0, 1 << 63)], np.uint64),
        counters=np.zeros(8, np.int64),
    )
    m.symbols[:, PRESSURE] = 0.6 * rng.standard_normal(symbols)
    m.symbols[:, SIGMA] = sigma
    m.reals[:, LAG] = np.tile(np.array(LAGS[:venues]), symbols)
    m.words[:, LEVELS] = rng.integers(MIN_LEVELS, MAX_LEVELS, books)
    m.words[:, DELAY_US] = np.tile(np.array(DELAYS_US[:venues]), symbols)
    m.words[:, LAST_TRADE] = rng.integers(1, 1 << 40, books)
    m.counters[VENUES] = venues
    for s, (name, price) in enumerate(symbol_names(symbols, rng)):
        for v in range(venues):
            _set_units(m, s * venues + v, v, price, float(spacing[s]), rng, listing, name)
    return m


def _set_units(
    m: Market, b: int, venue: int, price: float, spacing: float, rng: np.random.Generator, listing: Listing, name: str
) -> None:
    gap = price * spacing
    tick_exp = math.floor(math.log10(gap)) - int(rng.integers(0, 2))
    mantissa = 1
    if venue == 2:
        tick_exp -= 1
    elif venue == 4 and gap >= 5.0 * 10.0**tick_exp:
        mantissa = 5
    step = max(1, int(gap / (mantissa * 10.0**tick_exp)))
    lots_value = rng.uniform(2_000.0, 30_000.0) / price
    size_exp = min(0, math.floor(math.log10(lots_value)) - 3 - (venue == 1))
    words, reals = m.words[b], m.reals[b]
    words[STEP_TICKS], words[TICK_MANTISSA] = step, mantissa
    words[PRICE_EXPONENT], words[SIZE_EXPONENT] = tick_exp, size_exp
    reals[MEAN_LOTS] = max(4.0, lots_value / 10.0**size_exp)
    reals[START_STEP] = reals[BELIEVED] = price / (step * mantissa * 10.0**tick_exp)
    add_row(listing, venue, name, (mantissa, tick_exp), (1, size_exp))
